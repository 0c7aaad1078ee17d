/* The supervisor's ways in and out: notifications, listeners, logs, groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "group.h"
#include "listener.h"
#include "notify.h"
#include "sink.h"

static char dir[] = "/tmp/wna-supervisor-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* ---- notify ---- */

static int receiver(const char *name, size_t len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, len);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	                 0);
	return fd;
}

static void speaks_to(int fd, const char *where)
{
	char text[64] = "";
	struct notify notify;

	setenv("NOTIFY_SOCKET", where, 1);
	assert_int_equal(notify_open(&notify), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(notify_send(&notify, "READY=1", -1), 0);
	assert_int_equal(recv(fd, text, sizeof text, 0), 7);
	assert_string_equal(text, "READY=1");
	notify_close(&notify);
	close(fd);
}

static void path_and_abstract_sockets(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "%s", in_dir("notify"));
	speaks_to(receiver(name, strlen(name) + 1), name);
	snprintf(name, sizeof name, "@wna-test-%d", getpid());
	name[0] = '\0';
	{
		int fd = receiver(name, 1 + strlen(name + 1));

		name[0] = '@';
		speaks_to(fd, name);
	}
}

static void no_systemd_is_no_error(void **state)
{
	struct notify notify;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(&notify), 0);
	assert_int_equal(notify_send(&notify, "READY=1", -1), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_open(&notify), -EINVAL);
	assert_int_equal(notify_send(&notify, "READY=1", -1), 0);
}

static void slow_systemd_is_not_waited_for(void **state)
{
	struct notify notify;
	char name[64];
	int fd, rc = 0;

	(void)state;
	snprintf(name, sizeof name, "%s", in_dir("slow"));
	fd = receiver(name, strlen(name) + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_open(&notify), 0);
	for (int i = 0; i < 10000 && rc == 0; i++)
		rc = notify_send(&notify, "STATUS=", -1);
	assert_int_equal(rc, -EAGAIN);
	notify_close(&notify);
	close(fd);
}

static void watchdog_is_a_third_and_ours(void **state)
{
	struct notify notify;
	char pid[16];
	int fd;

	(void)state;
	fd = receiver(in_dir("dog"), strlen(in_dir("dog")) + 1);
	snprintf(pid, sizeof pid, "%d", getpid());
	for (int i = 0; i < 3; i++) {
		setenv("NOTIFY_SOCKET", in_dir("dog"), 1);
		setenv("WATCHDOG_USEC", i == 2 ? "ten" : "10000000", 1);
		setenv("WATCHDOG_PID", i == 1 ? "1" : pid, 1);
		assert_int_equal(notify_open(&notify), 0);
		assert_int_equal(notify.watchdog_ms, i == 0 ? 3333 : 0);
		assert_null(getenv("WATCHDOG_USEC"));
		assert_null(getenv("WATCHDOG_PID"));
		notify_close(&notify);
	}
	close(fd);
}

/* ---- listener ---- */

static int connect_to(const char *address, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0)
		return fd;
	close(fd);
	return -1;
}

static void listener_fits_its_address_only(void **state)
{
	struct net_endpoint any, loop, other, six;
	int fd, udp;

	(void)state;
	assert_true(net_endpoint_parse("0.0.0.0:28099", &any));
	assert_true(net_endpoint_parse("127.0.0.1:28099", &loop));
	assert_true(net_endpoint_parse("127.0.0.1:28098", &other));
	fd = listener_bind(&loop, -1);
	assert_true(fd >= 0);
	assert_true(listener_fits(fd, &loop));
	assert_false(listener_fits(fd, &any));
	assert_false(listener_fits(fd, &other));
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(listener_bind(&loop, -1), -EADDRINUSE);
	close(fd);
	/* An address that is not there yet is no reason to wait. */
	assert_true(net_endpoint_parse("192.0.2.7:28099", &other));
	fd = listener_bind(&other, -1);
	assert_true(fd >= 0);
	close(fd);
	assert_true(net_endpoint_parse("[::]:28099", &six));
	fd = listener_bind(&six, -1);
	if (fd >= 0) {
		int v6only = 1;
		socklen_t size = sizeof v6only;

		assert_true(listener_fits(fd, &six));
		assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &size), 0);
		assert_int_equal(v6only, 0);
		close(fd);
	}
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_false(listener_fits(udp, &loop));
	close(udp);
	udp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* not listening */
	assert_false(listener_fits(udp, &loop));
	close(udp);
}

/* To an address that overlaps, on the same port: each way round, and nobody else. */
static void one_listener_replaces_another_on_its_port(void **state)
{
	static const char *const texts[] = { "0.0.0.0:28099", "127.0.0.1:28099", "[::]:28099",
		                             "0.0.0.0:28099" };
	struct net_endpoint endpoint, loop;
	int fd, next, other, client;

	(void)state;
	assert_true(net_endpoint_parse(texts[0], &endpoint));
	assert_true(net_endpoint_parse("127.0.0.2:28099", &loop));
	fd = listener_bind(&endpoint, -1);
	assert_true(fd >= 0);
	for (size_t i = 1; i < sizeof texts / sizeof texts[0]; i++) {
		assert_true(net_endpoint_parse(texts[i], &endpoint));
		assert_int_equal(listener_bind(&endpoint, -1), -EADDRINUSE);
		next = listener_bind(&endpoint, fd);
		assert_true(next >= 0);
		assert_true(listener_fits(next, &endpoint));
		other = dup(fd); /* a core that is on its way out */
		listener_retire(&fd);
		assert_int_equal(fd, -1);
		fd = next;
		/* It is the one that is connected to, and it shares with no stranger. */
		assert_int_equal(listener_bind(&endpoint, -1), -EADDRINUSE);
		client = connect_to("127.0.0.1", 28099);
		next = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		assert_true(client >= 0 && next >= 0);
		close(next);
		close(client);
		close(other);
	}
	assert_int_equal(listener_bind(&loop, -1), -EADDRINUSE);
	close(fd);
}

static void descriptors_for_others_are_not_taken(void **state)
{
	struct net_endpoint loop;
	int others = -1;

	(void)state;
	assert_true(net_endpoint_parse("127.0.0.1:28099", &loop));
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "health", 1);
	assert_int_equal(listener_inherit(&loop, &others), -1);
	assert_int_equal(others, 0);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
}

static bool listens(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

static void offer(const int *fds, int count)
{
	char text[16];

	for (int i = 0; i < count; i++)
		assert_int_equal(dup2(fds[i], 3 + i), 3 + i);
	snprintf(text, sizeof text, "%d", getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof text, "%d", count);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", "health:health", 1);
}

/* From a socket unit and from the store, or twice from that. */
static void the_same_listener_twice_goes_on(void **state)
{
	struct net_endpoint here, there;
	int others = -1, fds[2];

	(void)state;
	assert_true(net_endpoint_parse("127.0.0.1:28096", &here));
	assert_true(net_endpoint_parse("127.0.0.1:28095", &there));
	fds[0] = fcntl(listener_bind(&here, -1), F_DUPFD_CLOEXEC, 20);
	fds[1] = fds[0];
	offer(fds, 2);
	assert_int_equal(listener_inherit(&here, &others), 3);
	assert_int_equal(others, 1);
	assert_true(listens(fds[0]));
	/* Another one of that name must not keep its port. */
	fds[1] = fcntl(listener_bind(&there, -1), F_DUPFD_CLOEXEC, 20);
	offer(fds, 2);
	assert_int_equal(listener_inherit(&here, &others), 3);
	assert_int_equal(others, 1);
	assert_true(listens(fds[0]));
	assert_false(listens(fds[1]));
	close(3);
	close(fds[0]);
	close(fds[1]);
}

/* ---- sink ---- */

static void sink_passes_lines_on(void **state)
{
	static struct sink sink;
	char text[64] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(sink_open(&sink, fds[1]), 0);
	assert_int_equal(write(sink.pipe_write, "one\ntwo\n", 8), 8);
	assert_false(sink_pump(&sink));
	assert_int_equal(read(fds[0], text, sizeof text), 8);
	assert_string_equal(text, "one\ntwo\n");
	/* The shared description keeps its own flags. */
	assert_int_equal(write(sink.pipe_write, "three\n", 6), 6);
	sink_close(&sink);
	assert_int_equal(read(fds[0], text, sizeof text), 6);
	close(fds[0]);
	close(fds[1]);
}

static void check_stalled(int writer, int reader)
{
	static struct sink sink;
	char line[1024], text[4096];
	size_t written = 0, got = 0;
	ssize_t n;

	memset(line, 'x', sizeof line);
	assert_int_equal(sink_open(&sink, writer), 0);
	for (int i = 0; i < 10000; i++) {
		n = write(sink.pipe_write, line, sizeof line);
		written += n > 0 ? (size_t)n : 0;
		sink_pump(&sink);
	}
	/* Most was refused at the door, nothing that was let in is lost. */
	assert_true(written < 10000 * sizeof line);
	assert_true(sink_pump(&sink));
	for (;;) {
		n = recv(reader, text, sizeof text, MSG_DONTWAIT);
		if (n < 0 && errno == ENOTSOCK)
			n = read(reader, text, sizeof text);
		if (n <= 0 && !sink_pump(&sink))
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	while ((n = read(reader, text, sizeof text)) > 0)
		got += (size_t)n;
	assert_int_equal(got, written);
	sink_close(&sink);
	close(writer);
	close(reader);
}

static void stalled_reader_costs_lines_not_time(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	check_stalled(fds[1], fds[0]);
	/* As the journal's: a stream socket that blocks. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	check_stalled(fds[1], fds[0]);
}

static void empty_group_is_not_alive(void **state)
{
	(void)state;
	assert_true(group_alive(getpgrp()));
	assert_false(group_alive(INT32_MAX));
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static int make_dir(void **state)
{
	(void)state;
	/* Ports of our own, where we may; else fixed ones of the machine's loopback. */
	if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0)
		loopback_up();
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_and_abstract_sockets),
		cmocka_unit_test(no_systemd_is_no_error),
		cmocka_unit_test(slow_systemd_is_not_waited_for),
		cmocka_unit_test(watchdog_is_a_third_and_ours),
		cmocka_unit_test(listener_fits_its_address_only),
		cmocka_unit_test(one_listener_replaces_another_on_its_port),
		cmocka_unit_test(descriptors_for_others_are_not_taken),
		cmocka_unit_test(the_same_listener_twice_goes_on),
		cmocka_unit_test(sink_passes_lines_on),
		cmocka_unit_test(stalled_reader_costs_lines_not_time),
		cmocka_unit_test(empty_group_is_not_alive),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
