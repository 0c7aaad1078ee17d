/* The URLs that an http check accepts, and their parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "url.h"

struct good {
	const char *url, *override, *address, *host, *resource;
	uint16_t port;
};

static const struct good good[] = {
	{ "http://127.0.0.1/healthz", "", "127.0.0.1", "127.0.0.1", "/healthz", 80 },
	{ "http://127.0.0.1", "", "127.0.0.1", "127.0.0.1", "/", 80 },
	{ "http://127.0.0.1:80/", "", "127.0.0.1", "127.0.0.1", "/", 80 },
	{ "HTTP://127.0.0.1:8080/a/b?c=d&e", "", "127.0.0.1", "127.0.0.1:8080", "/a/b?c=d&e",
	  8080 },
	{ "http://10.0.0.1?x", "", "10.0.0.1", "10.0.0.1", "/?x", 80 },
	{ "http://localhost:81/x#here", "", "127.0.0.1", "localhost:81", "/x", 81 },
	{ "http://[::1]:8080/", "", "::1", "[::1]:8080", "/", 8080 },
	{ "http://[fd00:ec2::254]/", "", "fd00:ec2::254", "[fd00:ec2::254]", "/", 80 },
	{ "http://127.0.0.1/%C3%A9/~a;b=(c)?d?/@:", "", "127.0.0.1", "127.0.0.1",
	  "/%C3%A9/~a;b=(c)?d?/@:", 80 },
	{ "http://LocalHost/", "", "127.0.0.1", "localhost", "/", 80 },
	{ "http://127.0.0.1:8080/", "www.example.com", "127.0.0.1", "www.example.com", "/", 8080 },
};

static const char *const bad[] = {
	"",
	"/",
	"127.0.0.1",
	"127.0.0.1/x",
	"https://127.0.0.1/",
	"ftp://127.0.0.1/",
	"http://",
	"http:///x",
	"http://example.com/",
	"http://localhost.example/",
	"http://user@127.0.0.1/",
	"http://user:word@127.0.0.1/",
	"http://127.0.0.1:0/",
	"http://127.0.0.1:65536/",
	"http://127.0.0.1:x/",
	"http://256.0.0.1/",
	"http://[::1/",
	"http://[::g]/",
	"http://[]/",
	"http://127.0.0.1/a b",
	"http://127.0.0.1/\r\nX: y",
	"http://127.0.0.1\r\n/",
	"http://127.1/",
	"http://0x7f000001/",
	"http://127.000.000.001/",
	"http://127.0.0.1:/",
	"http://127.0.0.1:99999/",
	"http://localhost.localdomain/",
	"http://127.0.0.1/%4",
	"http://127.0.0.1/%zz",
	"http://127.0.0.1/\xc3\xa9",
};

static void takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct url_target target;
		const char *why = NULL;

		if (url_target_parse(good[i].url, good[i].override, &target, &why) != 0)
			fail_msg("%s: %s", good[i].url, why);
		assert_string_equal(target.address, good[i].address);
		assert_string_equal(target.host, good[i].host);
		assert_string_equal(target.resource, good[i].resource);
		assert_int_equal(target.endpoint.port, good[i].port);
	}
}

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct url_target target = { .host = "untouched" };
		const char *why = NULL;

		if (url_target_parse(bad[i], "", &target, &why) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(why);
		assert_string_equal(target.host, "untouched");
	}
}

static void refuses_header_injection(void **state)
{
	struct url_target target;
	const char *why;

	(void)state;
	assert_int_equal(url_target_parse("http://127.0.0.1/", "a\r\nX: y", &target, &why), -22);
	assert_int_equal(url_target_parse("http://127.0.0.1/", "a b", &target, &why), -22);
	assert_int_equal(url_target_parse("http://127.0.0.1/", "a.b", &target, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_header_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
