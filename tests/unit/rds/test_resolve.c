/*
 * Resolving the endpoint's name, with a true and a false name server in a network of the
 * test's own. It is at 127.0.0.2: a library that ignores resolv.conf asks 127.0.0.1.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../own_net.h"
#include "clock.h"
#include "name_server.h"
#include "rds.h"
#include "str.h"

#define NAME "db.rds.test"
#define ADDR 0x0a100689u /* 10.16.6.137 */

enum {
	GOOD = 0x8180,
	NXDOMAIN = GOOD | 3,
	A = 1,
	AAAA = 28,
	PATIENCE_MS = 3000, /* where there is an answer, for a busy machine */
	SHORT_MS = 300,     /* where there is none */
};

static char resolv_conf[] = "/tmp/wna-resolv-XXXXXX";
static struct conf_rds conf = { .endpoint = NAME };
static struct name_server server = { .name = "\2db\3rds\4test" };
static bool ready;

static struct resolver resolver;
static struct rds_answer answer;
static char why[LIMIT_FACT_WHY];

static void write_resolv_conf(const char *text)
{
	int fd = open(resolv_conf, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int group_setup(void **state)
{
	int fd = mkstemp(resolv_conf);

	(void)state;
	close(fd);
	ready = own_net() && mount(resolv_conf, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
	if (!ready)
		return 0; /* each test skips itself */
	str_copy(conf.resolv_conf, sizeof conf.resolv_conf, resolv_conf);
	name_server_start(&server);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	if (ready)
		name_server_end(&server);
	unlink(resolv_conf);
	return 0;
}

/* The server has no address of either family until the test gives it one. */
static int setup(void **state)
{
	(void)state;
	if (!ready)
		return 0;
	packet_head(&server.a, GOOD, 0, NAME, A);
	packet_head(&server.aaaa, GOOD, 0, NAME, AAAA);
	server.questions = server.strays = 0;
	conf.dns_timeout_ms = PATIENCE_MS;
	write_resolv_conf("nameserver 127.0.0.2\nsearch wrong.test\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (ready)
		resolver_close(&resolver);
	return 0;
}

static bool ask(void)
{
	memset(&answer, 0, sizeof answer);
	return resolver_ask(&resolver, &conf, &answer, why, sizeof why);
}

static void assert_fails(const char *expected)
{
	assert_false(ask());
	assert_non_null(strstr(why, expected));
}

static void give_a(uint32_t ttl_s, uint32_t addr)
{
	packet_head(&server.a, GOOD, 1, NAME, A);
	packet_a(&server.a, NAME, ttl_s, addr);
}

static void give_aaaa(const char *text)
{
	packet_head(&server.aaaa, GOOD, 1, NAME, AAAA);
	packet_pointer(&server.aaaa, 12);
	packet_record(&server.aaaa, AAAA, 1, 5, 16);
	inet_pton(AF_INET6, text, server.aaaa.data + server.aaaa.len);
	server.aaaa.len += 16;
}

static void assert_addresses(const char *expected)
{
	char text[256];

	assert_string_equal(answer_text(&answer, text, sizeof text), expected);
}

static void the_server_of_resolv_conf_is_asked(void **state)
{
	(void)state;
	if (!ready)
		skip();
	give_a(5, ADDR);
	assert_true(ask());
	assert_addresses("10.16.6.137");
	assert_int_equal(answer.ttl_s, 5);
	assert_string_equal(answer.name, NAME);
	assert_int_equal(answer.unknown, 0);
	assert_string_equal(why, "");
	/* Asked each time: no answer is kept. */
	give_a(5, ADDR + 1);
	assert_true(ask());
	assert_addresses("10.16.6.138");
	assert_int_equal(server.questions, 4);
}

static void another_resolv_conf_counts_at_once(void **state)
{
	(void)state;
	if (!ready)
		skip();
	give_a(5, ADDR);
	conf.dns_timeout_ms = SHORT_MS;
	write_resolv_conf("nameserver 127.0.0.3\n");
	assert_fails("no name server answered");
	conf.dns_timeout_ms = PATIENCE_MS;
	write_resolv_conf("nameserver 127.0.0.2\n");
	assert_true(ask());
	/* The second server is asked before the time is over. */
	write_resolv_conf("nameserver 127.0.0.3\nnameserver 127.0.0.2\n");
	assert_true(ask());
}

static void a_name_that_does_not_exist_is_not_searched(void **state)
{
	(void)state;
	if (!ready)
		skip();
	packet_head(&server.a, NXDOMAIN, 0, NAME, A);
	packet_head(&server.aaaa, NXDOMAIN, 0, NAME, AAAA);
	assert_fails("NXDOMAIN");
	assert_int_equal(server.questions, 2);
	assert_int_equal(server.strays, 0);
}

static void a_name_without_addresses(void **state)
{
	(void)state;
	if (!ready)
		skip();
	assert_fails("the name has no address");
	/* an alias that leads to none, and one that leads to itself */
	packet_head(&server.a, GOOD, 1, NAME, A);
	packet_cname(&server.a, NAME, 30, "b.rds.test");
	assert_fails("the name has no address");
	packet_head(&server.a, GOOD, 1, NAME, A);
	packet_cname(&server.a, NAME, 30, NAME);
	assert_fails("the name has no address");
}

static void the_smallest_ttl_along_the_aliases_counts(void **state)
{
	(void)state;
	if (!ready)
		skip();
	packet_head(&server.a, GOOD, 4, NAME, A);
	packet_cname(&server.a, NAME, 30, "b.rds.test");
	packet_cname(&server.a, "b.rds.test", 3, "c.rds.test");
	packet_a(&server.a, "c.rds.test", 60, ADDR);
	packet_a(&server.a, "c.rds.test", 60, ADDR + 1);
	assert_true(ask());
	assert_addresses("10.16.6.137,10.16.6.138");
	assert_int_equal(answer.ttl_s, 3);
	assert_string_equal(answer.name, "c.rds.test");
	/* A TTL of more than 31 bits is 0 (RFC 2181, section 8) or, from c-ares
	 * 1.22 on, the largest of 31 bits. */
	give_a(0x80000001u, ADDR);
	assert_true(ask());
	assert_true(answer.ttl_s == 0 || answer.ttl_s == INT32_MAX);
}

static void the_first_name_of_rds_is_the_one_that_it_has_given(void **state)
{
	static const char given[] = "Web.C9akciq32.eu-west-1.rds.amazonaws.com";
	static const char behind[] = "instance.C9akciq32.eu-west-1.rds.amazonaws.com";

	(void)state;
	if (!ready)
		skip();
	give_a(5, ADDR);
	assert_true(ask());
	assert_string_equal(answer.given, NAME);
	packet_head(&server.a, GOOD, 4, NAME, A);
	packet_cname(&server.a, NAME, 30, "b.rds.test");
	packet_cname(&server.a, "b.rds.test", 30, given);
	packet_cname(&server.a, given, 30, behind);
	packet_a(&server.a, behind, 60, ADDR);
	assert_true(ask());
	assert_string_equal(answer.name, behind);
	assert_string_equal(answer.given, "web.c9akciq32.eu-west-1.rds.amazonaws.com");
}

static void both_families(void **state)
{
	(void)state;
	if (!ready)
		skip();
	give_a(9, ADDR);
	give_aaaa("2001:db8::5");
	assert_true(ask());
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.ttl_s, 5);
	give_a(2, ADDR);
	assert_true(ask());
	assert_int_equal(answer.ttl_s, 2);
}

static void one_family_without_an_answer(void **state)
{
	(void)state;
	if (!ready)
		skip();
	give_a(5, ADDR);
	server.aaaa.len = 0;
	assert_true(ask());
	assert_addresses("10.16.6.137");
	assert_int_equal(answer.unknown, AF_INET6);
	assert_memory_equal(why, "IPv6: ", 6);
	give_aaaa("2001:db8::5");
	give_a(5, 0);
	assert_true(ask());
	assert_addresses("2001:db8::5");
	assert_int_equal(answer.unknown, AF_INET);
	assert_memory_equal(why, "IPv4: ", 6);
}

static void failures_of_the_server(void **state)
{
	(void)state;
	if (!ready)
		skip();
	for (unsigned code = 2; code <= 5; code += 3) { /* SERVFAIL, REFUSED */
		packet_head(&server.a, GOOD | code, 0, NAME, A);
		packet_head(&server.aaaa, GOOD | code, 0, NAME, AAAA);
		assert_fails("refused");
	}
}

static void impossible_addresses(void **state)
{
	static const uint32_t bad[] = { 0, 0xffffffff, 0xe0000001, 0x00000001 };
	static const char *const bad6[] = { "::", "ff02::1" };

	(void)state;
	if (!ready)
		skip();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		give_a(5, bad[i]);
		assert_fails("impossible address");
	}
	for (size_t i = 0; i < sizeof bad6 / sizeof bad6[0]; i++) {
		give_aaaa(bad6[i]);
		assert_fails("impossible address");
	}
	packet_head(&server.aaaa, GOOD, 0, NAME, AAAA);
	give_a(5, 0x7f000001);
	assert_true(ask());
}

static void too_many_addresses(void **state)
{
	(void)state;
	if (!ready)
		skip();
	for (unsigned n = RDS_ADDRESSES; n <= RDS_ADDRESSES + 1; n++) {
		packet_head(&server.a, GOOD, n + 1, NAME, A);
		for (unsigned i = 0; i <= n; i++) {
			packet_pointer(&server.a, 12);
			packet_record(&server.a, A, 1, 5, 4);
			packet_u32(&server.a, ADDR + i % n); /* one is said twice */
		}
		if (n == RDS_ADDRESSES)
			assert_true(ask());
		else
			assert_fails("too many addresses");
	}
}

static void answers_that_are_none(void **state)
{
	(void)state;
	if (!ready)
		skip();
	conf.dns_timeout_ms = SHORT_MS;
	server.aaaa.len = 0;
	give_a(5, ADDR);
	server.a.data[0] = 0xff; /* another question's number */
	assert_false(ask());
	packet_head(&server.a, GOOD, 1, "other.test", A);
	packet_a(&server.a, "other.test", 5, ADDR);
	assert_false(ask());
	give_a(5, ADDR);
	server.a.len -= 2; /* cut */
	assert_false(ask());
	packet_head(&server.a, GOOD, 1, NAME, A);
	packet_pointer(&server.a, (unsigned)server.a.len); /* to itself */
	packet_record(&server.a, A, 1, 5, 4);
	packet_u32(&server.a, ADDR);
	assert_false(ask());
	/* and a good answer, to compare */
	conf.dns_timeout_ms = PATIENCE_MS;
	write_resolv_conf("nameserver 127.0.0.2\n");
	give_a(5, ADDR);
	assert_true(ask());
}

static void what_is_too_long_comes_over_tcp(void **state)
{
	(void)state;
	if (!ready)
		skip();
	packet_head(&server.a, GOOD | 0x0200, 0, NAME, A);
	packet_head(&server.over_tcp, GOOD, 1, NAME, A);
	packet_a(&server.over_tcp, NAME, 5, ADDR);
	assert_true(ask());
	assert_addresses("10.16.6.137");
}

/* The client library connects to the addresses that were found, whatever the name means now. */
static void the_connector_does_not_resolve(void **state)
{
	struct session session = { 0 };
	struct rds_answer found = { .count = 2 };
	struct rds_sample sample;
	struct net_addr peer;
	char password[] = "/tmp/wna-password-XXXXXX";
	struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t size = sizeof local;
	int fd, listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (!ready || bind(listener, (struct sockaddr *)&local, size) < 0) {
		close(listener);
		skip();
	}
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&local, &size);
	fd = mkstemp(password);
	assert_int_equal(write(fd, "x\n", 2), 2);
	close(fd);
	assert_int_equal(deadline_init(), 0);
	str_copy(conf.password_file, sizeof conf.password_file, password);
	conf.timeout_ms = SHORT_MS;
	conf.port = ntohs(local.sin6_port);
	net_addr_parse("127.0.0.4", &found.addr[0]); /* nothing listens there */
	net_addr_parse("::1", &found.addr[1]);       /* a silent server */
	assert_false(session_open(&session, &conf, &found, &sample, &peer));
	assert_int_equal(sample.trouble, TROUBLE_STALLED);
	close(listener);
	assert_false(session_open(&session, &conf, &found, &sample, &peer));
	assert_int_equal(sample.trouble, TROUBLE_NETWORK);
	assert_int_equal(server.questions, 0);
	unlink(password);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_server_of_resolv_conf_is_asked),
		TEST(another_resolv_conf_counts_at_once),
		TEST(a_name_that_does_not_exist_is_not_searched),
		TEST(a_name_without_addresses),
		TEST(the_smallest_ttl_along_the_aliases_counts),
		TEST(the_first_name_of_rds_is_the_one_that_it_has_given),
		TEST(both_families),
		TEST(one_family_without_an_answer),
		TEST(failures_of_the_server),
		TEST(impossible_addresses),
		TEST(too_many_addresses),
		TEST(answers_that_are_none),
		TEST(what_is_too_long_comes_over_tcp),
		TEST(the_connector_does_not_resolve),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
