/* What a script is told, and what it is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "environment.h"
#include "output.h"

#define GOOD                                                                                       \
	"WNA_RDS_ENDPOINT=db.rds.test\nWNA_RDS_FROM=10.16.6.137\nWNA_RDS_TO=2001:db8::5\n"         \
	"WNA_RDS_OUTAGE_MIN_MS=3100\nWNA_RDS_OUTAGE_MAX_MS=7200\n"

static struct environment env;

static const char *get(const char *key)
{
	size_t len = strlen(key);

	for (int i = 0; env.list[i] != NULL; i++) {
		if (strncmp(env.list[i], key, len) == 0 && env.list[i][len] == '=')
			return env.list[i] + len + 1;
	}
	return NULL;
}

static void good_values(void **state)
{
	(void)state;
	assert_int_equal(environment_make(HOOK_RDS_CHANGE, GOOD "OTHER=1\n", &env), 0);
	assert_int_equal(env.count, 8);
	assert_null(env.list[8]);
	assert_string_equal(get("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(get("LANG"), "C");
	assert_string_equal(get("WNA_EVENT"), "rds-change");
	assert_string_equal(get("WNA_RDS_ENDPOINT"), "db.rds.test");
	assert_string_equal(get("WNA_RDS_FROM"), "10.16.6.137");
	assert_string_equal(get("WNA_RDS_TO"), "2001:db8::5");
	assert_string_equal(get("WNA_RDS_OUTAGE_MIN_MS"), "3100");
	assert_string_equal(get("WNA_RDS_OUTAGE_MAX_MS"), "7200");
	assert_null(get("OTHER"));
}

static void unknown_maximum(void **state)
{
	(void)state;
	assert_int_equal(environment_make(HOOK_RDS_CHANGE,
	                                  "WNA_RDS_ENDPOINT=db\nWNA_RDS_FROM=10.0.0.1\n"
	                                  "WNA_RDS_TO=10.0.0.2\nWNA_RDS_OUTAGE_MIN_MS=0\n",
	                                  &env),
	                 0);
	assert_null(get("WNA_RDS_OUTAGE_MAX_MS"));
	assert_string_equal(get("WNA_RDS_OUTAGE_MIN_MS"), "0");
}

/* One bad value: none is passed on, but the script still knows its event. */
static void bad_values(void **state)
{
	static const char *const bad[] = {
		"WNA_RDS_FROM=10.16.6.1370",
		"WNA_RDS_FROM=db.rds.test",
		"WNA_RDS_FROM=",
		"WNA_RDS_TO=10.0.0.1 ",
		"WNA_RDS_TO=$(reboot)",
		"WNA_RDS_ENDPOINT=a/b",
		"WNA_RDS_ENDPOINT=a b",
		"WNA_RDS_OUTAGE_MIN_MS=-1",
		"WNA_RDS_OUTAGE_MIN_MS=1x",
		"WNA_RDS_OUTAGE_MAX_MS=",
		"WNA_RDS_OUTAGE_MAX_MS=99999999999999999999",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		/* the first line of a key counts */
		snprintf(text, sizeof text, "%s\n%s", bad[i], GOOD);
		assert_int_equal(environment_make(HOOK_RDS_CHANGE, text, &env), -EBADMSG);
		assert_int_equal(env.count, 3);
		assert_null(env.list[3]);
		assert_string_equal(get("WNA_EVENT"), "rds-change");
	}
	assert_int_equal(environment_make(HOOK_RDS_CHANGE, "", &env), -EBADMSG);
	assert_int_equal(environment_make(HOOK_RDS_CHANGE, NULL, &env), -ENODATA);
	assert_int_equal(env.count, 3);
	assert_int_equal(environment_make(HOOK_RDS_CHANGE, GOOD, &env), 0);
}

static char said[100][OUTPUT_LINE];
static int lines;

static void keep(void *arg, const char *line)
{
	(void)arg;
	snprintf(said[lines++ % 100], OUTPUT_LINE, "%s", line);
}

static void output_lines(void **state)
{
	static const char text[] = "one\n\n  two \x1b[31m\tred\nthree";
	struct output output;

	(void)state;
	lines = 0;
	output_init(&output, keep, NULL);
	for (size_t i = 0; i < sizeof text - 1; i++)
		output_feed(&output, text + i, 1);
	assert_int_equal(lines, 2);
	output_end(&output);
	assert_int_equal(lines, 3);
	assert_string_equal(said[0], "one");
	assert_string_equal(said[1], "two ?[31m red");
	assert_string_equal(said[2], "three");
	assert_string_equal(output.last, "three");
}

static void output_is_bounded(void **state)
{
	static char huge[100000];
	struct output output;

	(void)state;
	lines = 0;
	memset(huge, 'x', sizeof huge);
	output_init(&output, keep, NULL);
	output_feed(&output, huge, sizeof huge);
	output_feed(&output, "\n", 1);
	assert_int_equal(lines, 1);
	assert_int_equal(strlen(said[0]), OUTPUT_LINE - 1);
	for (int i = 0; i < OUTPUT_LINES + 7; i++)
		output_feed(&output, "y\n", 2);
	output_feed(&output, "the reason\n", 11);
	assert_int_equal(lines, OUTPUT_LINES);
	output_end(&output);
	assert_int_equal(lines, OUTPUT_LINES + 1);
	assert_string_equal(said[OUTPUT_LINES], "(9 more lines dropped)");
	/* the last words are kept all the same: they are the reason of a failure */
	assert_string_equal(output.last, "the reason");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_values),       cmocka_unit_test(unknown_maximum),
		cmocka_unit_test(bad_values),        cmocka_unit_test(output_lines),
		cmocka_unit_test(output_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
