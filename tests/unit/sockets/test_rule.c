/* Which connections may be ended, and when, whatever wna-rds says; in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <stdio.h>

#include "sockets.h"

enum { T0 = 1000000, RDS_UID = 990 };
#define OLD "10.16.6.137"
#define NEW "10.16.5.149"

static struct sockets_rule rule;

static int setup(void **state)
{
	(void)state;
	rule = (struct sockets_rule){ .port = 3306, .rds_uid = RDS_UID };
	return 0;
}

static void hear_state(enum rds_state value, const char *peer, int64_t now_ms)
{
	struct msg msg = { .type = HUB_FACT, .id = FACT_RDS, .value = value };

	snprintf(msg.text, sizeof msg.text, "%s", peer);
	sockets_hear(&rule, &msg, now_ms);
}

static void hear(int64_t number, const char *addr, enum rds_stale reason, int64_t found_ms,
                 int64_t now_ms)
{
	struct msg msg = { .type = HUB_FACT,
		           .id = FACT_RDS_STALE,
		           .value = number,
		           .more = { reason },
		           .found_ms = found_ms };

	snprintf(msg.text, sizeof msg.text, "%s", addr);
	sockets_hear(&rule, &msg, now_ms);
}

static bool due(int64_t now_ms)
{
	return sockets_due_ms(&rule) <= now_ms;
}

static struct sockdiag_socket to(const char *remote)
{
	struct sockdiag_socket socket = {
		.family = AF_INET, .state = TCP_ESTABLISHED, .uid = 33, .inode = 4711
	};

	assert_true(net_endpoint_parse(remote, &socket.remote));
	return socket;
}

static void a_former_writer(void **state)
{
	struct sockdiag_socket socket = to(OLD ":3306");

	(void)state;
	hear_state(RDS_WRITABLE, NEW, T0);
	hear(1, OLD, RDS_STALE_FORMER, T0, T0);
	assert_true(due(T0));
	for (int state_of = 0; state_of < 40; state_of++) {
		socket.state = (uint8_t)state_of;
		assert_int_equal(sockets_match(&rule, &socket), state_of == TCP_ESTABLISHED ||
		                                                        state_of == TCP_SYN_SENT ||
		                                                        state_of == TCP_CLOSE_WAIT);
	}
	socket = to(OLD ":3306");
	socket.inode = 0; /* an orphan */
	assert_false(sockets_match(&rule, &socket));
	socket.inode = 1;
	socket.uid = RDS_UID; /* the agent's own login */
	assert_false(sockets_match(&rule, &socket));
	socket = to(NEW ":3306");
	assert_false(sockets_match(&rule, &socket));
	socket = to(OLD ":3307");
	assert_false(sockets_match(&rule, &socket));
	socket = to(OLD ":22");
	assert_false(sockets_match(&rule, &socket));
}

static void no_event_without_a_writer(void **state)
{
	(void)state;
	hear(1, OLD, RDS_STALE_FORMER, T0, T0);
	assert_false(due(T0 + 1));
	hear_state(RDS_READ_ONLY, NEW, T0 + 1);
	assert_false(due(T0 + 1));
	hear_state(RDS_WRITABLE, "nonsense", T0 + 1);
	assert_false(due(T0 + 1));
	hear_state(RDS_WRITABLE, NEW, T0 + 2);
	assert_true(due(T0 + 2));
}

/* The writer's connections stay, whatever the event says. */
static void never_the_writer(void **state)
{
	struct sockdiag_socket socket = to(OLD ":3306");

	(void)state;
	rule.at_once = true;
	hear_state(RDS_WRITABLE, OLD, T0);
	for (int reason = 0; reason <= RDS_STALE_MAX; reason++) {
		hear(1 + reason, OLD, (enum rds_stale)reason, T0, T0);
		assert_false(due(T0 + 1));
		assert_false(sockets_match(&rule, &socket));
	}
	/* It went back while connections were ended. */
	hear_state(RDS_WRITABLE, NEW, T0);
	assert_true(due(T0 + 1));
	assert_true(sockets_match(&rule, &socket));
	hear_state(RDS_WRITABLE, OLD, T0);
	assert_false(due(T0 + 1));
}

static void addresses_that_are_never_meant(void **state)
{
	static const char *const never[] = {
		"127.0.0.1",
		"127.8.9.1",
		"0.0.0.0",
		"0.1.2.3",
		"169.254.169.254",
		"224.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"fe80::1",
		"febf::1",
		"ff02::1",
		"::ffff:127.0.0.1",
		"::ffff:0.0.0.0",
		"10.16.6.137:3306",
		"db.example",
		"",
	};
	static const char *const may[] = { OLD, "::ffff:10.16.6.137", "2001:db8::5", "fd00::1" };
	struct sockdiag_socket socket;
	int64_t number = 0;

	(void)state;
	hear_state(RDS_WRITABLE, NEW, T0);
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
		hear(++number, never[i], RDS_STALE_FORMER, T0, T0);
		assert_false(due(T0 + 1));
	}
	for (size_t i = 0; i < sizeof may / sizeof may[0]; i++) {
		hear(++number, may[i], RDS_STALE_FORMER, T0, T0);
		assert_true(due(T0 + 1));
	}
	/* Both families of one server; the second address obeys the same rules. */
	hear(++number, OLD ",2001:db8::7", RDS_STALE_FORMER, T0, T0);
	socket = to("[2001:db8::7]:3306");
	assert_true(sockets_match(&rule, &socket));
	hear(++number, OLD ",::1", RDS_STALE_FORMER, T0, T0);
	assert_true(due(T0 + 1));
	socket = to("[::1]:3306");
	assert_false(sockets_match(&rule, &socket));
	/* Even if the rule were asked: */
	net_addr_parse("127.0.0.1", &rule.addr);
	assert_false(sockets_match(&rule, &(struct sockdiag_socket){ .state = TCP_ESTABLISHED,
	                                                             .remote = { rule.addr, 3306 },
	                                                             .inode = 1 }));
}

/* Programs that cache DNS go on connecting for a while; then the event is over. */
static void looks_are_bounded(void **state)
{
	int64_t now_ms = T0;
	int looks = 0;

	(void)state;
	hear_state(RDS_WRITABLE, NEW, T0);
	hear(1, OLD, RDS_STALE_FORMER, T0, T0);
	while (sockets_due_ms(&rule) != INT64_MAX) {
		if (sockets_due_ms(&rule) > now_ms)
			now_ms = sockets_due_ms(&rule);
		sockets_looked(&rule, true, now_ms);
		looks++;
	}
	assert_int_equal(looks, SOCKETS_FOR_MS / SOCKETS_LOOK_MS);
	/* wna-rds and the core repeat it. */
	hear(1, OLD, RDS_STALE_FORMER, T0, now_ms);
	assert_false(due(INT64_MAX - 1));
	/* However many events come. */
	looks = 0;
	for (int64_t end_ms = now_ms + 1000; now_ms < end_ms; now_ms++) {
		hear(2 + now_ms, OLD, RDS_STALE_FORMER, now_ms, now_ms);
		if (due(now_ms)) {
			sockets_looked(&rule, true, now_ms);
			looks++;
		}
	}
	assert_in_range(looks, 1, 1000 / SOCKETS_GAP_MS);
}

/* After a restart the core repeats the last event, which may be of yesterday. */
static void an_old_event_is_history(void **state)
{
	(void)state;
	hear_state(RDS_WRITABLE, NEW, T0);
	hear(7, OLD, RDS_STALE_FORMER, T0 - SOCKETS_FOR_MS, T0);
	assert_false(due(T0));
	hear(0, "", RDS_STALE_FORMER, T0, T0);
	assert_false(due(T0));
	hear(8, OLD, RDS_STALE_FORMER, T0 - SOCKETS_FOR_MS + 100, T0);
	assert_true(due(T0));
	/* From the future: as if it were of now. */
	hear(9, OLD, RDS_STALE_FORMER, T0 + 3600 * 1000, T0);
	assert_true(due(T0));
	sockets_looked(&rule, true, T0 + SOCKETS_FOR_MS);
	assert_false(due(T0 + 3600 * 1000));
}

static void a_silent_server(void **state)
{
	struct sockdiag_socket socket = to(OLD ":3306");

	(void)state;
	hear_state(RDS_DOWN, "", T0);
	hear(1, OLD, RDS_STALE_SILENT, T0, T0);
	assert_false(due(T0));
	rule.at_once = true;
	assert_true(due(T0));
	assert_true(sockets_match(&rule, &socket));
	/* A look that failed is made again. */
	sockets_looked(&rule, false, T0);
	assert_true(due(T0 + SOCKETS_GAP_MS));
	assert_true(sockets_match(&rule, &socket));
	/* A connection that it accepts later shows that it is not silent. */
	sockets_looked(&rule, true, T0);
	assert_true(due(T0 + SOCKETS_LOOK_MS));
	assert_false(sockets_match(&rule, &socket));
	socket.state = TCP_SYN_SENT;
	assert_true(sockets_match(&rule, &socket));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_former_writer, setup),
		cmocka_unit_test_setup(no_event_without_a_writer, setup),
		cmocka_unit_test_setup(never_the_writer, setup),
		cmocka_unit_test_setup(addresses_that_are_never_meant, setup),
		cmocka_unit_test_setup(looks_are_bounded, setup),
		cmocka_unit_test_setup(an_old_event_is_history, setup),
		cmocka_unit_test_setup(a_silent_server, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
