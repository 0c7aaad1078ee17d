/* Real scripts, as they end: well, badly, by a signal, late. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "hooks.h"

static char said[HOOKS_LINES + 1][HOOKS_LINE];
static int lines, turns, keep_fd = -1;

static void keep(void *arg, const char *line)
{
	pid_t pid = (pid_t)strtol(line, NULL, 10);

	(void)arg;
	snprintf(said[lines++], HOOKS_LINE, "%s", line);
	if (keep_fd >= 0)
		(void)!write(keep_fd, &pid, sizeof pid);
}

static void turn(void *arg)
{
	(void)arg;
	turns++;
}

static int run_with(const char *text, int64_t limit_ms, void (*on_turn)(void *arg))
{
	static char event[] = "WNA_EVENT=database-moved", path[] = "PATH=/usr/bin:/bin";
	char *environment[] = { path, event, NULL };
	char name[] = "/tmp/wna-run-XXXXXX";
	struct hooks_output output;
	int fd, write_fd, rc;

	/* A file open for writing cannot be executed: two descriptors. */
	write_fd = mkostemp(name, O_CLOEXEC);
	assert_true(write_fd >= 0);
	assert_int_equal(write(write_fd, text, strlen(text)), (ssize_t)strlen(text));
	fchmod(write_fd, 0700);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	close(write_fd);
	/* What runs is what was opened, not what the name leads to. */
	unlink(name);
	lines = turns = 0;
	hooks_output_init(&output, keep, NULL);
	rc = hooks_run(fd, "test", environment, limit_ms, &output, on_turn, NULL);
	close(fd);
	return rc;
}

static int run(const char *text, int64_t limit_ms)
{
	return run_with(text, limit_ms, turn);
}

static void ends_well(void **state)
{
	(void)state;
	assert_int_equal(run("#!/bin/sh\necho \"$WNA_EVENT\"\necho error >&2\npwd\n", 10000), 0);
	assert_int_equal(lines, 3);
	assert_string_equal(said[0], "database-moved");
	assert_string_equal(said[1], "error");
	assert_string_equal(said[2], "/");
	assert_true(turns > 0);
}

static void only_given_environment(void **state)
{
	(void)state;
	setenv("LEAK", "1", 1);
	assert_int_equal(run("#!/bin/sh\n[ -z \"$LEAK\" ] && [ -z \"$HOME\" ]\n", 10000), 0);
}

static void nothing_to_read(void **state)
{
	(void)state;
	assert_int_equal(run("#!/bin/sh\nread -r line && exit 9\nexit 0\n", 10000), 0);
}

static void no_descriptor_leaks(void **state)
{
	int leak = fcntl(STDIN_FILENO, F_DUPFD, 50); /* not close-on-exec */

	(void)state;
	/* The shell lists its descriptors: 0 to 2, the script as 3, and as 10 where the shell
	 * reads it. The descriptor of the list itself is closed before the test for it. */
	assert_int_equal(run("#!/bin/sh\nfor fd in /proc/$$/fd/*; do\n[ -e \"$fd\" ] || continue\n"
	                     "case ${fd##*/} in [0-3]|10) ;; *) echo \"$fd\"; exit 9 ;; esac\n"
	                     "done\n",
	                     10000),
	                 0);
	assert_int_equal(lines, 0);
	close(leak);
}

static void exit_status(void **state)
{
	(void)state;
	assert_int_equal(run("#!/bin/sh\nexit 7\n", 10000), 7);
	assert_int_equal(run("#!/bin/sh\nkill -s SEGV $$\n", 10000), HOOKS_SIGNAL + SIGSEGV);
}

static void not_executable_at_all(void **state)
{
	(void)state;
	assert_int_equal(run("#!/nonexistent/interpreter\n", 10000), HOOKS_REFUSED);
	assert_int_equal(lines, 1);
	assert_int_equal(run("no program\n", 10000), HOOKS_REFUSED);
}

static void late_is_asked(void **state)
{
	int64_t start = clock_ms();

	(void)state;
	assert_int_equal(run("#!/bin/sh\ntrap 'echo asked; exit 0' TERM\n"
	                     "while :; do sleep 0.05; done\n",
	                     300),
	                 HOOKS_LATE);
	assert_true(clock_ms() - start < 5000);
	assert_string_equal(said[0], "asked");
}

/* Both the script and its child ignore SIGTERM. */
static void late_is_killed_with_all_it_started(void **state)
{
	char path[64];
	int pid = 0;

	(void)state;
	assert_int_equal(run("#!/bin/sh\ntrap '' TERM\n(trap '' TERM; exec sleep 300) &\n"
	                     "echo $!\nwhile :; do sleep 0.05; done\n",
	                     300),
	                 HOOKS_LATE);
	assert_int_equal(sscanf(said[0], "%d", &pid), 1);
	snprintf(path, sizeof path, "/proc/%d", pid);
	assert_int_equal(access(path, F_OK), -1);
}

/* A script may leave a process running, which is not waited for. */
static void background_is_left(void **state)
{
	int64_t start = clock_ms();
	int pid = 0;

	(void)state;
	assert_int_equal(run("#!/bin/sh\nsleep 300 &\necho $!\n", 10000), 0);
	assert_true(clock_ms() - start < 5000);
	assert_int_equal(sscanf(said[0], "%d", &pid), 1);
	assert_int_equal(kill(pid, 0), 0);
	kill(pid, SIGKILL);
}

static void leave(void *arg)
{
	(void)arg;
	if (lines > 0)
		exit(0);
}

/* The process that waits for a script ends, as when the service is stopped: nothing of the script
 * lives on, not even what left its session. */
static void ends_with_us(void **state)
{
	int fds[2], status;
	pid_t waits, background = 0;
	char path[64];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	waits = fork();
	if (waits == 0) {
		keep_fd = hooks_run_init() == 0 ? fds[1] : -1;
		run_with("#!/bin/sh\ntrap '' TERM\nsetsid sh -c 'trap \"\" TERM; echo $$; "
		         "exec sleep 300' &\nwait\n",
		         10000, leave);
		_exit(1);
	}
	assert_int_equal(read(fds[0], &background, sizeof background), sizeof background);
	assert_int_equal(waitpid(waits, &status, 0), waits);
	assert_int_equal(status, 0);
	snprintf(path, sizeof path, "/proc/%d", background);
	assert_int_equal(access(path, F_OK), -1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_well),
		cmocka_unit_test(only_given_environment),
		cmocka_unit_test(nothing_to_read),
		cmocka_unit_test(no_descriptor_leaks),
		cmocka_unit_test(exit_status),
		cmocka_unit_test(not_executable_at_all),
		cmocka_unit_test(late_is_asked),
		cmocka_unit_test(late_is_killed_with_all_it_started),
		cmocka_unit_test(background_is_left),
		cmocka_unit_test(ends_with_us),
	};

	if (hooks_run_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
