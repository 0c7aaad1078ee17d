/* What the kernel says of sockets, and what must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include "sockdiag.h"

static uint8_t data[1024];
static size_t len;
static int taken;
static struct sockdiag_socket last;

static int setup(void **state)
{
	(void)state;
	len = 0;
	taken = 0;
	return 0;
}

static void take(void *arg, const struct sockdiag_socket *socket)
{
	(void)arg;
	last = *socket;
	taken++;
}

static void put(uint16_t type, const void *body, size_t size)
{
	struct nlmsghdr head = { .nlmsg_len = (uint32_t)(sizeof head + size), .nlmsg_type = type };

	memcpy(data + len, &head, sizeof head);
	if (size > 0)
		memcpy(data + len + sizeof head, body, size);
	len += NLMSG_ALIGN(head.nlmsg_len);
}

static void put_socket(uint8_t family, const char *remote, uint8_t state)
{
	struct inet_diag_msg msg = {
		.idiag_family = family, .idiag_state = state, .idiag_uid = 33, .idiag_inode = 4711
	};

	msg.id.idiag_dport = htons(3306);
	msg.id.idiag_sport = htons(40000);
	msg.id.idiag_cookie[0] = 99;
	assert_int_equal(inet_pton(family, remote, msg.id.idiag_dst), 1);
	put(SOCK_DIAG_BY_FAMILY, &msg, sizeof msg);
}

/* A copy of the exact size: reading behind its end is an error that a sanitizer sees. */
static int parse(void)
{
	uint8_t *copy = malloc(len + !len);
	int rc;

	assert_non_null(copy);
	memcpy(copy, data, len);
	rc = sockdiag_parse(copy, len, take, NULL);
	free(copy);
	return rc;
}

static void expect_remote(const char *text)
{
	char found[NET_ADDR_TEXT];

	assert_string_equal(net_endpoint_text(&last.remote, found, sizeof found), text);
	assert_int_equal(last.local.port, 40000);
	assert_int_equal(last.uid, 33);
	assert_int_equal(last.inode, 4711);
	assert_int_equal(last.id.idiag_cookie[0], 99);
}

static void sockets_of_both_families(void **state)
{
	(void)state;
	put_socket(AF_INET, "10.16.6.137", TCP_ESTABLISHED);
	assert_int_equal(parse(), 1);
	expect_remote("10.16.6.137:3306");
	put_socket(AF_INET6, "2001:db8::5", TCP_SYN_SENT);
	assert_int_equal(parse(), 1);
	expect_remote("[2001:db8::5]:3306");
	assert_int_equal(last.state, TCP_SYN_SENT);
	/* A client that connected to ::ffff:10.16.6.137. */
	put_socket(AF_INET6, "::ffff:10.16.6.137", TCP_CLOSE_WAIT);
	assert_int_equal(parse(), 1);
	expect_remote("10.16.6.137:3306");
	assert_int_equal(last.family, AF_INET6);
	assert_int_equal(taken, 1 + 2 + 3);
}

/* An older kernel tells less, a later one more; and an attribute may have any length. */
static void what_tcp_says(void **state)
{
	struct {
		struct inet_diag_msg msg;
		struct rtattr head;
		struct tcp_info info;
	} body = {
		.msg = { .idiag_family = AF_INET, .idiag_rqueue = 7, .idiag_wqueue = 9 },
		.head = { .rta_len = sizeof body.head + sizeof body.info,
		          .rta_type = INET_DIAG_INFO },
		.info = { .tcpi_unacked = 3, .tcpi_backoff = 4, .tcpi_last_data_sent = 5000 },
	};

	(void)state;
	put(SOCK_DIAG_BY_FAMILY, &body, sizeof body);
	assert_int_equal(parse(), 1);
	assert_int_equal(last.unread_bytes, 7);
	assert_int_equal(last.unsent_bytes, 9);
	assert_int_equal(last.unacked_segments, 3);
	assert_int_equal(last.backoff, 4);
	assert_int_equal(last.quiet_ms, 5000);
	for (unsigned size = 0; size < sizeof body.head + sizeof body.info + 9; size++) {
		len = 0;
		body.head.rta_len = (unsigned short)size;
		put(SOCK_DIAG_BY_FAMILY, &body,
		    sizeof body.msg + (size < 64 ? size : sizeof body.head + sizeof body.info));
		assert_int_equal(parse(), 1);
	}
	assert_int_equal(last.unacked_segments, 0);
}

static void the_end(void **state)
{
	const int32_t none = 0, denied = -EPERM, wrong = 1, huge = INT32_MIN;

	(void)state;
	put_socket(AF_INET, "10.16.6.137", TCP_ESTABLISHED);
	put(NLMSG_DONE, &none, sizeof none);
	assert_int_equal(parse(), 0);
	assert_int_equal(taken, 1);
	len = 0;
	put(NLMSG_ERROR, &none, sizeof none);
	assert_int_equal(parse(), 0);
	for (int type = NLMSG_ERROR; type <= NLMSG_DONE; type++) {
		len = 0;
		put((uint16_t)type, &denied, sizeof denied);
		assert_int_equal(parse(), -EPERM);
		len = 0;
		put((uint16_t)type, &wrong, sizeof wrong);
		assert_int_equal(parse(), -EBADMSG);
		len = 0;
		put((uint16_t)type, &huge, sizeof huge);
		assert_int_equal(parse(), -EBADMSG);
		len = 0;
		put((uint16_t)type, &none, 2);
		assert_int_equal(parse(), -EBADMSG);
	}
}

static void other_messages_are_passed_over(void **state)
{
	(void)state;
	put(NLMSG_NOOP, NULL, 0);
	put_socket(AF_INET, "10.16.6.137", TCP_ESTABLISHED);
	assert_int_equal(parse(), 1);
	assert_int_equal(taken, 1);
}

/* Every length but the whole one, and every length that a header may claim. */
static void short_and_hostile(void **state)
{
	size_t whole;

	(void)state;
	put_socket(AF_INET, "10.16.6.137", TCP_ESTABLISHED);
	whole = len;
	for (len = 1; len < whole; len++)
		assert_int_equal(parse(), -EBADMSG);
	len = whole;
	for (uint32_t claim = 0; claim < 2 * whole; claim++) {
		memcpy(data, &claim, sizeof claim);
		if (claim != whole)
			assert_int_equal(parse(), -EBADMSG);
	}
	setup(NULL);
	put_socket(AF_INET, "10.16.6.137", TCP_ESTABLISHED);
	data[sizeof(struct nlmsghdr)] = AF_UNIX;
	assert_int_equal(parse(), -EBADMSG);
	assert_int_equal(taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sockets_of_both_families, setup),
		cmocka_unit_test_setup(what_tcp_says, setup),
		cmocka_unit_test_setup(the_end, setup),
		cmocka_unit_test_setup(other_messages_are_passed_over, setup),
		cmocka_unit_test_setup(short_and_hostile, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
