/* wnad only; never blocks. Owns the names of the files. */
#include "conf_origin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

bool conf_origins_file(struct conf_origins *origins, const char *file)
{
	assert(origins->file_count < LIMIT_CONF_FILES + 1);
	origins->files[origins->file_count + 1] = strdup(file);
	if (!origins->files[origins->file_count + 1])
		return false;
	origins->file_count++;
	return true;
}

struct origin *conf_origins_key(struct conf_origins *origins, const struct conf_key *key, int check)
{
	ptrdiff_t i = key - conf_keys;

	if (check < 0) {
		assert(i < ORIGIN_KEYS_MAX);
		return &origins->keys[i];
	}
	/* The keys of checks stand together in the table. */
	i -= conf_key_find("check", "type") - conf_keys;
	assert(i >= 0 && i < ORIGIN_CHECK_KEYS_MAX);
	return &origins->checks[check].keys[i];
}

static const struct origin *find(const struct conf_origins *origins, const char *section,
                                 const char *name)
{
	struct conf_origins *all = (struct conf_origins *)origins;
	const struct conf_key *key = conf_key_find(section, name);
	const struct origin *at;

	if (key)
		return conf_origins_key(all, key, -1);
	key = conf_key_find("check", name);
	for (int i = 0; key && strncmp(section, "check ", 6) == 0 && i < LIMIT_CHECKS; i++) {
		if (strcmp(all->checks[i].name, section + 6) != 0)
			continue;
		at = conf_origins_key(all, key, i);
		return at->file ? at : &all->checks[i].begun;
	}
	return NULL;
}

enum conf_error conf_blame(const struct conf_origins *origins, enum conf_error error,
                           const char *section, const char *key, struct conf_problem *problem,
                           const char *format, ...)
{
	const struct origin *at = origins ? find(origins, section, key) : NULL;
	char text[sizeof problem->text];
	va_list args;
	struct sb sb;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	problem->error = error;
	sb_init(&sb, problem->text, sizeof problem->text);
	if (at && at->file)
		sb_printf(&sb, "%s:%d: ", origins->files[at->file], at->line);
	else if (origins && origins->file_count > 0)
		sb_printf(&sb, "%s: ", origins->files[1]);
	sb_printf(&sb, "%s.%s: %s", section, key, text);
	return error;
}

void conf_origins_free(struct conf_origins *origins)
{
	if (!origins)
		return;
	for (int i = 1; i <= origins->file_count; i++)
		free(origins->files[i]);
	free(origins);
}
