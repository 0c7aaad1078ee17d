/* What every process has in common, in a child of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "worker.h"

enum { LINES = 2000, PATIENCE_MS = 10000, CHANGED = 41, SAME = 42 };

static char config[64], notify[64];
static struct snapshot snapshot;
static int told;

static int setup(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(config, sizeof config, "/tmp/wna-worker-%d", (int)getpid());
	snprintf(notify, sizeof notify, "/tmp/wna-worker-%d.told", (int)getpid());
	memset(&snapshot, 0, sizeof snapshot);
	snapshot.conf.agent.log_level = LOG_LEVEL_INFO;
	snapshot.conf.rds.enabled = true;
	assert_int_equal(snapshot_write(config, &snapshot), 0);
	unlink(notify);
	told = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", notify);
	assert_int_equal(bind(told, (struct sockaddr *)&sun, sizeof sun), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(told);
	unlink(config);
	unlink(notify);
	return 0;
}

/* Begins as the role does; its log goes to `log`. */
static void begin(struct worker *worker, enum role role, int log)
{
	char exe[] = "wna-test", name[] = "--config", *argv[] = { exe, name, config, NULL };

	alarm(20);
	dup2(log, STDERR_FILENO);
	setenv("NOTIFY_SOCKET", notify, 1);
	setenv("JOURNAL_STREAM", "1:1", 1);
	worker_init(worker, role, 0, 3, argv, NULL);
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void hear(const char *want)
{
	struct pollfd ready = { .fd = told, .events = POLLIN };
	char text[256];
	ssize_t n;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	n = recv(told, text, sizeof text - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

/* A full pipe without a reader. */
static void full_pipe(int ret[2])
{
	static const char block[4096];

	assert_int_equal(pipe2(ret, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ret[1], block, sizeof block) > 0)
		;
	fcntl(ret[1], F_SETFL, 0);
}

static void stalled_journal_stops_no_process(void **state)
{
	struct worker worker;
	int log[2];
	pid_t pid;

	(void)state;
	full_pipe(log);
	pid = fork();
	if (pid == 0) {
		begin(&worker, ROLE_RDS, log[1]);
		for (int i = 0; i < LINES; i++)
			log_error("nobody reads this");
		_exit(log_dropped() >= LINES ? 0 : 97);
	}
	assert_int_equal(end_of(pid), 0);
	close(log[0]);
	close(log[1]);
}

static void a_job_that_is_off_ends_well(void **state)
{
	struct worker worker;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		begin(&worker, ROLE_MOUNT, STDERR_FILENO);
		_exit(97);
	}
	assert_int_equal(end_of(pid), WORKER_EXIT_OFF);
	/* Without READY=1 systemd would regard the exit as a failure. */
	hear("READY=1\nSTATUS=not configured");
}

static void without_a_configuration_of_its_build_it_does_not_start(void **state)
{
	struct worker worker;
	pid_t pid;
	int fd;

	(void)state;
	fd = open(config, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, 30), 1);
	close(fd);
	for (int round = 0; round < 2; round++) {
		pid = fork();
		if (pid == 0) {
			begin(&worker, ROLE_RDS, STDERR_FILENO);
			_exit(97);
		}
		assert_int_equal(end_of(pid), 1);
		unlink(config);
	}
}

/* Started as rds; ends with what it was told of the reload. */
static pid_t reloadable(void)
{
	struct worker worker;
	struct msg msg;
	pid_t pid = fork();

	if (pid == 0) {
		begin(&worker, ROLE_RDS, STDERR_FILENO);
		for (;;) {
			struct pollfd ready = { .fd = worker.fd, .events = POLLIN };

			poll(&ready, 1, PATIENCE_MS);
			while (worker_recv(&worker, &msg)) {
				if (msg.type == WORKER_RELOAD)
					_exit(msg.value ? CHANGED : SAME);
			}
		}
	}
	hear("READY=1");
	return pid;
}

static void a_reload_says_whether_it_concerns(void **state)
{
	pid_t pid = reloadable();

	(void)state;
	snapshot.conf.agent.log_level = LOG_LEVEL_DEBUG;
	snapshot.conf.checks.count = 1;
	assert_int_equal(snapshot_write(config, &snapshot), 0);
	kill(pid, SIGHUP);
	assert_int_equal(end_of(pid), SAME);
	pid = reloadable();
	snapshot.conf.rds.port = 3307;
	assert_int_equal(snapshot_write(config, &snapshot), 0);
	kill(pid, SIGHUP);
	assert_int_equal(end_of(pid), CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stalled_journal_stops_no_process, setup, teardown),
		cmocka_unit_test_setup_teardown(a_job_that_is_off_ends_well, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        without_a_configuration_of_its_build_it_does_not_start, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_says_whether_it_concerns, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
