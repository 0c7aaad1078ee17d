/* Which event the scripts run for, once each, whatever is restarted; in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fact.h"
#include "hooks.h"

enum { T0 = 1000000 };

static char dir[64];
static struct hooks_due due;

static int setup(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/wna-due-XXXXXX", sizeof "/tmp/wna-due-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	hooks_due_init(&due, dir, "database-moved");
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

static void hear(int64_t number)
{
	struct msg msg = { .id = FACT_RDS_CHANGE, .value = number };

	hooks_due_hear(&due, &msg);
}

/* The number of the change for which scripts run at `now_ms`, for 1 s; 0: none. */
static int64_t act(int64_t now_ms)
{
	struct msg msg;

	if (!hooks_due_take(&due, now_ms, &msg))
		return 0;
	hooks_due_done(&due, now_ms + 1000);
	return msg.value;
}

static void restart(void)
{
	hooks_due_init(&due, dir, "database-moved");
}

static void acts_once(void **state)
{
	(void)state;
	hear(0);
	assert_int_equal(act(T0), 0);
	assert_true(hooks_due_ms(&due) == INT64_MAX);
	hear(1);
	assert_true(hooks_due_ms(&due) <= T0);
	assert_int_equal(act(T0), 1);
	hear(1); /* a core, or wna-rds, that was restarted says it again */
	assert_int_equal(act(T0 + 60000), 0);
	restart();
	hear(1);
	assert_int_equal(act(T0 + 60000), 0);
	hear(2);
	assert_int_equal(act(T0 + 60000), 2);
}

/* No script runs for a change before hooks were switched on: the first number is only noted. */
static void the_first_number_is_no_event(void **state)
{
	(void)state;
	hear(5);
	assert_int_equal(act(T0), 0);
	restart();
	hear(5);
	assert_int_equal(act(T0), 0);
	hear(6);
	assert_int_equal(act(T0), 6);
}

/* wna-hooks is killed after it has heard of a change and before the scripts, or during a change. */
static void no_change_is_lost_by_a_restart(void **state)
{
	(void)state;
	hear(0);
	hear(1);
	restart();
	hear(1);
	assert_int_equal(act(T0), 1);
	restart();
	hear(3);
	assert_int_equal(act(T0), 3);
}

/* wna-hooks is killed while the scripts run: they are not run again for this change. */
static void a_broken_run_is_not_repeated(void **state)
{
	struct msg msg;

	(void)state;
	hear(0);
	hear(1);
	assert_true(hooks_due_take(&due, T0, &msg));
	restart();
	hear(1);
	assert_int_equal(act(T0), 0);
}

static void too_soon_is_later_and_once(void **state)
{
	(void)state;
	hear(0);
	hear(1);
	assert_int_equal(act(T0), 1);
	hear(2);
	assert_int_equal(hooks_due_ms(&due), T0 + 1000 + HOOKS_GAP_MS);
	assert_int_equal(act(T0 + 1000 + HOOKS_GAP_MS - 1), 0);
	hear(3);
	hear(4);
	assert_int_equal(act(T0 + 1000 + HOOKS_GAP_MS), 4);
	assert_int_equal(act(T0 + 60000), 0);
}

/* wna-rds has lost its number and begins again at 0. */
static void counting_anew(void **state)
{
	(void)state;
	hear(7);
	hear(0);
	assert_int_equal(act(T0), 0);
	hear(1);
	assert_int_equal(act(T0), 1);
}

/* The number cannot be written: the scripts still run, once for each change. */
static void without_a_folder(void **state)
{
	(void)state;
	assert_int_equal(rmdir(dir), 0);
	hear(0);
	hear(1);
	assert_int_equal(act(T0), 1);
	hear(1);
	assert_int_equal(act(T0 + 60000), 0);
}

/* Each kind of event has its own number and its own wait. */
static void kinds_do_not_disturb_each_other(void **state)
{
	struct msg up = { .id = FACT_RDS_UP, .value = 1 };
	struct hooks_due other;

	(void)state;
	hooks_due_init(&other, dir, "database-up");
	up.value = 0;
	hooks_due_hear(&other, &up);
	hear(0);
	hear(1);
	assert_int_equal(act(T0), 1);
	up.value = 1;
	hooks_due_hear(&other, &up);
	assert_true(hooks_due_take(&other, T0, &up));
	hooks_due_init(&other, dir, "database-up");
	hooks_due_hear(&other, &up);
	assert_true(hooks_due_ms(&other) == INT64_MAX);
}

static void a_spoilt_file_is_none(void **state)
{
	char path[128];
	FILE *file;

	(void)state;
	snprintf(path, sizeof path, "%s/database-moved", dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("many\n", file);
	fclose(file);
	restart();
	hear(3);
	assert_int_equal(act(T0), 0);
	hear(4);
	assert_int_equal(act(T0), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(acts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_number_is_no_event, setup, teardown),
		cmocka_unit_test_setup_teardown(no_change_is_lost_by_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_run_is_not_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(too_soon_is_later_and_once, setup, teardown),
		cmocka_unit_test_setup_teardown(counting_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(kinds_do_not_disturb_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(a_spoilt_file_is_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
