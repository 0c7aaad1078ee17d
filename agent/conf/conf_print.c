/* wnad -T and --keys; blocks on the stream. */
#include <errno.h>
#include <string.h>

#include "conf_table.h"

static void print_section(const char *section, const char *title, const void *base, FILE *to)
{
	char text[LIMIT_CONF_LINE];

	fprintf(to, "[%s]\n", title);
	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *key = &conf_keys[i];

		if (strcmp(key->section, section) == 0)
			fprintf(to, "%s = %s\n", key->name,
			        conf_key_text(key, base, text, sizeof text));
	}
}

int conf_print(const struct conf *conf, FILE *to)
{
	static const char *const sections[] = { "agent",    "health", "imds",   "mount",
		                                "database", "hooks",  "metrics" };
	char title[LIMIT_NAME + 8];

	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		if (i > 0)
			fputc('\n', to);
		print_section(sections[i], sections[i], conf, to);
	}
	for (int i = 0; i < conf->checks.count; i++) {
		snprintf(title, sizeof title, "check %s", conf->checks.item[i].name);
		fputc('\n', to);
		print_section("check", title, &conf->checks.item[i], to);
	}
	return fflush(to) == 0 ? 0 : -errno;
}

/* In lines of at most 79 bytes, as mandoc wants them; none begins with a dot or an
 * apostrophe, which would make a request of it. */
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
