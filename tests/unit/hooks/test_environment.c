/* What a script is told, and what it is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fact.h"
#include "hooks.h"

static struct hooks_environment env;

static const char *get(const char *key)
{
	size_t len = strlen(key);

	for (int i = 0; env.list[i] != NULL; i++) {
		if (strncmp(env.list[i], key, len) == 0 && env.list[i][len] == '=')
			return env.list[i] + len + 1;
	}
	return NULL;
}

static struct msg change(const char *text, int64_t min_ms, int64_t max_ms)
{
	struct msg msg = { .id = FACT_RDS_CHANGE, .value = 1, .more = { min_ms, max_ms } };

	snprintf(msg.text, sizeof msg.text, "%s", text);
	return msg;
}

static void good_values(void **state)
{
	struct msg msg = change("10.16.6.137 -> 2001:db8::5", 3100, 7200);

	(void)state;
	assert_int_equal(hooks_environment("database-moved", "db.rds.test", &msg, &env), 0);
	assert_int_equal(env.count, 8);
	assert_null(env.list[8]);
	assert_string_equal(get("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(get("LANG"), "C");
	assert_string_equal(get("WNA_EVENT"), "database-moved");
	assert_string_equal(get("WNA_RDS_ENDPOINT"), "db.rds.test");
	assert_string_equal(get("WNA_RDS_FROM"), "10.16.6.137");
	assert_string_equal(get("WNA_RDS_TO"), "2001:db8::5");
	assert_string_equal(get("WNA_RDS_OUTAGE_MIN_MS"), "3100");
	assert_string_equal(get("WNA_RDS_OUTAGE_MAX_MS"), "7200");
}

static void unknown_maximum(void **state)
{
	struct msg msg = change("10.0.0.1 -> 10.0.0.2", 0, -1);

	(void)state;
	assert_int_equal(hooks_environment("database-moved", "db", &msg, &env), 0);
	assert_null(get("WNA_RDS_OUTAGE_MAX_MS"));
	assert_string_equal(get("WNA_RDS_OUTAGE_MIN_MS"), "0");
}

static void the_other_events(void **state)
{
	struct msg msg = { .id = FACT_RDS_DOWN, .value = 1, .text = "10.16.6.137" };

	(void)state;
	assert_int_equal(hooks_environment("database-down", "db", &msg, &env), 0);
	assert_int_equal(env.count, 5);
	assert_string_equal(get("WNA_EVENT"), "database-down");
	assert_string_equal(get("WNA_RDS_ENDPOINT"), "db");
	assert_string_equal(get("WNA_RDS_ADDRESS"), "10.16.6.137");
	msg.id = FACT_RDS_UP;
	msg.more[RDS_UP_IMPACT_MS] = 1000;
	msg.more[RDS_UP_WRITABLE_MS] = 8200;
	assert_int_equal(hooks_environment("database-up", "db", &msg, &env), 0);
	assert_string_equal(get("WNA_RDS_OUTAGE_MAX_MS"), "7200");
	msg.more[RDS_UP_IMPACT_MS] = -1;
	assert_int_equal(hooks_environment("database-up", "db", &msg, &env), 0);
	assert_null(get("WNA_RDS_OUTAGE_MAX_MS"));
	strcpy(msg.text, "none");
	assert_int_equal(hooks_environment("database-up", "db", &msg, &env), -EBADMSG);
	assert_int_equal(env.count, 3);
}

/* One bad value: none is passed on, but the script still knows its event. */
static void bad_values(void **state)
{
	static const char *const bad[] = {
		"",
		"10.16.6.137",
		" -> 10.0.0.2",
		"10.0.0.1 -> ",
		"10.16.6.1370 -> 10.0.0.2",
		"db.rds.test -> 10.0.0.2",
		"10.0.0.1 -> 10.0.0.2 ",
		"10.0.0.1 -> $(reboot)",
		"10.0.0.1 -> 10.0.0.2 -> 10.0.0.3",
		"0000000000000000000000000000000000000000000000000010.0.0.1 -> 10.0.0.2",
	};
	struct msg msg;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		msg = change(bad[i], 3100, 7200);
		assert_int_equal(hooks_environment("database-moved", "db", &msg, &env), -EBADMSG);
		assert_int_equal(env.count, 3);
		assert_null(env.list[3]);
		assert_string_equal(get("WNA_EVENT"), "database-moved");
	}
	msg = change("10.0.0.1 -> 10.0.0.2", -1, 7200);
	assert_int_equal(hooks_environment("database-moved", "db", &msg, &env), -EBADMSG);
	msg = change("10.0.0.1 -> 10.0.0.2", 0, -2);
	assert_int_equal(hooks_environment("database-moved", "db", &msg, &env), -EBADMSG);
}

static char said[100][HOOKS_LINE];
static int lines;

static void keep(void *arg, const char *line)
{
	(void)arg;
	snprintf(said[lines++ % 100], HOOKS_LINE, "%s", line);
}

static void output_lines(void **state)
{
	static const char text[] = "one\n\n  two \x1b[31m\tred\nthree";
	struct hooks_output output;

	(void)state;
	lines = 0;
	hooks_output_init(&output, keep, NULL);
	for (size_t i = 0; i < sizeof text - 1; i++)
		hooks_output_feed(&output, text + i, 1);
	assert_int_equal(lines, 2);
	hooks_output_end(&output);
	assert_int_equal(lines, 3);
	assert_string_equal(said[0], "one");
	assert_string_equal(said[1], "two ?[31m red");
	assert_string_equal(said[2], "three");
	assert_string_equal(output.last, "three");
}

static void output_is_bounded(void **state)
{
	static char huge[100000];
	struct hooks_output output;

	(void)state;
	lines = 0;
	memset(huge, 'x', sizeof huge);
	hooks_output_init(&output, keep, NULL);
	hooks_output_feed(&output, huge, sizeof huge);
	hooks_output_feed(&output, "\n", 1);
	assert_int_equal(lines, 1);
	assert_int_equal(strlen(said[0]), HOOKS_LINE - 1);
	for (int i = 0; i < HOOKS_LINES + 7; i++)
		hooks_output_feed(&output, "y\n", 2);
	hooks_output_feed(&output, "the reason\n", 11);
	assert_int_equal(lines, HOOKS_LINES);
	hooks_output_end(&output);
	assert_int_equal(lines, HOOKS_LINES + 1);
	assert_string_equal(said[HOOKS_LINES], "(9 more lines dropped)");
	/* the last line is kept even if it is not logged: it has the reason of a failure */
	assert_string_equal(output.last, "the reason");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_values),      cmocka_unit_test(unknown_maximum),
		cmocka_unit_test(the_other_events), cmocka_unit_test(bad_values),
		cmocka_unit_test(output_lines),     cmocka_unit_test(output_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
