/* When connections to an address are of no use, in virtual time. */
#include "watch_lab.h"

static void answers_and_tells(bool read_only)
{
	answers(read_only);
	stale_answered(&watch, now);
}

static void session_fails(int64_t took_ms)
{
	struct rds_sample sample = { .start_ms = now, .end_ms = now + took_ms, .why = "why" };

	sample.trouble = TROUBLE_LOST;
	now += took_ms;
	watch_failed(&watch, &sample, 0);
	stale_lost(&watch, &sample);
}

static void login_fails(int64_t took_ms)
{
	struct rds_sample sample = { .start_ms = now, .end_ms = now + took_ms, .why = "why" };

	sample.trouble = TROUBLE_NETWORK;
	now += took_ms;
	watch_failed(&watch, &sample, 0);
	stale_refused(&watch, &sample);
}

static void logs_in_at(const struct net_addr *addr)
{
	connects_to(addr);
	stale_connected(&watch);
}

static void expect_event(int64_t number, const struct net_addr *addr, enum rds_stale reason)
{
	assert_int_equal(watch.stale.number, number);
	assert_true(net_addr_equal(&watch.stale.addr, addr));
	assert_int_equal(watch.stale.reason, reason);
	assert_int_equal(watch.stale.at_ms, now);
}

/* The new server's own answer is the event, not the name's move. */
static void a_former_writer(void **state)
{
	(void)state;
	start_at(&a);
	stale_answered(&watch, now);
	session_fails(1);
	resolved_to(&b, 5);
	logs_in_at(&b);
	answers_and_tells(true);
	assert_int_equal(watch.stale.number, 0);
	answers_and_tells(false);
	expect_event(1, &a, RDS_STALE_FORMER);
	answers_and_tells(false);
	assert_int_equal(watch.stale.number, 1);
}

/* The former writer lives on, read-only; and then is the writer again. */
static void demoted_and_back(void **state)
{
	(void)state;
	start_at(&a);
	answers_and_tells(true);
	resolved_to(&b, 5);
	watch_dropped(&watch, now, 0);
	logs_in_at(&b);
	answers_and_tells(false);
	expect_event(1, &a, RDS_STALE_FORMER);
	answers_and_tells(true);
	resolved_to(&a, 5);
	watch_dropped(&watch, now, 0);
	logs_in_at(&a);
	answers_and_tells(false);
	expect_event(2, &b, RDS_STALE_FORMER);
}

/* One server with an address of each family: a session over the other one is no failover. */
static void the_other_family_of_the_same_server(void **state)
{
	const struct rds_answer both = { .count = 2, .addr = { a, six }, .ttl_s = 5 };

	(void)state;
	start_at(&a);
	watch_resolved(&watch, now, now, &both, "", 0);
	session_fails(1);
	logs_in_at(&six);
	answers_and_tells(false);
	assert_int_equal(watch.stale.number, 0);
}

/* The node's programs may use the family that wna-rds does not use. */
static void both_families_of_the_former_writer(void **state)
{
	const struct rds_answer both = { .count = 2, .addr = { a, six }, .ttl_s = 5 };
	const struct rds_answer many = { .count = 3, .addr = { a, six, six }, .ttl_s = 5 };
	const struct rds_answer moved = { .count = 2, .addr = { b, seven }, .ttl_s = 5 };
	const struct rds_answer kept = { .count = 2, .addr = { b, six }, .ttl_s = 5 };
	const struct rds_answer lost = { .count = 1, .addr = { b }, .ttl_s = 5 };
	const struct {
		const struct rds_answer *before, *after;
		bool twin;
	} cases[] = {
		{ &both, &moved, true },
		/* Not known to be this server's; still in use; perhaps still in use. */
		{ &many, &moved, false },
		{ &both, &kept, false },
		{ &both, &lost, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setup(NULL);
		start_at(&a);
		watch_resolved(&watch, now, now, cases[i].before, "", 0);
		answers_and_tells(false);
		watch_resolved(&watch, now, now, cases[i].after, "", 0);
		/* It answers to the end. */
		answers_and_tells(false);
		session_fails(3000);
		logs_in_at(&b);
		answers_and_tells(false);
		expect_event(1, &a, RDS_STALE_FORMER);
		assert_int_equal(watch.stale.twin.family, cases[i].twin ? AF_INET6 : 0);
	}
}

/* The question for the family of `a` failed: nothing is known of it until it is answered. */
static void the_family_that_is_not_known(void **state)
{
	const struct rds_answer one = {
		.count = 1, .addr = { six }, .ttl_s = 5, .unknown = AF_INET
	};

	(void)state;
	start_at(&a);
	watch_resolved(&watch, now, now, &one, "", 0);
	session_fails(3000);
	logs_in_at(&six);
	answers_and_tells(false);
	assert_int_equal(watch.stale.number, 0);
	/* Known, but empty: a second look. */
	resolved_to(&six, 5);
	answers_and_tells(false);
	assert_int_equal(watch.stale.number, 0);
	now += 5000;
	resolved_to(&six, 5);
	answers_and_tells(false);
	expect_event(1, &a, RDS_STALE_FORMER);
}

/* A record that changes: the name has both servers for a while. */
static void both_servers_for_a_while(void **state)
{
	const struct rds_answer both = { .count = 2, .addr = { a, b }, .ttl_s = 5 };

	(void)state;
	start_at(&a);
	answers_and_tells(false);
	session_fails(3000);
	watch_resolved(&watch, now, now, &both, "", 0);
	logs_in_at(&b);
	answers_and_tells(false);
	assert_int_equal(watch.outage.changes, 1);
	assert_int_equal(watch.stale.number, 0);
	now += 5000;
	resolved_to(&b, 5);
	answers_and_tells(false);
	expect_event(1, &a, RDS_STALE_FORMER);
}

/* The records of the two families change one after the other: whether `seven` is another server than
 * `a` is known when the name has replaced `a`. */
static void one_family_after_the_other(void **state)
{
	const struct rds_answer before = { .count = 2, .addr = { a, six }, .ttl_s = 5 };
	const struct rds_answer mixed = { .count = 2, .addr = { a, seven }, .ttl_s = 5 };
	const struct rds_answer after = { .count = 2, .addr = { b, seven }, .ttl_s = 5 };

	(void)state;
	expect(WATCH_RESOLVE);
	watch_resolved(&watch, now, now, &before, "", 0);
	logs_in_at(&a);
	answers_and_tells(false);
	session_fails(3000);
	watch_resolved(&watch, now, now, &mixed, "", 0);
	logs_in_at(&seven);
	answers_and_tells(false);
	assert_int_equal(watch.outage.changes, 0);
	assert_int_equal(watch.outage.ups, 0);
	now += 5000;
	watch_resolved(&watch, now, now, &after, "", 0);
	answers_and_tells(false);
	assert_true(changed);
	assert_int_equal(watch.outage.changes, 1);
	assert_true(net_addr_equal(&change.from, &a) && net_addr_equal(&change.to, &seven));
	assert_true(change.max_ms >= 3000);
	expect_event(1, &a, RDS_STALE_FORMER);
	answers_and_tells(false);
	assert_int_equal(watch.outage.changes, 1);
}

/* One empty answer for the family of the session that was lost alone: the same server. */
static void one_empty_answer(void **state)
{
	const struct rds_answer both = { .count = 2, .addr = { a, six }, .ttl_s = 5 };

	(void)state;
	expect(WATCH_RESOLVE);
	watch_resolved(&watch, now, now, &both, "", 0);
	logs_in_at(&six);
	answers_and_tells(false);
	session_fails(3000);
	resolved_to(&a, 5);
	logs_in_at(&a);
	answers_and_tells(false);
	for (int i = 0; i < 20; i++) {
		now += 5000;
		watch_resolved(&watch, now, now, &both, "", 0);
		answers_and_tells(false);
	}
	assert_int_equal(watch.stale.number, 0);
}

/* RDS Proxy, or a weighted record: one address an answer, in turn. The server ends one session. */
static void addresses_in_turn(void **state)
{
	(void)state;
	start_at(&a);
	session_fails(1);
	resolved_to(&b, 5);
	logs_in_at(&b);
	for (int i = 0; i < 20; i++) {
		answers_and_tells(false);
		now += 5000;
		resolved_to(i % 2 ? &b : &a, 5);
	}
	assert_int_equal(watch.outage.changes, 1);
	assert_int_equal(watch.stale.number, 0);
}

/* Addresses that change places, as those of RDS Proxy do, or a session that broke alone while the
 * name has both: the first server goes on serving. */
static void a_server_that_has_not_failed(void **state)
{
	const struct rds_answer both = { .count = 2, .addr = { a, b }, .ttl_s = 5 };

	(void)state;
	start_at(&a);
	resolved_to(&b, 5);
	watch_dropped(&watch, now, 0);
	logs_in_at(&b);
	answers_and_tells(false);
	assert_int_equal(watch.outage.changes, 1);
	watch_resolved(&watch, now, now, &both, "", 0);
	session_fails(1);
	logs_in_at(&a);
	answers_and_tells(false);
	assert_int_equal(watch.outage.changes, 2);
	resolved_to(&a, 5);
	answers_and_tells(false);
	assert_int_equal(watch.stale.number, 0);
}

static void a_silent_server(void **state)
{
	(void)state;
	start_at(&a);
	session_fails(3000);
	assert_int_equal(watch.stale.number, 0);
	login_fails(3000);
	expect_event(1, &a, RDS_STALE_SILENT);
	login_fails(3000);
	expect_event(2, &a, RDS_STALE_SILENT);
	/* It is back, and refuses; or accepts. */
	login_fails(1);
	login_fails(3000);
	assert_int_equal(watch.stale.number, 2);
	logs_in_at(&a);
	answers_and_tells(false);
	session_fails(3000);
	logs_in_at(&a);
	session_fails(1);
	login_fails(3000);
	assert_int_equal(watch.stale.number, 2);
}

static void a_broken_session_is_not_silence(void **state)
{
	(void)state;
	start_at(&a);
	session_fails(1);
	login_fails(3000);
	login_fails(3000);
	assert_int_equal(watch.stale.number, 0);
}

/* The login that failed was at another server. */
static void the_name_has_moved(void **state)
{
	(void)state;
	start_at(&a);
	session_fails(3000);
	resolved_to(&b, 5);
	login_fails(3000);
	resolved_to(&a, 5);
	login_fails(3000);
	assert_int_equal(watch.stale.number, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_former_writer, setup),
		cmocka_unit_test_setup(demoted_and_back, setup),
		cmocka_unit_test_setup(the_other_family_of_the_same_server, setup),
		cmocka_unit_test_setup(both_families_of_the_former_writer, setup),
		cmocka_unit_test_setup(a_server_that_has_not_failed, setup),
		cmocka_unit_test_setup(both_servers_for_a_while, setup),
		cmocka_unit_test_setup(one_family_after_the_other, setup),
		cmocka_unit_test_setup(one_empty_answer, setup),
		cmocka_unit_test_setup(addresses_in_turn, setup),
		cmocka_unit_test_setup(a_silent_server, setup),
		cmocka_unit_test_setup(the_family_that_is_not_known, setup),
		cmocka_unit_test_setup(a_broken_session_is_not_silence, setup),
		cmocka_unit_test_setup(the_name_has_moved, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
