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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "snapshot.h"
#include "str.h"

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

static struct sockaddr_un hub_address(const struct harness *harness)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	str_copy(sun.sun_path, sizeof sun.sun_path, harness->path);
	return sun;
}

void harness_open(struct harness *harness, uint16_t port)
{
	struct sockaddr_in sin = loopback(port);
	struct sockaddr_un sun;
	socklen_t len = sizeof sin;
	int one = 1;

	memset(harness, 0, sizeof *harness);
	harness->log = -1;
	for (int role = 0; role < ROLE_MAX; role++)
		harness->peer[role] = -1;
	harness->listen =
	        need(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
	setsockopt(harness->listen, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	need(bind(harness->listen, (struct sockaddr *)&sin, sizeof sin), "bind");
	need(listen(harness->listen, 4096), "listen");
	need(getsockname(harness->listen, (struct sockaddr *)&sin, &len), "getsockname");
	harness->port = ntohs(sin.sin_port);
	snprintf(harness->path, sizeof harness->path, "/tmp/wna-harness-%d-%u", (int)getpid(),
	         harness->port);
	unlink(harness->path);
	harness->hub =
	        need(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
	sun = hub_address(harness);
	need(bind(harness->hub, (struct sockaddr *)&sun, sizeof sun), "bind hub");
	need(chmod(harness->path, 0666), "chmod hub");
	need(listen(harness->hub, 64), "listen hub");
	snprintf(harness->config, sizeof harness->config, "%s.conf", harness->path);
	snprintf(harness->notified, sizeof harness->notified, "%s.told", harness->path);
	unlink(harness->notified);
	harness->notify = need(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	str_copy(sun.sun_path, sizeof sun.sun_path, harness->notified);
	need(bind(harness->notify, (struct sockaddr *)&sun, sizeof sun), "bind notify");
}

static int connected(int fd, const void *address, socklen_t len)
{
	if (fd >= 0 && connect(fd, address, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* As systemd does: descriptors from 3 on, with their names. */
static void hand_over(const struct harness *harness)
{
	int health = need(fcntl(harness->listen, F_DUPFD_CLOEXEC, 100), "dup");
	int hub = need(fcntl(harness->hub, F_DUPFD_CLOEXEC, 100), "dup");
	char pid[16];

	need(dup2(health, 3), "dup2");
	need(dup2(hub, 4), "dup2");
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "health:hub", 1);
	setenv("NOTIFY_SOCKET", harness->notified, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
	unsetenv("WATCHDOG_PID");
}

void harness_start(struct harness *harness, const char *exe, const struct conf *conf)
{
	static struct snapshot snapshot;

	snapshot.conf = *conf;
	need(snapshot_write(harness->config, &snapshot), "snapshot");
	harness_start_with(harness, exe);
}

void harness_start_with(struct harness *harness, const char *exe)
{
	int log[2];

	need(pipe2(log, O_CLOEXEC), "pipe");
	fflush(NULL);
	harness->pid = need(fork(), "fork");
	if (harness->pid == 0) {
		/* Whatever ends the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		need(dup2(log[1], STDERR_FILENO), "dup2");
		hand_over(harness);
		execl(exe, exe, "--config", harness->config, "--roles-by-name",
		      harness->strict ? "no" : "yes", (char *)NULL);
		perror(exe);
		_exit(127);
	}
	close(log[1]);
	harness->log = log[0];
	fcntl(harness->log, F_SETFL, O_NONBLOCK);
}

int harness_join(const struct harness *harness, enum role role, int64_t wants)
{
	struct msg hello = { .type = HUB_HELLO, .id = (uint16_t)role, .more = { wants } };
	struct sockaddr_un sun = hub_address(harness);
	int fd = connected(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), &sun, sizeof sun);

	str_copy(hello.text, sizeof hello.text, hub_contract);
	if (fd >= 0)
		need(hub_send(fd, &hello), "send hello");
	return fd;
}

static int peer_of(struct harness *harness, enum role role)
{
	if (harness->peer[role] < 0)
		harness->peer[role] = need(harness_join(harness, role, 0), "connect to the hub");
	return harness->peer[role];
}

void harness_fact(struct harness *harness, enum role role, enum fact_id id, int64_t value,
                  const char *text, const char *why)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };

	str_copy(msg.text, sizeof msg.text, text ? text : "");
	str_copy(msg.why, sizeof msg.why, why ? why : "");
	need(hub_send(peer_of(harness, role), &msg), "send fact");
}

void harness_spoken(struct harness *harness, enum role role)
{
	const struct msg msg = { .type = HUB_SPOKEN };

	need(hub_send(peer_of(harness, role), &msg), "send spoken");
}

/* True when there is something, or the end, to be read. */
static bool wait_for(int fd, int64_t until_ms)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int64_t left_ms = until_ms - clock_ms();

	return left_ms > 0 && poll(&ready, 1, (int)left_ms) == 1;
}

bool harness_hear(int fd, enum hub_type type, int timeout_ms, struct msg *ret)
{
	int64_t until_ms = clock_ms() + timeout_ms;

	for (;;) {
		int rc = hub_recv(fd, ret);

		if (rc == 0 && ret->type == type)
			return true;
		if (rc != 0 && (rc != -EAGAIN || !wait_for(fd, until_ms)))
			return false;
	}
}

bool harness_ask(const struct harness *harness, enum hub_ask ask, char *ret, size_t size)
{
	const struct msg msg = { .type = HUB_ASK, .id = (uint16_t)ask };
	struct sockaddr_un sun = hub_address(harness);
	int fd = connected(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), &sun, sizeof sun);
	ssize_t n = -1;

	if (fd >= 0 && hub_send(fd, &msg) == 0 && wait_for(fd, clock_ms() + 10000))
		n = recv(fd, ret, size - 1, 0);
	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

bool harness_told(const struct harness *harness, const char *text, int timeout_ms)
{
	int64_t until_ms = clock_ms() + timeout_ms;
	char said[512];

	while (wait_for(harness->notify, until_ms)) {
		ssize_t n = recv(harness->notify, said, sizeof said - 1, 0);

		said[n > 0 ? n : 0] = '\0';
		if (strncmp(said, text, strlen(text)) == 0)
			return true;
	}
	return false;
}

int harness_connect(const struct harness *harness)
{
	struct sockaddr_in sin = loopback(harness->port);

	return connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &sin, sizeof sin);
}

int harness_stop(struct harness *harness)
{
	int64_t until_ms = clock_ms() + 5000;
	int status = -1;

	for (int role = 0; role < ROLE_MAX; role++) {
		if (harness->peer[role] >= 0)
			close(harness->peer[role]);
		harness->peer[role] = -1;
	}
	kill(harness->pid, SIGTERM);
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
	close(harness->hub);
	close(harness->notify);
	unlink(harness->path);
	unlink(harness->config);
	unlink(harness->notified);
}
