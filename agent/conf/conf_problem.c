/* For wnactl; never blocks. Problems, and the lines that they are blamed on. */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "conf_load.h"
#include "str.h"

void *conf_base(struct conf_draft *draft, int slot)
{
	return slot < 0 ? (void *)&draft->conf : &draft->conf.checks.item[slot];
}

char *conf_title(const struct conf_draft *draft, const char *section, int slot, char *ret,
                 size_t size)
{
	snprintf(ret, size, "%s%s%s", section, slot < 0 ? "" : " ",
	         slot < 0 ? "" : draft->conf.checks.item[slot].name);
	return ret;
}

struct conf_origin *conf_origin_of(struct conf_draft *draft, const struct conf_key *key, int slot)
{
	ptrdiff_t i = key - conf_keys;

	if (slot < 0) {
		assert(i < CONF_KEYS_MAX);
		return &draft->keys[i];
	}
	i -= conf_key_find("check", "type") - conf_keys;
	assert(i >= 0 && i < CONF_CHECK_KEYS_MAX);
	return &draft->checks[slot].keys[i];
}

void conf_problem_put(struct conf_draft *draft, enum conf_error error, struct conf_origin at,
                      const char *format, ...)
{
	struct conf_problems *list = error ? &draft->problems : &draft->remarks;
	struct conf_problem *problem;
	char text[sizeof problem->text], line[16] = "";
	va_list args;
	size_t len;
	struct sb sb;

	if (list->count++ >= CONF_PROBLEMS_MAX)
		return;
	problem = &list->item[list->count - 1];
	if (at.line > 0)
		snprintf(line, sizeof line, "%d:", at.line);
	sb_init(&sb, text, sizeof text);
	sb_printf(&sb, "%s:%s%s ", draft->files[at.file], line, error ? "" : " warning:");
	len = strlen(text);
	va_start(args, format);
	vsnprintf(text + len, sizeof text - len, format, args);
	va_end(args);
	problem->error = error;
	problem->at = at;
	/* What a file contains must not steer a terminal. */
	str_clean(problem->text, sizeof problem->text, text, strlen(text));
}

/* The line that gave the key. False if it is not given: the line that opened its section, or the
 * main file. */
static bool locate(struct conf_draft *draft, const char *section, int slot, const char *name,
                   struct conf_origin *ret_at)
{
	const struct conf_key *key = conf_key_find(section, name);
	bool given = key && conf_origin_of(draft, key, slot)->file;

	*ret_at = given       ? *conf_origin_of(draft, key, slot)
	          : slot >= 0 ? draft->checks[slot].begun
	                      : draft->sections[conf_section_find(section)];
	if (!ret_at->file)
		ret_at->file = 1;
	return given;
}

void conf_blame(struct conf_draft *draft, enum conf_error error, const char *section, int slot,
                const char *key, const char *format, ...)
{
	const struct conf_problems *list = &draft->problems;
	struct conf_origin at;
	bool given = locate(draft, section, slot, key, &at);
	char text[512], title[CONF_TITLE];
	va_list args;

	for (int i = 0; given && i < list->count && i < CONF_PROBLEMS_MAX; i++) {
		if (list->item[i].at.file == at.file && list->item[i].at.line == at.line)
			return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	conf_problem_put(draft, error, at, "%s.%s: %s",
	                 conf_title(draft, section, slot, title, sizeof title), key, text);
}
