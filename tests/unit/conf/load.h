/* One configuration file, read. For test_conf.c and test_values.c. */
#ifndef TEST_CONF_LOAD_H
#define TEST_CONF_LOAD_H

#include "conf_load.h"
#include "files.h"

/* Loads one file of the given text. The first problem's error and text, or the configuration. */
static enum conf_error load(const char *text, struct conf *conf, char *why, size_t size)
{
	struct conf_draft *draft;
	enum conf_error error;

	put("agent.conf", text, strlen(text));
	draft = conf_read(main_file);
	assert_non_null(draft);
	error = draft->problems.item[0].error;
	if (!error)
		*conf = draft->conf;
	snprintf(why, size, "%s", draft->problems.item[0].text);
	conf_draft_free(draft);
	return error;
}

/* A file that is refused, and a part of the first problem's text. */
struct bad {
	const char *text;
	enum conf_error error;
	const char *why;
};

static void expect_bad(const struct bad *table, size_t count)
{
	struct conf conf;
	char why[600];

	for (size_t i = 0; i < count; i++) {
		enum conf_error error = load(table[i].text, &conf, why, sizeof why);

		if (error != table[i].error || !strstr(why, table[i].why))
			fail_msg("case %zu: got %d \"%s\", wanted %d \"%s\"", i, error, why,
			         table[i].error, table[i].why);
	}
}

#endif
