/* What every child has in common, in a child of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "worker.h"

enum { LINES = 2000, PATIENCE_S = 20 };

/* A pipe that nobody reads, filled to the brim. */
static void full_pipe(int ret[2])
{
	static const char block[4096];

	assert_int_equal(pipe2(ret, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ret[1], block, sizeof block) > 0)
		;
}

static void place(int fd, int number)
{
	int away = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	if (away < 0 || dup2(away, number) < 0)
		_exit(98);
}

__attribute__((noreturn)) static void be_worker(int line, int conf_fd, int err, int log)
{
	char name[] = "wna-check", *argv[] = { name, NULL };
	struct worker worker;

	alarm(PATIENCE_S);
	place(err, STDERR_FILENO);
	place(line, 93);
	place(conf_fd, 94);
	place(log, 96);
	dup2(93, WORKER_FD_WNAD);
	dup2(94, WORKER_FD_CONF);
	dup2(96, WORKER_FD_LOG);
	worker_init(&worker, ROLE_CHECK, 1, argv);
	for (int i = 0; i < LINES; i++)
		log_error("check: nobody reads this");
	_exit(log_dropped() == LINES ? 0 : 97);
}

/* wnad's standard error is shared by all who are not told otherwise, and it blocks. */
static void stalled_reader_of_the_log_stops_no_worker(void **state)
{
	static struct conf conf;
	int line[2], err[2], log[2], conf_fd = conf_to_memfd(&conf), status;
	pid_t pid;

	(void)state;
	assert_true(conf_fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line), 0);
	full_pipe(err);
	fcntl(err[1], F_SETFL, 0);
	full_pipe(log);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_worker(line[1], conf_fd, err[1], log[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int i = 0; i < 2; i++) {
		close(line[i]);
		close(err[i]);
		close(log[i]);
	}
	close(conf_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stalled_reader_of_the_log_stops_no_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
