/* Which processes are those of an earlier helper. */
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

#include "mount.h"

static char file[] = "/tmp/wna-former.XXXXXX/note";

/* An attempt that notes its group, starts a helper in it and dies. The helper lives until
 * it is killed, a child of this process. */
static pid_t start_helper(void)
{
	pid_t first, helper = -1;
	struct former own;
	int told[2];

	assert_int_equal(pipe(told), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	first = fork();
	if (first == 0) {
		if (setpgid(0, 0) < 0 || !former_of(getpid(), 1234, &own) ||
		    former_note(file, &own) < 0)
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
	struct former former;

	(void)state;
	assert_false(former_read(file, &former));
	put("nonsense\n");
	assert_false(former_read(file, &former));
	put("1 1 1 1\n");
	assert_false(former_read(file, &former));
	put("12 1 1\n");
	assert_false(former_read(file, &former));
}

static void found_until_it_has_ended(void **state)
{
	pid_t helper = start_helper();
	struct former former;

	(void)state;
	assert_true(former_read(file, &former));
	assert_int_equal(former.at_ms, 1234);
	assert_int_equal(former_living(&former), helper);
	/* A zombie has ended. */
	assert_int_equal(kill(helper, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)helper, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(former_living(&former), 0);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
	assert_int_equal(former_living(&former), 0);
}

/* The number of the group now belongs to others: of another session, or of a later start. */
static void others_of_that_number(void **state)
{
	struct former former, other;
	pid_t helper = start_helper();

	(void)state;
	assert_true(former_read(file, &former));
	former.session++;
	assert_int_equal(former_living(&former), 0);
	end_helper(helper);

	helper = fork();
	if (helper == 0) {
		pause();
		_exit(0);
	}
	setpgid(helper, helper);
	assert_true(former_of(helper, 0, &other));
	assert_int_equal(former_living(&other), helper);
	other.start--;
	assert_int_equal(former_living(&other), 0);
	end_helper(helper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_noted, setup, teardown),
		cmocka_unit_test_setup_teardown(found_until_it_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(others_of_that_number, setup, teardown),
	};

	return cmocka_run_group_tests_name("mount/former", tests, NULL, NULL);
}
