/* Literal addresses, endpoints and networks. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net.h"

static void endpoints(void **state)
{
	static const struct {
		const char *text, *back;
	} good[] = {
		{ "0.0.0.0:8099", "0.0.0.0:8099" },
		{ "[::1]:80", "[::1]:80" },
		{ "[::]:8099", "[::]:8099" },
		{ "[::ffff:10.0.0.1]:1", "10.0.0.1:1" },
	};
	static const char *const bad[] = { "",         ":80",          "1.2.3.4",
		                           "1.2.3.4:", "1.2.3.4:0",    "1.2.3.4:65536",
		                           "::1:80",   "[1.2.3.4]:80", "[::1]80",
		                           "host:80",  "1.2.3.4:80 ",  "[::1:80" };
	struct net_endpoint endpoint;
	char text[NET_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(net_endpoint_parse(good[i].text, &endpoint));
		assert_string_equal(net_endpoint_text(&endpoint, text, sizeof text), good[i].back);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(net_endpoint_parse(bad[i], &endpoint));
}

static bool holds(const char *networks, const char *address)
{
	struct net_list list;
	struct net_addr addr;

	assert_true(net_list_parse(networks, &list));
	assert_true(net_addr_parse(address, &addr));
	return net_list_has(&list, &addr);
}

static void networks(void **state)
{
	struct net_list list = { .count = 3 };

	(void)state;
	assert_true(holds("10.16.0.0/16", "10.16.255.1"));
	assert_false(holds("10.16.0.0/16", "10.17.0.1"));
	assert_true(holds("10.16.0.0/17 192.0.2.1", "192.0.2.1"));
	assert_false(holds("10.16.0.0/17", "10.16.128.0"));
	assert_true(holds("0.0.0.0/0", "8.8.8.8"));
	assert_false(holds("0.0.0.0/0", "::1"));
	assert_true(holds("fd00::/8, ::1", "fd12::3"));
	assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_false(holds("", "127.0.0.1"));
	assert_false(net_list_parse("10.16.0.1/16", &list));
	assert_false(net_list_parse("10.16.0.0/33", &list));
	assert_false(net_list_parse("10.16.0.0/", &list));
	assert_false(net_list_parse("example", &list));
	assert_false(net_list_parse("1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
	                            "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
	                            "1.1.1.1 1.1.1.1 1.1.1.1",
	                            &list));
	assert_int_equal(list.count, 3);
}

static void loopback(void **state)
{
	struct net_addr addr;

	(void)state;
	assert_true(net_addr_parse("127.8.8.8", &addr) && net_addr_is_loopback(&addr));
	assert_true(net_addr_parse("::1", &addr) && net_addr_is_loopback(&addr));
	assert_true(net_addr_parse("::ffff:127.0.0.1", &addr) && net_addr_is_loopback(&addr));
	assert_true(net_addr_parse("10.0.0.1", &addr) && !net_addr_is_loopback(&addr));
	assert_true(net_addr_parse("::", &addr) && !net_addr_is_loopback(&addr));
}

static void sockaddr_and_back(void **state)
{
	static const char *const table[] = { "10.16.3.5:8099", "[fd00:ec2::254]:80" };
	struct net_endpoint endpoint;
	struct sockaddr_storage ss;
	struct net_addr back;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_true(net_endpoint_parse(table[i], &endpoint));
		assert_true(net_endpoint_sockaddr(&endpoint, &ss) > 0);
		net_addr_from_sockaddr((struct sockaddr *)&ss, &back);
		assert_true(net_addr_equal(&endpoint.addr, &back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints),
		cmocka_unit_test(networks),
		cmocka_unit_test(loopback),
		cmocka_unit_test(sockaddr_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
