/*
 * play_wnad [-t MS] CONF WORKER [ARG]: stands in for wnad and its core
 * around one worker, so that a test sees the very facts it sends.
 *
 * Reads CONF with conf_read, starts WORKER as the contract of worker.h says
 * (descriptors 3 and 4, own process group), and writes to standard output:
 *
 *	fact NAME VALUE|TEXT|WHY
 *	late                      after MS: TERM to the group, 2 s later KILL
 *	exit STATUS | signal NUMBER
 *
 * For the tests only. Ends with 0 if the worker was started and is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "conf_load.h"
#include "fact.h"
#include "msg.h"
#include "str.h"
#include "worker.h"

enum { TERM_MS = 2000 };

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "play_wnad: %s: %s\n", what, strerror(errno));
	exit(2);
}

static pid_t start(char **command, int socket_end, int conf_fd)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return pid;
	setpgid(0, 0);
	/* Out of the way of 3 and 4 first: they may be those numbers. */
	socket_end = fcntl(socket_end, F_DUPFD, 10);
	conf_fd = fcntl(conf_fd, F_DUPFD, 10);
	if (socket_end < 0 || conf_fd < 0 || dup2(socket_end, WORKER_FD_WNAD) < 0 ||
	    dup2(conf_fd, WORKER_FD_CONF) < 0 || close_range(5, ~0U, 0) < 0)
		_exit(126);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	execv(command[0], command);
	_exit(127);
}

static void print_facts(int fd)
{
	struct msg msg;
	int rc;

	while ((rc = msg_recv(fd, &msg)) == 0 || rc == -EBADMSG) {
		const struct fact_info *info = rc == 0 ? fact_info(msg.id) : NULL;

		if (info && msg.type == MSG_FACT)
			printf("fact %s %lld|%s|%s\n", info->name, (long long)msg.value, msg.text,
			       msg.why);
		else if (rc < 0)
			printf("malformed\n");
	}
	fflush(stdout);
}

static void watch(pid_t pid, int fd, int64_t timeout_ms)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0), status, sent = 0;
	struct pollfd polls[] = {
		{ .fd = pid_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	int64_t due = clock_ms() + timeout_ms;

	while (!(polls[0].revents & POLLIN)) {
		int64_t left = due - clock_ms();

		if (left <= 0) {
			sent = sent ? SIGKILL : SIGTERM;
			printf("late, signal %d\n", sent);
			kill(-pid, sent);
			left = TERM_MS;
			due = clock_ms() + left;
		}
		if (poll(polls, 2, (int)left) < 0 && errno != EINTR)
			fail("poll");
		print_facts(fd);
		if (polls[1].revents & POLLHUP)
			polls[1].fd = -1;
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	if (WIFEXITED(status))
		printf("exit %d\n", WEXITSTATUS(status));
	else
		printf("signal %d\n", WTERMSIG(status));
}

int main(int argc, char **argv)
{
	struct conf_draft *draft;
	int64_t timeout_ms = 60000;
	int ends[2], conf_fd, option;
	pid_t pid;

	while ((option = getopt(argc, argv, "t:")) == 't') {
		if (!str_int64(optarg, 1, 600000, &timeout_ms))
			return 2;
	}
	if (option != -1 || argc - optind < 2) {
		fprintf(stderr, "usage: play_wnad [-t MS] CONF WORKER [ARG]\n");
		return 2;
	}
	draft = conf_read(argv[optind]);
	if (!draft || draft->problems.count) {
		fprintf(stderr, "play_wnad: %s\n",
		        draft ? draft->problems.item[0].text : "out of memory");
		return 2;
	}
	conf_fd = conf_to_memfd(&draft->conf);
	if (conf_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("setting up");
	pid = start(argv + optind + 1, ends[1], conf_fd);
	close(ends[1]);
	watch(pid, ends[0], timeout_ms);
	return 0;
}
