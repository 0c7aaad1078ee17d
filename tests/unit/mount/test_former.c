/* Which processes are those of an earlier helper, and how long they are waited for. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "former.h"

static char file[] = "/tmp/wna-former.XXXXXX/note";
static int waited_for, release_fd;

/*
 * A wna-mount that notes itself, starts a helper in its group and dies. The
 * helper lives until the write end is closed, or, stubborn, for ever. As a
 * child of this process, which reaps it.
 */
static pid_t start_helper(bool stubborn, int *ret_fd)
{
	int held[2], told[2];
	pid_t first, helper = -1;

	assert_int_equal(pipe2(held, O_CLOEXEC), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	first = fork();
	if (first == 0) {
		if (setpgid(0, 0) < 0 || former_note(file) < 0)
			_exit(1);
		helper = fork();
		if (helper == 0) {
			char byte;

			close(held[1]);
			if (stubborn)
				pause();
			_exit(read(held[0], &byte, 1) != 0);
		}
		_exit(write(told[1], &helper, sizeof helper) != sizeof helper);
	}
	assert_true(first > 0);
	close(told[1]);
	close(held[0]);
	assert_int_equal(read(told[0], &helper, sizeof helper), sizeof helper);
	close(told[0]);
	assert_int_equal(waitpid(first, NULL, 0), first);
	*ret_fd = held[1];
	return helper;
}

static void waiting(void *arg, int pid)
{
	(void)arg;
	assert_int_equal(waited_for, 0);
	waited_for = pid;
	if (release_fd >= 0)
		close(release_fd);
}

static int setup(void **state)
{
	(void)state;
	waited_for = 0;
	release_fd = -1;
	*strrchr(file, '/') = '\0';
	if (!mkdtemp(file))
		return -1;
	file[strlen(file)] = '/';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	*strrchr(file, '/') = '\0';
	if (rmdir(file) < 0)
		return -1;
	strcpy(file, "/tmp/wna-former.XXXXXX/note");
	return 0;
}

static void put(const char *text)
{
	FILE *out = fopen(file, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void nobody_noted(void **state)
{
	(void)state;
	assert_false(former_wait(file, 60000, waiting, NULL));
	put("nonsense\n");
	assert_false(former_wait(file, 60000, waiting, NULL));
	/* Our own note is no earlier one's. */
	assert_int_equal(former_note(file), 0);
	assert_false(former_wait(file, 60000, waiting, NULL));
	former_forget(file);
	assert_int_equal(access(file, F_OK), -1);
}

static void waits_until_it_has_ended(void **state)
{
	pid_t helper = start_helper(false, &release_fd);
	int status;

	(void)state;
	assert_true(former_wait(file, 60000, waiting, NULL));
	assert_int_equal(waited_for, helper);
	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(access(file, F_OK), -1);
	assert_false(former_wait(file, 60000, waiting, NULL));
}

static void kills_it_when_its_time_is_over(void **state)
{
	int fd, status;
	pid_t helper = start_helper(true, &fd);

	(void)state;
	assert_true(former_wait(file, 0, waiting, NULL));
	assert_int_equal(waited_for, helper);
	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(fd);
}

/* One that has ended before is not waited for, but may have mounted. */
static void gone_already(void **state)
{
	int fd;
	pid_t helper = start_helper(false, &fd);

	(void)state;
	close(fd);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
	assert_true(former_wait(file, 60000, waiting, NULL));
	assert_int_equal(waited_for, 0);
}

/* The number of the group now belongs to others: of a later start, or session. */
static void others_of_that_number(void **state)
{
	int64_t group, session, start, at_ms;
	int kept;
	pid_t helper = start_helper(true, &kept);
	char text[128];
	FILE *note = fopen(file, "re");

	(void)state;
	assert_non_null(note);
	assert_int_equal(fscanf(note, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &group,
	                        &session, &start, &at_ms),
	                 4);
	fclose(note);
	snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", group,
	         session + 1, start, at_ms);
	put(text);
	assert_true(former_wait(file, 60000, waiting, NULL));
	assert_int_equal(waited_for, 0);
	assert_int_equal(kill(helper, SIGKILL), 0);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
	close(kept);

	/* A leader that lives, but started at another time than the noted one. */
	helper = fork();
	if (helper == 0) {
		pause();
		_exit(0);
	}
	setpgid(helper, helper);
	snprintf(text, sizeof text, "%d %" PRId64 " %" PRId64 " %" PRId64 "\n", helper, session,
	         start - 1, at_ms);
	put(text);
	assert_true(former_wait(file, 60000, waiting, NULL));
	assert_int_equal(waited_for, 0);
	assert_int_equal(kill(helper, SIGKILL), 0);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_noted, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_until_it_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(kills_it_when_its_time_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_already, setup, teardown),
		cmocka_unit_test_setup_teardown(others_of_that_number, setup, teardown),
	};

	return cmocka_run_group_tests_name("mount/former", tests, NULL, NULL);
}
