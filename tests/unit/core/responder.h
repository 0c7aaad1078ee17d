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
#include "core_http.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum { PLACES = 16, PATIENCE_MS = 5000, BIG = 100 * 1024 };

static struct event_base *base;
static struct http *http;
static struct conf_health conf;
static int listener;
static uint16_t port;
static char reply[4 * 1024 * 1024];

static size_t big_status(void *ctx, char *ret, size_t size)
{
	(void)ctx;
	assert_true(size >= BIG);
	for (size_t i = 0; i < BIG; i++)
		ret[i] = (char)('a' + i % 23);
	return BIG;
}

static int setup(void **state)
{
	static const struct http_ops ops = { .status = big_status };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int small = 4096;

	(void)state;
	memset(&conf, 0, sizeof conf);
	conf.max_connections = PLACES;
	conf.request_timeout_ms = 200;
	conf.idle_timeout_ms = 60000;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Inherited, so that a client that does not read is noticed soon. */
	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(listener, 100), 0);
	getsockname(listener, (struct sockaddr *)&sin, &len);
	port = ntohs(sin.sin_port);
	base = event_base_new();
	assert_int_equal(http_init(&http, base, &conf, listener, &ops), 0);
	page_render(http_pages(http), LEVEL_OK, LEVEL_FAIL, 0);
	http_accept(http);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_free(http);
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

/* Turns until all that was connected is in the table. */
static void settle(unsigned connections)
{
	int64_t until_ms = clock_ms() + PATIENCE_MS;

	while (http_connections(http) != connections && clock_ms() < until_ms)
		turn();
	assert_int_equal(http_connections(http), connections);
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
	return &http_pages(http)->item[id][close];
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
