/* Which process group is that of an earlier mount helper. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "mount.h"

static char dir[] = "/tmp/wna-group.XXXXXX", file[64];

/* An attempt that notes its group, starts a helper in it and dies. The helper becomes a child
 * of this process, and lives until it is killed. */
static pid_t start_helper(void)
{
	pid_t first, helper = -1;
	int told[2];

	assert_int_equal(pipe(told), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	first = fork();
	if (first == 0) {
		if (setpgid(0, 0) < 0 || group_note(dir) < 0)
			_exit(1);
		helper = fork();
		if (helper == 0) {
			pause();
			_exit(0);
		}
		_exit(write(told[1], &helper, sizeof helper) != sizeof helper);
	}
	assert_true(first > 0);
	assert_int_equal(read(told[0], &helper, sizeof helper), sizeof helper);
	close(told[0]);
	close(told[1]);
	assert_int_equal(waitpid(first, NULL, 0), first);
	return helper;
}

static void end_helper(pid_t helper)
{
	assert_int_equal(kill(helper, SIGKILL), 0);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof file, "%s/helper", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	if (rmdir(dir) < 0)
		return -1;
	strcpy(dir, "/tmp/wna-group.XXXXXX");
	return 0;
}

static void put(const char *text)
{
	FILE *out = fopen(file, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void no_note(void **state)
{
	struct process_group group;

	(void)state;
	assert_false(group_read(dir, &group));
	put("nonsense\n");
	assert_false(group_read(dir, &group));
	put("1 1 1\n");
	assert_false(group_read(dir, &group));
	put("-12 1 1\n");
	assert_false(group_read(dir, &group));
	put("12 1\n");
	assert_false(group_read(dir, &group));
}

static void lives_until_the_helper_has_ended(void **state)
{
	pid_t helper = start_helper();
	struct process_group group;

	(void)state;
	assert_true(group_read(dir, &group));
	assert_true(group.at_ms > 0 && group.at_ms <= clock_ms());
	assert_int_equal(group.leader, getpgid(helper));
	assert_true(group_lives(&group));
	end_helper(helper);
	assert_false(group_lives(&group));
}

/* The number of the group now belongs to a process that was started later. */
static void another_group_of_that_number(void **state)
{
	struct process_group group;
	pid_t first = fork();

	(void)state;
	if (first == 0) {
		if (setpgid(0, 0) < 0 || group_note(dir) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(first, NULL, WUNTRACED), first);
	assert_true(group_read(dir, &group));
	assert_int_equal(group.leader, first);
	assert_true(group_lives(&group));
	group.start--;
	assert_false(group_lives(&group));
	end_helper(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_note, setup, teardown),
		cmocka_unit_test_setup_teardown(lives_until_the_helper_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(another_group_of_that_number, setup, teardown),
	};

	return cmocka_run_group_tests_name("mount/group", tests, NULL, NULL);
}
