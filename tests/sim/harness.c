/* Tests and measurements only. Blocks on the core it started, with time limits. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"
#include "worker.h"

static int need(int rc, const char *what)
{
	if (rc < 0) {
		perror(what);
		exit(2);
	}
	return rc;
}

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

static socklen_t control_address(const struct harness *harness, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->sun_family = AF_UNIX;
	str_copy(ret->sun_path + 1, sizeof ret->sun_path - 1, harness->control_name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	                   strlen(harness->control_name));
}

void harness_open(struct harness *harness, uint16_t port)
{
	struct sockaddr_in sin = loopback(port);
	struct sockaddr_un sun;
	socklen_t len = sizeof sin;
	int one = 1;

	memset(harness, 0, sizeof *harness);
	harness->wnad = harness->log = -1;
	harness->listen =
	        need(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
	setsockopt(harness->listen, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	need(bind(harness->listen, (struct sockaddr *)&sin, sizeof sin), "bind");
	need(listen(harness->listen, 4096), "listen");
	need(getsockname(harness->listen, (struct sockaddr *)&sin, &len), "getsockname");
	harness->port = ntohs(sin.sin_port);
	snprintf(harness->control_name, sizeof harness->control_name, "wna-harness-%d-%u",
	         (int)getpid(), harness->port);
	harness->control =
	        need(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
	len = control_address(harness, &sun);
	need(bind(harness->control, (struct sockaddr *)&sun, len), "bind control");
	need(listen(harness->control, 16), "listen control");
}

/* Above all target numbers first, or one dup2 could overwrite another's source. */
static void hand_over(const int from[5])
{
	int high[5];

	for (int i = 0; i < 5; i++)
		high[i] = need(fcntl(from[i], F_DUPFD_CLOEXEC, 100), "dup");
	for (int i = 0; i < 5; i++)
		need(dup2(high[i], WORKER_FD_WNAD + i), "dup2");
}

void harness_start(struct harness *harness, const char *exe, const struct conf *conf, unsigned arg)
{
	int line[2], log[2], conf_fd;
	char number[16];

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line), "socketpair");
	need(pipe2(log, O_CLOEXEC), "pipe");
	conf_fd = need(conf_to_memfd(conf), "memfd");
	snprintf(number, sizeof number, "%u", arg);
	fflush(NULL);
	harness->pid = need(fork(), "fork");
	if (harness->pid == 0) {
		const int fds[5] = { line[1], conf_fd, harness->control, log[1], harness->listen };

		hand_over(fds);
		execl(exe, exe, number, (char *)NULL);
		perror(exe);
		_exit(127);
	}
	close(line[1]);
	close(log[1]);
	close(conf_fd);
	harness->wnad = line[0];
	harness->log = log[0];
	fcntl(harness->log, F_SETFL, O_NONBLOCK);
}

void harness_fact(const struct harness *harness, enum role role, enum fact_id id, unsigned slot,
                  int64_t value, const char *text, const char *why)
{
	struct envelope envelope = {
		.role = (uint16_t)role,
		.msg = { .type = MSG_FACT,
		         .id = (uint16_t)id,
		         .slot = (uint16_t)slot,
		         .value = value },
	};

	str_copy(envelope.msg.text, sizeof envelope.msg.text, text ? text : "");
	str_copy(envelope.msg.why, sizeof envelope.msg.why, why ? why : "");
	need((int)send(harness->wnad, &envelope, sizeof envelope, MSG_NOSIGNAL), "send fact");
}

int harness_order(const struct harness *harness, enum order_verb verb, int timeout_ms,
                  struct order *ret)
{
	int64_t until_ms = clock_ms() + timeout_ms;
	struct pollfd fd = { .fd = harness->wnad, .events = POLLIN };

	for (;;) {
		int64_t left_ms = until_ms - clock_ms();
		int rc = order_recv(harness->wnad, ret);

		if (rc == 0 && ret->verb == verb)
			return 1;
		if (rc == 0)
			continue;
		if (rc != -EAGAIN || left_ms <= 0)
			return 0;
		poll(&fd, 1, (int)left_ms);
	}
}

static int connected(int fd, const void *address, socklen_t len)
{
	if (fd >= 0 && connect(fd, address, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int harness_connect(const struct harness *harness)
{
	struct sockaddr_in sin = loopback(harness->port);

	return connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &sin, sizeof sin);
}

int harness_connect_control(const struct harness *harness)
{
	struct sockaddr_un sun;
	socklen_t len = control_address(harness, &sun);

	return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &sun, len);
}

int harness_stop(struct harness *harness)
{
	int64_t until_ms = clock_ms() + 5000;
	int status = -1;

	close(harness->wnad);
	harness->wnad = -1;
	/* waitpid has no time limit of its own. */
	while (waitpid(harness->pid, &status, WNOHANG) == 0) {
		if (clock_ms() > until_ms)
			kill(harness->pid, SIGKILL);
		poll(NULL, 0, 5);
	}
	close(harness->log);
	harness->log = -1;
	return status;
}

void harness_close(struct harness *harness)
{
	close(harness->listen);
	close(harness->control);
}
