/* DNS answers, honest and not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "dns_answer.h"
#include "packet.h"

#define NAME "db.rds.test"
#define ADDR 0x0a100689u /* 10.16.6.137 */

enum { GOOD = 0x8180 };

static struct packet p;
static struct dns_answer answer;

static int parse(const char *name, uint16_t type)
{
	memset(&answer, 0, sizeof answer);
	return dns_answer_parse(p.data, p.len, name, type, &answer);
}

static void assert_addr(int i, const char *expected)
{
	char text[NET_ADDR_TEXT];

	assert_string_equal(net_addr_text(&answer.addr[i], text, sizeof text), expected);
}

static void one_address(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.count, 1);
	assert_addr(0, "10.16.6.137");
	assert_int_equal(answer.ttl_s, 5);
	assert_int_equal(answer.links, 0);
	assert_string_equal(answer.name, NAME);
	/* case and a final dot do not matter */
	assert_int_equal(parse("DB.rds.Test.", DNS_TYPE_A), 0);
	assert_string_equal(answer.name, NAME);
}

static void compressed_and_all_addresses(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 3, NAME, DNS_TYPE_A);
	for (unsigned i = 0; i < 3; i++) {
		packet_pointer(&p, 12);
		packet_record(&p, DNS_TYPE_A, 1, 9 - i, 4);
		packet_u32(&p, ADDR + (i == 2 ? 1 : i)); /* the last one twice */
	}
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.count, 2);
	assert_addr(1, "10.16.6.138");
	assert_int_equal(answer.ttl_s, 7);
}

static void ipv6(void **state)
{
	static const uint8_t addr[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 5 };

	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_AAAA);
	packet_pointer(&p, 12);
	packet_record(&p, DNS_TYPE_AAAA, 1, 5, 16);
	memcpy(p.data + p.len, addr, 16);
	p.len += 16;
	assert_int_equal(parse(NAME, DNS_TYPE_AAAA), 0);
	assert_addr(0, "2001:db8::5");
}

static void chain_takes_smallest_ttl(void **state)
{
	(void)state;
	/* in any order */
	packet_head(&p, GOOD, 3, NAME, DNS_TYPE_A);
	packet_a(&p, "c.rds.test", 60, ADDR);
	packet_cname(&p, "b.rds.test", 3, "c.rds.test");
	packet_cname(&p, NAME, 30, "b.rds.test");
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl_s, 3);
	assert_int_equal(answer.links, 2);
	assert_string_equal(answer.name, "c.rds.test");
}

static void no_data(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 0, NAME, DNS_TYPE_AAAA);
	assert_int_equal(parse(NAME, DNS_TYPE_AAAA), 0);
	assert_int_equal(answer.count, 0);
	/* an alias whose target the server did not follow */
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_cname(&p, NAME, 30, "b.rds.test");
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.count, 0);
	assert_string_equal(answer.name, "b.rds.test");
}

static void response_codes(void **state)
{
	(void)state;
	packet_head(&p, GOOD | 3, 0, NAME, DNS_TYPE_A);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -ENOENT);
	packet_head(&p, GOOD | 2, 0, NAME, DNS_TYPE_A);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EREMOTEIO);
	packet_head(&p, GOOD | 5, 0, NAME, DNS_TYPE_A);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EREMOTEIO);
}

static void answers_to_something_else(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 1, "other.test", DNS_TYPE_A);
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_AAAA);
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	packet_head(&p, GOOD & 0x7fff, 1, NAME, DNS_TYPE_A); /* a question */
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	packet_head(&p, GOOD | 0x0200, 1, NAME, DNS_TYPE_A); /* truncated */
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
}

static void addresses_of_another_name(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_a(&p, "evil.test", 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	/* beside the right one it is passed over */
	packet_head(&p, GOOD, 2, NAME, DNS_TYPE_A);
	packet_a(&p, "evil.test", 1, ADDR + 9);
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl_s, 5);
	assert_addr(0, "10.16.6.137");
}

static void wrong_class_or_length(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_pointer(&p, 12);
	packet_record(&p, DNS_TYPE_A, 3, 5, 4); /* CHAOS */
	packet_u32(&p, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_pointer(&p, 12);
	packet_record(&p, DNS_TYPE_A, 1, 5, 5);
	packet_u32(&p, ADDR);
	packet_u16(&p, 0);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
}

static void other_types_are_passed_over(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 2, NAME, DNS_TYPE_A);
	packet_pointer(&p, 12);
	packet_record(&p, 46, 1, 1, 3); /* RRSIG */
	p.len += 3;
	packet_a(&p, NAME, 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.ttl_s, 5);
}

static void impossible_addresses(void **state)
{
	static const uint32_t bad[] = { 0, 0xffffffff, 0xe0000001, 0x00000001 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
		packet_a(&p, NAME, 5, bad[i]);
		assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	}
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_a(&p, NAME, 5, 0x7f000001);
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
}

static void loops(void **state)
{
	char from[32], to[32];

	(void)state;
	packet_head(&p, GOOD, 2, NAME, DNS_TYPE_A);
	packet_cname(&p, NAME, 5, "b.rds.test");
	packet_cname(&p, "b.rds.test", 5, NAME);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -ELOOP);

	for (int links = DNS_CHAIN; links <= DNS_CHAIN + 1; links++) {
		packet_head(&p, GOOD, (unsigned)links + 1, NAME, DNS_TYPE_A);
		for (int i = 0; i < links; i++) {
			snprintf(from, sizeof from, "n%d.test", i);
			snprintf(to, sizeof to, "n%d.test", i + 1);
			packet_cname(&p, i == 0 ? NAME : from, 5, to);
		}
		packet_a(&p, to, 5, ADDR);
		assert_int_equal(parse(NAME, DNS_TYPE_A), links <= DNS_CHAIN ? 0 : -ELOOP);
	}
}

static void two_aliases_of_one_name(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 3, NAME, DNS_TYPE_A);
	packet_cname(&p, NAME, 5, "b.rds.test");
	packet_cname(&p, NAME, 5, "c.rds.test");
	packet_a(&p, "b.rds.test", 5, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
}

static void pointers_only_lead_back(void **state)
{
	size_t at;

	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	at = p.len;
	packet_pointer(&p, (unsigned)at); /* to itself */
	packet_record(&p, DNS_TYPE_A, 1, 5, 4);
	packet_u32(&p, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	/* forwards, to a place where the right name does stand */
	packet_head(&p, GOOD, 2, NAME, DNS_TYPE_A);
	packet_pointer(&p, (unsigned)p.len + 2 + 10 + 4 + 2 + 10);
	packet_record(&p, DNS_TYPE_A, 1, 5, 4);
	packet_u32(&p, ADDR);
	packet_pointer(&p, 12);
	packet_record(&p, 16, 1, 5, sizeof NAME + 1);
	packet_name(&p, NAME);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	/* the same backwards */
	packet_head(&p, GOOD, 2, NAME, DNS_TYPE_A);
	packet_pointer(&p, 12);
	packet_record(&p, 16, 1, 5, sizeof NAME + 1);
	at = p.len;
	packet_name(&p, NAME);
	packet_pointer(&p, (unsigned)at);
	packet_record(&p, DNS_TYPE_A, 1, 5, 4);
	packet_u32(&p, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
}

/* A label "db.rds" is not the two labels "db" and "rds". */
static void dots_in_labels(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	p.data[p.len++] = 6;
	memcpy(p.data + p.len, "db.rds", 6);
	p.len += 6;
	packet_name(&p, "test");
	packet_record(&p, DNS_TYPE_A, 1, 5, 4);
	packet_u32(&p, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
}

static void too_many(void **state)
{
	(void)state;
	for (unsigned n = DNS_ADDRESSES; n <= DNS_ADDRESSES + 1; n++) {
		packet_head(&p, GOOD, n, NAME, DNS_TYPE_A);
		for (unsigned i = 0; i < n; i++)
			packet_a(&p, NAME, 5, ADDR + i);
		assert_int_equal(parse(NAME, DNS_TYPE_A), n <= DNS_ADDRESSES ? 0 : -E2BIG);
	}
	packet_head(&p, GOOD, DNS_RECORDS + 1, NAME, DNS_TYPE_A);
	assert_int_equal(parse(NAME, DNS_TYPE_A), -E2BIG);
}

static void high_ttl_counts_as_zero(void **state)
{
	(void)state;
	packet_head(&p, GOOD, 1, NAME, DNS_TYPE_A);
	packet_a(&p, NAME, 0x80000001u, ADDR);
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
	assert_int_equal(answer.ttl_s, 0);
}

static void every_cut_is_refused(void **state)
{
	size_t whole;

	(void)state;
	packet_head(&p, GOOD, 2, NAME, DNS_TYPE_A);
	packet_cname(&p, NAME, 5, "b.rds.test");
	packet_a(&p, "b.rds.test", 5, ADDR);
	whole = p.len;
	for (size_t len = 0; len < whole; len++) {
		p.len = len;
		assert_int_equal(parse(NAME, DNS_TYPE_A), -EBADMSG);
	}
	p.len = whole;
	assert_int_equal(parse(NAME, DNS_TYPE_A), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address),
		cmocka_unit_test(compressed_and_all_addresses),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(chain_takes_smallest_ttl),
		cmocka_unit_test(no_data),
		cmocka_unit_test(response_codes),
		cmocka_unit_test(answers_to_something_else),
		cmocka_unit_test(addresses_of_another_name),
		cmocka_unit_test(wrong_class_or_length),
		cmocka_unit_test(other_types_are_passed_over),
		cmocka_unit_test(impossible_addresses),
		cmocka_unit_test(loops),
		cmocka_unit_test(two_aliases_of_one_name),
		cmocka_unit_test(pointers_only_lead_back),
		cmocka_unit_test(dots_in_labels),
		cmocka_unit_test(too_many),
		cmocka_unit_test(high_ttl_counts_as_zero),
		cmocka_unit_test(every_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
