/* Which process group is that of an earlier mount helper, and which process of a group is killed. */
#include <errno.h>
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
#include "mount_tidy.h"

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

static pid_t start(pid_t group, const char *word)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setpgid(0, group) == 0)
			execlp("sleep", "sleep", "600", word, (char *)NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	return pid;
}

static bool is_killed(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG) == pid && WIFSIGNALED(status);
}

/* Name, group and argument must all match. */
static void one_process_of_many(void **state)
{
	static const char *const names[] = { "other", "sle", NULL }, *const others[] = { "x",
		                                                                         NULL };
	pid_t leader = start(0, "0.1"), second;
	struct process_match match = { .names = others, .group = leader, .word = "0.2" };

	(void)state;
	assert_true(setpgid(leader, leader) == 0 || errno == EACCES);
	second = start(leader, "0.2");
	assert_int_equal(process_kill(&match), 0);
	match.names = names;
	/* Until both are programs. */
	while (process_kill(&match) == 0)
		usleep(1000);
	assert_int_equal(waitpid(second, NULL, 0), second);
	assert_false(is_killed(leader));
	assert_int_equal(process_kill(&match), 0);
	match.word = NULL;
	match.group++;
	assert_int_equal(process_kill(&match), 0);
	match.group--;
	while (process_kill(&match) == 0)
		usleep(1000);
	assert_int_equal(waitpid(leader, NULL, 0), leader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_note, setup, teardown),
		cmocka_unit_test_setup_teardown(lives_until_the_helper_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(another_group_of_that_number, setup, teardown),
		cmocka_unit_test(one_process_of_many),
	};

	return cmocka_run_group_tests_name("mount/group", tests, NULL, NULL);
}
