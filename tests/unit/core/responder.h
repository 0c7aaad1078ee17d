/*
 * The responder on real sockets of the loopback interface, in one thread: it
 * turns only when a test waits. For test_http*.c, each of which uses part of it.
 */
#ifndef TEST_RESPONDER_H
#define TEST_RESPONDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core_serve.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum { PLACES = 16, PATIENCE_MS = 5000 };

static struct event_base *base;
static struct http http;
static struct core core;
static struct snapshot snapshot;
static int listener;
static uint16_t port;
static char reply[4 * 1024 * 1024];

/* One responder for all tests of a program; each begins without connections. */
static int group_setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct conf_health *conf = &snapshot.conf.health;
	socklen_t len = sizeof sin;
	int small = 4096;

	(void)state;
	conf->max_connections = PLACES;
	conf->request_timeout_ms = 200;
	conf->idle_timeout_ms = 60000;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Inherited, hence a client that does not read is noticed soon. */
	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(listener, 100), 0);
	getsockname(listener, (struct sockaddr *)&sin, &len);
	port = ntohs(sin.sin_port);
	base = event_base_new();
	core_init(&core, &snapshot, NULL, clock_ms(), clock_wall_ms());
	assert_int_equal(http_init(&http, base, listener, &core), 0);
	page_render(&core.pages, LEVEL_OK, LEVEL_FAIL, 0);
	http_accept(&http);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	event_base_free(base);
	close(listener);
	return 0;
}

static int client(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Turns until that many connections are in the table. */
static void settle(unsigned connections)
{
	int64_t until_ms = clock_ms() + PATIENCE_MS;

	while (http.connections != connections && clock_ms() < until_ms)
		turn();
	assert_int_equal(http.connections, connections);
}

static int setup(void **state)
{
	(void)state;
	memset(&core.counters, 0, sizeof core.counters);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	settle(0);
	return 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads into reply until it has `len` bytes, or to the end if len is 0; the end
 * must be an orderly one. Returns the length. */
__attribute__((unused)) static size_t hear(int fd, size_t len)
{
	int64_t until_ms = clock_ms() + PATIENCE_MS;
	size_t got = 0;

	while ((len == 0 || got < len) && clock_ms() < until_ms) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t n = recv(fd, reply + got, sizeof reply - 1 - got, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		turn();
		poll(&ready, 1, 1);
	}
	reply[got] = '\0';
	assert_true(clock_ms() < until_ms);
	return got;
}

static const struct page *page(enum page_id id, int close)
{
	return &core.pages.item[id][close];
}

__attribute__((unused)) static void expect_page(int fd, enum page_id id)
{
	hear(fd, page(id, 0)->len);
	assert_string_equal(reply, page(id, 0)->text);
}

__attribute__((unused)) static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

#endif
