/* What every child has in common, in a child of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
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

/* What it says, read to its end. */
static void read_all(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, ret + len, size - 1 - len)) > 0)
		len += (size_t)n;
	ret[len] = '\0';
}

/* Between an upgrade and the restart that follows. */
static void worker_refuses_a_wnad_of_another_version(void **state)
{
	static char data[sizeof(struct conf) + 4096];
	static struct conf conf;
	char said[1024];
	int line[2], err[2], conf_fd = conf_to_memfd(&conf), other_fd, status;
	ssize_t len = pread(conf_fd, data, sizeof data, 0);
	pid_t pid;

	(void)state;
	assert_true(len > (ssize_t)sizeof conf);
	data[55] ^= 1; /* in the mark */
	other_fd = memfd_create("other", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_int_equal(write(other_fd, data, (size_t)len), len);
	assert_int_equal(fcntl(other_fd, F_ADD_SEALS, fcntl(conf_fd, F_GET_SEALS)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_worker(line[1], other_fd, err[1], err[1]);
	close(err[1]);
	read_all(err[0], said, sizeof said);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_CONTRACT);
	assert_non_null(strstr(said, "wna-check: wnad is of another version"));
	close(err[0]);
	close(line[0]);
	close(line[1]);
	close(conf_fd);
	close(other_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stalled_reader_of_the_log_stops_no_worker),
		cmocka_unit_test(worker_refuses_a_wnad_of_another_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
