/* cloud_http.h against a scripted server on loopback, in real time, without a sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cloud_http.h"
#include "server.h"

struct got {
	int calls;
	struct http_result result;
	char body[65536];
};

static void on_done(void *arg, const struct http_result *result)
{
	struct got *got = arg;

	got->calls++;
	got->result = *result;
	assert_true(result->body_len < sizeof(got->body));
	memcpy(got->body, result->body, result->body_len + 1);
}

static struct http_request request_to(const struct server *server, char *url, const char *path)
{
	snprintf(url, 128, "http://127.0.0.1:%d%s", server->port, path);
	return (struct http_request){
		.method = "GET", .url = url, .connect_timeout_ms = 5000, .timeout_ms = 5000
	};
}

static void run(struct http *http, const struct http_request *request, struct got *got)
{
	int before = got->calls;
	int64_t end_ms = clock_ms() + 20000;

	assert_non_null(http_start(http, request, on_done, got));
	assert_int_equal(got->calls, before);
	while (got->calls == before && clock_ms() < end_ms)
		http_wait(http, NULL, 0, 1000);
	assert_int_equal(got->calls, before + 1);
}

static bool say_arg(struct server *server, int fd, const char *head)
{
	(void)head;
	server_say(fd, server->arg);
	return true;
}

static bool say_arg_and_close(struct server *server, int fd, const char *head)
{
	say_arg(server, fd, head);
	return false;
}

static bool hang(struct server *server, int fd, const char *head)
{
	(void)head;
	if (server->arg != NULL)
		server_say(fd, server->arg);
	server_hang(server, fd);
	return false;
}

static void test_answer_and_headers(void **state)
{
	struct server *server = server_new(say_arg);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128];
	const struct http_header headers[] = { { "X-aws-ec2-metadata-token", "abc" } };
	struct http_request request = request_to(server, url, "/a/../b:c");

	(void)state;
	request.headers = headers;
	request.header_count = 1;
	server->arg = "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 08:15:30 GMT\r\n"
	              "x-amzn-ErrorType: Foo:\tbar\x01\r\n"
	              "Content-Type: text/plain\r\n"
	              "Content-Length: 5\r\n\r\nhello";
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_ANSWERED);
	assert_int_equal(got.result.status, 200);
	assert_string_equal(got.body, "hello");
	assert_int_equal(got.result.date_wall_ms, INT64_C(1795421730000));
	assert_string_equal(got.result.error_type, "Foo: bar?");
	assert_string_equal(got.result.content_type, "text/plain");
	/* The path as it was given, our token, and nothing that we did not ask for. */
	assert_non_null(strstr(server->last, "GET /a/../b:c HTTP/1.1\r\n"));
	assert_non_null(strstr(server->last, "X-aws-ec2-metadata-token: abc\r\n"));
	assert_null(strcasestr(server->last, "Content-Type"));
	assert_null(strcasestr(server->last, "X-Forwarded"));

	/* The body of an error is kept; headers of the answer before it are not. */
	server->arg = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone";
	run(http, &request, &got);
	assert_int_equal(got.result.status, 404);
	assert_string_equal(got.body, "gone");
	assert_int_equal(got.result.date_wall_ms, 0);
	assert_string_equal(got.result.error_type, "");
	/* Both over one connection. */
	assert_int_equal(server->connections, 1);
	http_free(http);
	server_free(server);
}

static void test_methods(void **state)
{
	struct server *server = server_new(say_arg);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128], body[] = "{\"a\":1}";
	const struct http_header headers[] = { { "content-type", "application/x-amz-json-1.0" } };
	struct http_request request = request_to(server, url, "/latest/api/token");

	(void)state;
	server->arg = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	request.method = "PUT";
	run(http, &request, &got);
	assert_non_null(strstr(server->last, "PUT /latest/api/token HTTP/1.1\r\n"));
	assert_non_null(strstr(server->last, "Content-Length: 0\r\n"));
	assert_null(strcasestr(server->last, "Content-Type"));
	assert_string_equal(got.body, "");

	request.method = "POST";
	request.headers = headers;
	request.header_count = 1;
	request.body = body;
	request.body_len = strlen(body);
	assert_non_null(http_start(http, &request, on_done, &got));
	memset(body, 'x', strlen(body)); /* it was copied */
	while (got.calls < 2)
		http_wait(http, NULL, 0, 1000);
	assert_non_null(strstr(server->last, "POST /latest/api/token HTTP/1.1\r\n"));
	assert_non_null(strstr(server->last, "content-type: application/x-amz-json-1.0\r\n"));
	assert_non_null(strstr(server->last, "\r\n\r\n{\"a\":1}"));
	assert_null(strcasestr(server->last, "Expect:"));
	http_free(http);
	server_free(server);
}

static void test_too_large(void **state)
{
	static char body[HTTP_BODY_MAX + 2], answer[sizeof body + 200];
	struct server *server = server_new(say_arg_and_close);
	struct http *http = http_new();
	char url[128];
	struct http_request request = request_to(server, url, "/");

	(void)state;
	server->arg = answer;
	for (size_t i = 0; i < 6; i++) {
		static struct got got;
		size_t len = HTTP_BODY_MAX + (i < 3);

		memset(&got, 0, sizeof(got));
		memset(body, 'b', len);
		body[len] = '\0';
		if (i % 3 == 0)
			snprintf(answer, sizeof(answer),
			         "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", len, body);
		else if (i % 3 == 1)
			snprintf(answer, sizeof(answer),
			         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			         "%zx\r\n%s\r\n0\r\n\r\n",
			         len, body);
		else
			snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n\r\n%s", body);
		run(http, &request, &got);
		if (i < 3) {
			assert_int_equal(got.result.outcome, HTTP_BROKEN);
			assert_non_null(strstr(got.result.why, "longer than expected"));
			assert_string_equal(got.body, "");
			assert_int_equal(got.result.body_len, 0);
		} else {
			assert_int_equal(got.result.outcome, HTTP_ANSWERED);
			assert_string_equal(got.body, body);
		}
	}
	http_free(http);
	server_free(server);
}

static void test_silence(void **state)
{
	struct server *server = server_new(hang);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128];
	struct http_request request = request_to(server, url, "/");

	(void)state;
	request.timeout_ms = 50;
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_TIMED_OUT);
	assert_true(got.result.took_ms >= 50 && got.result.took_ms < 1000);
	/* An answer that begins and does not end is late as well. */
	server->arg = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_TIMED_OUT);
	assert_string_equal(got.body, "");
	http_free(http);
	server_free(server);
}

static void test_refused(void **state)
{
	struct server *server = server_new(say_arg);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128];
	struct http_request request = request_to(server, url, "/");

	(void)state;
	server_free(server);
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_UNREACHED);
	/* A label of 64 characters is not valid: the resolver refuses it without a question. */
	request.url = "http://0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.x/";
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_UNREACHED);
	http_free(http);
}

static void test_no_tls(void **state)
{
	struct server *server = server_new(say_arg_and_close);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128], secure[136];
	struct http_request request = request_to(server, url, "/");

	(void)state;
	server->at_once = true;
	server->arg = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	snprintf(secure, sizeof(secure), "https%s", url + 4);
	request.url = secure;
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_BROKEN);
	http_free(http);
	server_free(server);
}

static void test_only_http(void **state)
{
	static const char *const urls[] = { "file:///etc/hostname", "ftp://127.0.0.1/",
		                            "gopher://127.0.0.1/", "not a url" };
	struct http *http = http_new();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct got got = { 0 };
		struct http_request request = {
			.method = "GET",
			.url = urls[i],
			.connect_timeout_ms = 1000,
			.timeout_ms = 1000,
		};

		run(http, &request, &got);
		assert_int_not_equal(got.result.outcome, HTTP_ANSWERED);
	}
	http_free(http);
}

static void test_proxy(void **state)
{
	struct server *server = server_new(say_arg);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128], dead[64];
	struct http_request request = request_to(server, url, "/");
	struct server *gone = server_new(say_arg);

	(void)state;
	snprintf(dead, sizeof(dead), "http://127.0.0.1:%d", gone->port);
	server_free(gone);
	setenv("http_proxy", dead, 1);
	server->arg = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	run(http, &request, &got);
	assert_int_equal(got.result.outcome, HTTP_ANSWERED);
	unsetenv("http_proxy");
	http_free(http);
	server_free(server);
}

static void test_header_injection(void **state)
{
	const struct http_header headers[] = { { "A", "b\r\nX-Forwarded-For: 1.2.3.4" } };
	struct http *http = http_new();
	struct got got = { 0 };
	struct http_request request = {
		.method = "GET",
		.url = "http://127.0.0.1:1/",
		.headers = headers,
		.header_count = 1,
	};

	(void)state;
	assert_null(http_start(http, &request, on_done, &got));
	http_free(http);
}

/* A callback cancels another call, and the other's callback is never called. */
struct pair {
	struct http *http;
	struct http_call *other;
	int calls;
};

static void on_first(void *arg, const struct http_result *result)
{
	struct pair *pair = arg;

	(void)result;
	pair->calls++;
	http_cancel(pair->http, pair->other);
	pair->other = NULL;
}

static void on_never(void *arg, const struct http_result *result)
{
	(void)arg;
	(void)result;
	fail();
}

static void test_cancel(void **state)
{
	struct server *server = server_new(hang), *quick = server_new(say_arg);
	struct pair pair = { .http = http_new() };
	char url[128], quick_url[128];
	struct http_request request = request_to(server, url, "/");
	struct http_request quick_request = request_to(quick, quick_url, "/");

	(void)state;
	quick->arg = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	pair.other = http_start(pair.http, &request, on_never, NULL);
	assert_non_null(pair.other);
	assert_non_null(http_start(pair.http, &quick_request, on_first, &pair));
	while (pair.calls == 0)
		http_wait(pair.http, NULL, 0, 1000);
	assert_null(pair.other);
	http_cancel(pair.http, NULL);
	http_free(pair.http);
	server_free(server);
	server_free(quick);
}

static void test_descriptor(void **state)
{
	struct http *http = http_new();
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	struct pollfd fds[] = { { .fd = pair[0], .events = POLLIN } };

	assert_false(http_wait(http, fds, 1, 0));
	assert_int_equal(send(pair[1], "x", 1, 0), 1);
	assert_true(http_wait(http, fds, 1, 10000));
	char byte;
	assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
	assert_false(http_wait(http, fds, 1, 0));
	close(pair[1]);
	assert_true(http_wait(http, fds, 1, 10000));
	close(pair[0]);
	http_free(http);
}

static void test_no_redirect(void **state)
{
	struct server *server = server_new(say_arg);
	struct http *http = http_new();
	struct got got = { 0 };
	char url[128];
	struct http_request request = request_to(server, url, "/");

	(void)state;
	server->arg = "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n";
	run(http, &request, &got);
	assert_int_equal(got.result.status, 302);
	assert_int_equal(server->requests, 1);
	http_free(http);
	server_free(server);
}

static void test_broken(void **state)
{
	static const char *const answers[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"\x00\x01\x02",
		"",
	};
	struct server *server = server_new(say_arg_and_close);
	struct http *http = http_new();
	char url[128];
	struct http_request request = request_to(server, url, "/");

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct got got = { 0 };

		server->arg = (void *)answers[i];
		run(http, &request, &got);
		assert_int_equal(got.result.outcome, HTTP_BROKEN);
		assert_string_equal(got.body, "");
		assert_int_equal(got.result.status, 0);
		assert_string_not_equal(got.result.why, "");
	}
	http_free(http);
	server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_redirect),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_answer_and_headers),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_tls),
		cmocka_unit_test(test_only_http),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_header_injection),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
