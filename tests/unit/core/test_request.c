/* Requests whole and at every split point, good and bad, with their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core_serve.h"
#include "limits.h"

static struct request request;
static size_t used;

static enum request_state parse(const char *text)
{
	request_init(&request);
	used = 0;
	return request_parse(&request, text, strlen(text), LIMIT_HTTP_REQUEST, &used);
}

/* The result is the same for the whole text, byte by byte, and in any two pieces. */
static void expect_everywhere(const char *text, enum request_state want, enum page_id page)
{
	size_t len = strlen(text), whole_used;
	struct request whole;

	assert_int_equal(parse(text), want);
	assert_int_equal(request_page(&request, want), page);
	whole = request;
	whole_used = used;
	for (size_t at = 0; at < len; at++) {
		enum request_state state;

		request_init(&request);
		used = 0;
		state = request_parse(&request, text, at, LIMIT_HTTP_REQUEST, &used);
		if (state == REQUEST_MORE)
			state = request_parse(&request, text, len, LIMIT_HTTP_REQUEST, &used);
		assert_int_equal(state, want);
		assert_int_equal(used, whole_used);
		assert_memory_equal(&request, &whole, sizeof whole);
	}
	request_init(&request);
	for (size_t at = 1; at <= len; at++) {
		enum request_state state =
		        request_parse(&request, text, at, LIMIT_HTTP_REQUEST, &used);

		if (state != REQUEST_MORE || at == len) {
			assert_int_equal(state, want);
			break;
		}
	}
}

static void the_load_balancer(void **state)
{
	(void)state;
	expect_everywhere("GET /healthz HTTP/1.1\r\nHost: 10.16.3.7:8099\r\nConnection: close\r\n"
	                  "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, "
	                  "compressed\r\n\r\n",
	                  REQUEST_DONE, PAGE_HEALTHZ);
	assert_true(request.close);
	assert_false(request.head);
	assert_false(request.forwarded);
}

static void routes(void **state)
{
	(void)state;
	expect_everywhere("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_LIVEZ);
	expect_everywhere("GET /readyz?verbose HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE,
	                  PAGE_READYZ);
	expect_everywhere("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_HEALTHZ);
	assert_true(request.head);
	expect_everywhere("GET /status HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_MAX);
	assert_int_equal(request.route, ROUTE_STATUS);
	expect_everywhere("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_MAX);
	assert_int_equal(request.route, ROUTE_PAGE);
	expect_everywhere("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_MAX);
	assert_int_equal(request.route, ROUTE_METRICS);
	expect_everywhere("POST / HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_METHOD);
	expect_everywhere("GET // HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_NOT_FOUND);
	expect_everywhere("GET /healthz/ HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE,
	                  PAGE_NOT_FOUND);
	expect_everywhere("GET /Healthz HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_NOT_FOUND);
	expect_everywhere("GET http://a:8099/healthz HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE,
	                  PAGE_HEALTHZ);
	expect_everywhere("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_NOT_FOUND);
}

static void connections_are_kept_or_closed(void **state)
{
	(void)state;
	assert_int_equal(parse("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), REQUEST_DONE);
	assert_false(request.close);
	assert_int_equal(parse("GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Foo , CLOSE\r\n\r\n"),
	                 REQUEST_DONE);
	assert_true(request.close);
	assert_int_equal(parse("GET /livez HTTP/1.0\r\n\r\n"), REQUEST_DONE);
	assert_true(request.close);
	assert_int_equal(parse("GET /livez HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
	                 REQUEST_DONE);
	assert_false(request.close);
	assert_int_equal(parse("GET /livez HTTP/1.9\r\nHost: a\r\n\r\n"), REQUEST_DONE);
	assert_false(request.close);
}

static void bodies_end_the_connection(void **state)
{
	(void)state;
	expect_everywhere("GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
	                  REQUEST_DONE, PAGE_LIVEZ);
	assert_true(request.close && request.body);
	expect_everywhere("GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	                  REQUEST_DONE, PAGE_LIVEZ);
	assert_true(request.close && request.body);
	expect_everywhere("GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	                  REQUEST_DONE, PAGE_LIVEZ);
	assert_false(request.close || request.body);
	expect_everywhere("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
	                  REQUEST_DONE, PAGE_METHOD);
	assert_true(request.close);
	expect_everywhere("DELETE /status HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE, PAGE_METHOD);
	assert_false(request.close);
}

static void proxies_are_noticed(void **state)
{
	(void)state;
	assert_int_equal(parse("GET /status HTTP/1.1\r\nHost: a\r\nX-FORWARDED-FOR: b\r\n\r\n"),
	                 REQUEST_DONE);
	assert_true(request.forwarded);
	assert_int_equal(parse("GET /status HTTP/1.1\r\nHost: a\r\nForwarded:\r\n\r\n"),
	                 REQUEST_DONE);
	assert_true(request.forwarded);
	assert_int_equal(parse("GET /status HTTP/1.1\r\nvia: 1.1 b\r\nHost: a\r\n\r\n"),
	                 REQUEST_DONE);
	assert_true(request.forwarded);
	assert_int_equal(parse("GET /status HTTP/1.1\r\nHost: via\r\nX-Via: 1\r\n\r\n"),
	                 REQUEST_DONE);
	assert_false(request.forwarded);
}

static void bad_requests(void **state)
{
	static const char *const bad[] = {
		"GET\r\n",
		"GET /\r\n",
		"GET  / HTTP/1.1\r\n",
		"GET / HTTP/1.1 \r\n",
		" GET / HTTP/1.1\r\n",
		"G@T / HTTP/1.1\r\n",
		"GET / http/1.1\r\n",
		"GET / HTTP/1.x\r\n",
		"GET / HTTP/11.1\r\n",
		"GET /\x01 HTTP/1.1\r\n",
		"GET /\x7f HTTP/1.1\r\n",
		"GET /a\rb HTTP/1.1\r\n",
		"GET /a\tb HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n",
		"GET / HTTP/1.1\r\n: empty\r\n",
		"GET / HTTP/1.1\r\nX: a\r\n folded\r\n",
		"GET / HTTP/1.1\r\nX: \x01\r\n",
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n",
		"GET / HTTP/1.1\r\nContent-Length:\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 7\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 0\r\n",
		"GET / HTTP/1.1\r\nNo-Host: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		expect_everywhere(bad[i], REQUEST_BAD, PAGE_BAD);
	expect_everywhere("PRI * HTTP/2.0\r\n", REQUEST_BAD, PAGE_VERSION);
	expect_everywhere("GET / HTTP/0.9\r\n", REQUEST_BAD, PAGE_VERSION);
}

static void nul_bytes_are_refused(void **state)
{
	static const char text[] = "GET /livez HTTP/1.1\r\nHo\0st: a\r\n\r\n";

	(void)state;
	request_init(&request);
	assert_int_equal(request_parse(&request, text, sizeof text - 1, LIMIT_HTTP_REQUEST, &used),
	                 REQUEST_BAD);
}

static void lenient_where_the_rfc_says_so(void **state)
{
	(void)state;
	expect_everywhere("\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_DONE,
	                  PAGE_LIVEZ);
	expect_everywhere("GET /livez HTTP/1.1\nHost: a\n\n", REQUEST_DONE, PAGE_LIVEZ);
}

static void limits(void **state)
{
	static char text[LIMIT_HTTP_REQUEST + 1];
	int n;

	(void)state;
	/* A request line that never ends. */
	memset(text, 'a', LIMIT_HTTP_REQUEST);
	memcpy(text, "GET /", 5);
	expect_everywhere(text, REQUEST_BAD, PAGE_URI);
	/* Headers that never end. */
	memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
	expect_everywhere(text, REQUEST_BAD, PAGE_HEADERS);
	/* One byte less than the limit is not complete, exactly the limit is. */
	n = snprintf(text, sizeof text, "GET /livez HTTP/1.1\r\nHost: ");
	memset(text + n, 'a', (size_t)(LIMIT_HTTP_REQUEST - n - 4));
	memcpy(text + LIMIT_HTTP_REQUEST - 4, "\r\n\r\n", 5);
	expect_everywhere(text, REQUEST_DONE, PAGE_LIVEZ);
	request_init(&request);
	assert_int_equal(
	        request_parse(&request, text, LIMIT_HTTP_REQUEST - 1, LIMIT_HTTP_REQUEST, &used),
	        REQUEST_MORE);
}

static void pipelined_requests_end_where_they_end(void **state)
{
	static const char first[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
	char text[256];

	(void)state;
	snprintf(text, sizeof text, "%sGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", first);
	assert_int_equal(parse(text), REQUEST_DONE);
	assert_int_equal(used, strlen(first));
	assert_int_equal(parse(text + used), REQUEST_DONE);
	assert_int_equal(request.route, ROUTE_READYZ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_load_balancer),
		cmocka_unit_test(routes),
		cmocka_unit_test(connections_are_kept_or_closed),
		cmocka_unit_test(bodies_end_the_connection),
		cmocka_unit_test(proxies_are_noticed),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(lenient_where_the_rfc_says_so),
		cmocka_unit_test(limits),
		cmocka_unit_test(pipelined_requests_end_where_they_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
