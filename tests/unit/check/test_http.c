/* http checks against good and bad servers, on loopback. */
#include "running.h"

/* One http check against a server of this kind. */
static void against(struct server *server, int64_t timeout_ms)
{
	struct conf_check conf;

	server_start(server, base, AF_INET);
	conf = http(server->port, timeout_ms);
	run_conf(&conf);
	server_stop(server);
}

static void http_good(void **state)
{
	struct server server = { .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" };

	(void)state;
	against(&server, LONG_MS);
	expect_good("status 200");
	assert_non_null(strstr(server.request, "GET /health?x=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(server.request, "Connection: close\r\n"));
	assert_non_null(strstr(server.request, "User-Agent: web-node-agent/" WNA_VERSION "\r\n"));
	assert_non_null(strstr(server.request, "Host: 127.0.0.1:"));
	assert_null(strstr(strstr(server.request, "Host:") + 1, "Host:"));
}

static void http_good_forms(void **state)
{
	static const struct {
		const char *answer, *text;
		enum server_way way;
	} forms[] = {
		{ "HTTP/1.0 200 OK\r\n\r\nuntil the end", "status 200", SERVER_ANSWER },
		{ "HTTP/1.1 204 No Content\r\n\r\n", "status 204", SERVER_KEEP },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "status 200", SERVER_KEEP },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "status 200", SERVER_KEEP },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		  "status 200", SERVER_KEEP },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		  "status 200", SERVER_KEEP },
		/* A redirect is good, and is not followed. */
		{ "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
		  "status 302", SERVER_KEEP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct server server = { .text = forms[i].answer, .way = forms[i].way };

		against(&server, LONG_MS);
		expect_good(forms[i].text);
		assert_int_equal(server.accepted, 1);
	}
}

static void http_host_and_family(void **state)
{
	struct server server = { .text = "HTTP/1.1 200 OK\r\n\r\n" };
	struct conf_check conf;

	(void)state;
	server_start(&server, base, AF_INET6);
	conf = http(server.port, LONG_MS);
	snprintf(conf.url, sizeof conf.url, "http://[::1]:%u/", server.port);
	snprintf(conf.host, sizeof conf.host, "www.example.com");
	run_conf(&conf);
	server_stop(&server);
	expect_good("status 200");
	assert_non_null(strstr(server.request, "\r\nHost: www.example.com\r\n"));
}

static void http_wrong_status(void **state)
{
	struct server server = { .text = "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n",
		                 .way = SERVER_KEEP };

	(void)state;
	against(&server, LONG_MS); /* its body never comes, and is not waited for */
	expect_bad(EPROTO, "500, wanted 200-399");
}

static void http_timeouts(void **state)
{
	static const struct {
		enum server_way way;
		const char *text, *more, *why;
	} forms[] = {
		{ SERVER_SILENT, NULL, NULL, "no answer within 0.06 s" },
		{ SERVER_KEEP, "HTTP/1.1 20", NULL, "no answer within" },
		{ SERVER_KEEP, "HTTP/1.1 200 OK\r\nContent-Le", NULL, "no answer within" },
		{ SERVER_KEEP, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", NULL,
		  "answer not complete within" },
		{ SERVER_KEEP, "HTTP/1.1 200 OK\r\n\r\nhalf", NULL, "answer not complete within" },
		{ SERVER_ENDLESS, "", "HTTP/1.1 100 Continue\r\n\r\n", "within" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct server server = { .way = forms[i].way,
			                 .text = forms[i].text,
			                 .more = forms[i].more };

		against(&server, SHORT_MS);
		assert_int_equal(result.value, -ETIMEDOUT);
		if (i > 0)
			expect_bad(ETIMEDOUT, forms[i].why);
	}
}

static void http_garbage(void **state)
{
	static const struct {
		const char *text;
		int error;
	} forms[] = {
		{ "SSH-2.0-OpenSSH_9.2\r\n\r\n", EPROTO },
		{ "\r\n\r\n", EPROTO },
		{ "HTTP/1.1\r\n\r\n", EPROTO },
		{ "HTTP/9.9 200 OK\r\n\r\n", EPROTO },
		{ "HTTP/1.1 OK 200\r\n\r\n", EPROTO },
		{ "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", EPROTO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", EPROTO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: banana\r\n\r\n", EPROTO },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", EMSGSIZE },
		{ "<html>\r\n", EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct server server = { .text = forms[i].text };

		against(&server, LONG_MS);
		if (result.value != -forms[i].error)
			fail_msg("%s: %lld %s", forms[i].text, (long long)result.value,
			         result.text);
		assert_string_not_equal(result.text, "");
	}
}

static void http_cut_short(void **state)
{
	struct server half = { .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf" };
	struct server none = { .text = "" };
	struct server reset = { .way = SERVER_RESET };

	(void)state;
	against(&half, LONG_MS);
	expect_bad(EPROTO, "connection closed before the end of the answer");
	none.way = SERVER_ANSWER;
	none.text = "HTTP/1.1 200";
	against(&none, LONG_MS);
	expect_bad(EPROTO, "connection closed without an answer");
	against(&reset, LONG_MS);
	expect_bad(ECONNRESET, "connection reset by peer");
}

static void http_bounded(void **state)
{
	struct server body = { .text = "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\nx",
		               .way = SERVER_KEEP };
	struct server headers = { .text = "HTTP/1.1 200 OK\r\n",
		                  .more = "X-Header: and on\r\n",
		                  .way = SERVER_ENDLESS };
	struct server line = { .text = "HTTP/1.1 200 ",
		               .more = "OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO",
		               .way = SERVER_ENDLESS };
	struct server chunks = { .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		                 .way = SERVER_ENDLESS };
	struct server stream = { .text = "HTTP/1.1 200 OK\r\n\r\n", .way = SERVER_ENDLESS };
	char *more = malloc(65536 + 32);
	int n;

	(void)state;
	against(&body, LONG_MS);
	expect_bad(EMSGSIZE, "body over 1024 KiB");
	against(&headers, LONG_MS);
	assert_true(result.value < 0 && result.value != -ETIMEDOUT);
	against(&line, LONG_MS);
	assert_true(result.value < 0 && result.value != -ETIMEDOUT);
	assert_non_null(more);
	n = sprintf(more, "%x\r\n", 65536 - 16);
	memset(more + n, 'x', 65536 - 16);
	memcpy(more + n + 65536 - 16, "\r\n", 3);
	chunks.more = more;
	against(&chunks, LONG_MS);
	expect_bad(EMSGSIZE, "body malformed or over 1024 KiB");
	stream.more = more;
	against(&stream, LONG_MS);
	expect_bad(EMSGSIZE, "body over 1024 KiB");
	free(more);
}

/* A body under the bound is read to its end and dropped as it comes. */
static void http_large_body_is_good(void **state)
{
	struct server server = { .way = SERVER_KEEP };
	size_t size = CHECK_BODY_MAX - 1;
	char *text = malloc(size + 128);
	int n;

	(void)state;
	assert_non_null(text);
	n = sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	memset(text + n, 'x', size);
	text[(size_t)n + size] = '\0';
	server.text = text;
	against(&server, LONG_MS);
	expect_good("status 200");
	free(text);
}

/* A port of loopback on which nothing listens. */
static uint16_t closed_port(void)
{
	struct server server = { .text = "" };

	server_start(&server, base, AF_INET);
	server_stop(&server);
	return server.port;
}

static void http_refused(void **state)
{
	struct conf_check conf = http(closed_port(), LONG_MS);

	(void)state;
	run_conf(&conf);
	expect_bad(ECONNREFUSED, "connection refused");
}

static void http_bad_url(void **state)
{
	struct conf_check conf = http(80, LONG_MS);

	(void)state;
	snprintf(conf.url, sizeof conf.url, "http://www.example.com/");
	run_conf(&conf);
	expect_bad(EINVAL, "url: the host must be an address or localhost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_good),
		cmocka_unit_test(http_good_forms),
		cmocka_unit_test(http_host_and_family),
		cmocka_unit_test(http_wrong_status),
		cmocka_unit_test(http_timeouts),
		cmocka_unit_test(http_garbage),
		cmocka_unit_test(http_cut_short),
		cmocka_unit_test(http_bounded),
		cmocka_unit_test(http_large_body_is_good),
		cmocka_unit_test(http_refused),
		cmocka_unit_test(http_bad_url),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
