/* For wnactl config and the build; blocks on the stream. */
#include <errno.h>
#include <string.h>

#include "conf_load.h"
#include "str.h"

static void print_section(struct conf_draft *draft, const char *section, int slot, FILE *to)
{
	char text[LIMIT_CONF_LINE];
	const struct conf_origin *at;
	bool told = false; /* that the following values are defaults */

	fprintf(to, "[%s]\n", conf_title(draft, section, slot, text, sizeof text));
	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *key = &conf_keys[i];

		if (strcmp(key->section, section) != 0)
			continue;
		at = conf_origin_of(draft, key, slot);
		if (at->file) {
			/* A line break in a file's name must not end the comment. */
			str_clean(text, sizeof text, draft->files[at->file],
			          strlen(draft->files[at->file]));
			fprintf(to, "# %s:%d\n", text, at->line);
		} else if (!told) {
			fputs("# default\n", to);
		}
		told = !at->file;
		fprintf(to, "%s = %s\n", key->name,
		        conf_key_text(key, conf_base(draft, slot), text, sizeof text));
	}
}

int conf_print(struct conf_draft *draft, FILE *to)
{
	for (int i = 0; conf_sections[i]; i++) {
		if (strcmp(conf_sections[i], "check") == 0)
			continue;
		if (i > 0)
			fputc('\n', to);
		print_section(draft, conf_sections[i], -1, to);
	}
	for (int i = 0; i < draft->conf.checks.count; i++) {
		fputc('\n', to);
		print_section(draft, "check", i, to);
	}
	return fflush(to) == 0 ? 0 : -errno;
}

/* In lines of at most 79 bytes, as mandoc wants them. A dot or an apostrophe at the start of a line
 * would make it a request. */
static void print_wrapped(const char *text, FILE *to)
{
	enum { WIDTH = 79 };

	while (strlen(text) > WIDTH) {
		const char *cut = text + WIDTH;

		while (cut > text && (*cut != ' ' || strchr(".'", cut[1])))
			cut--;
		if (cut == text)
			break;
		fprintf(to, "%.*s\n", (int)(cut - text), text);
		text = cut + 1;
	}
	fprintf(to, "%s\n", text);
}

int conf_print_keys(FILE *to, bool roff)
{
	const char *section = "";

	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		const char *title =
		        strcmp(key->section, "check") == 0 ? "check NAME" : key->section;

		if (strcmp(section, key->section) != 0) {
			if (roff && *section)
				fputs(".El\n", to);
			fprintf(to, roff ? ".Ss [%s]\n.Bl -tag -width Ds\n" : "\n[%s]\n", title);
			section = key->section;
		}
		if (roff) {
			fprintf(to, ".It Cm %s No =%s%s\n", key->name, *key->initial ? " Ar " : "",
			        key->initial);
			print_wrapped(key->help, to);
		} else {
			fprintf(to, "  %-24s %-20s %s\n", key->name, key->initial, key->help);
		}
	}
	if (roff)
		fputs(".El\n", to);
	return fflush(to) == 0 ? 0 : -errno;
}
