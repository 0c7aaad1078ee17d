/*
 * A DNS server that answers no question, in a network and mount namespace of the
 * test's own: the loop must not wait for it. (With a libcurl before 7.87 the loop
 * does wait, but must run again long before the watchdog ends the process.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "../own_net.h"
#include "clock.h"
#include "cloud_http.h"
#include "server.h"

/* Half of the longest stall that sampling tolerates. libcurl before 7.87 waits for a resolver
 * thread, for as long as the limits in cloud_http.c allow. */
enum { STALL_MAX_US = LIBCURL_VERSION_NUM >= 0x075700 ? 250 * 1000 : 8000 * 1000 };

static int black_hole = -1;
static char resolv_conf[] = "/tmp/wna-resolv-XXXXXX";

static int setup(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_port = htons(53),
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd;

	(void)state;
	if (!own_net())
		return 0; /* the tests say so */
	fd = mkstemp(resolv_conf);
	if (fd < 0 || dprintf(fd, "nameserver 127.0.0.1\n") < 0 || close(fd) < 0 ||
	    mount(resolv_conf, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	black_hole = fd;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(resolv_conf);
	return 0;
}

struct got {
	int calls;
	enum http_outcome outcome;
};

static void on_done(void *arg, const struct http_result *result)
{
	struct got *got = arg;

	got->calls++;
	got->outcome = result->outcome;
}

/* Runs the loop until `calls` are done. Each turn should last 10 ms; returns the longest one. */
static int64_t longest_turn_us(struct http *http, const struct got *got, int calls)
{
	int64_t longest = 0, end = clock_us() + 20 * 1000000, now = clock_us();

	while (got->calls < calls && now < end) {
		int64_t before = now;

		http_wait(http, NULL, 0, 10);
		now = clock_us();
		if (now - before > longest)
			longest = now - before;
	}
	assert_int_equal(got->calls, calls);
	return longest;
}

static const struct http_request lost = {
	.method = "GET",
	.url = "http://monitoring.black-hole.example/",
	.connect_timeout_ms = 200,
	.timeout_ms = 300,
};

static void test_late_name(void **state)
{
	struct http *http = http_new();
	struct got got = { 0 };
	char question[512];

	(void)state;
	if (black_hole < 0)
		skip();
	for (int i = 1; i <= 3; i++) {
		assert_non_null(http_start(http, &lost, on_done, &got));
		assert_in_range(longest_turn_us(http, &got, i), 0, STALL_MAX_US);
		assert_int_equal(got.outcome, HTTP_UNREACHED);
	}
	/* The silent server was asked. */
	assert_true(recv(black_hole, question, sizeof(question), 0) > 12);
	int64_t before = clock_us();

	http_free(http);
	assert_in_range(clock_us() - before, 0, STALL_MAX_US);
}

static void test_given_up(void **state)
{
	struct http *http = http_new();
	struct got got = { 0 };
	int64_t before;

	(void)state;
	if (black_hole < 0)
		skip();
	struct http_call *call = http_start(http, &lost, on_done, &got);

	http_wait(http, NULL, 0, 10);
	http_wait(http, NULL, 0, 10);
	before = clock_us();
	http_cancel(http, call);
	assert_in_range(clock_us() - before, 0, STALL_MAX_US);
	/* The same with a request that is under way at the end. */
	assert_non_null(http_start(http, &lost, on_done, &got));
	http_wait(http, NULL, 0, 10);
	http_wait(http, NULL, 0, 10);
	before = clock_us();
	http_free(http);
	assert_in_range(clock_us() - before, 0, STALL_MAX_US);
	assert_int_equal(got.calls, 0);
}

static bool say_ok(struct server *server, int fd, const char *head)
{
	(void)server;
	(void)head;
	server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	return true;
}

/* What cloud_http.c promises of each of libcurl's threads, as libc counts it: 1 s and 2 s for
 * one server, whatever the process was started with. */
static void test_threads_end(void **state)
{
	struct __res_state libc = { 0 };
	struct http *http;

	(void)state;
	setenv("RES_OPTIONS", "timeout:5 attempts:5", 1);
	http = http_new();
	assert_int_equal(res_ninit(&libc), 0);
	assert_int_equal(libc.retrans, 1);
	assert_int_equal(libc.retry, 2);
	res_nclose(&libc);
	http_free(http);
}

/* In contrast: meanwhile a request that needs no DNS server is answered. */
static void test_beside_it(void **state)
{
	struct http *http = http_new();
	struct got late = { 0 }, got = { 0 };
	char url[64];

	(void)state;
	if (black_hole < 0)
		skip();
	struct server *server = server_new(say_ok);

	snprintf(url, sizeof(url), "http://localhost:%d/", server->port);
	struct http_request request = lost;

	request.url = url;
	request.timeout_ms = request.connect_timeout_ms = 5000;
	assert_non_null(http_start(http, &lost, on_done, &late));
	assert_non_null(http_start(http, &request, on_done, &got));
	assert_in_range(longest_turn_us(http, &got, 1), 0, STALL_MAX_US);
	assert_int_equal(got.outcome, HTTP_ANSWERED);
	assert_int_equal(late.calls, 0);
	http_free(http);
	server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_end),
		cmocka_unit_test(test_late_name),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_beside_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
