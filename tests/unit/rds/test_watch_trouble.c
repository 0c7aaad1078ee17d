/* The endpoint in virtual time: what fails, and how often it is tried. */
#include "watch_lab.h"

static void lost_session_resolves_at_once_then_fast(void **state)
{
	int64_t start, resolves = 0, logins = 0;

	(void)state;
	start_at(&a);
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 3000);
	assert_int_equal(watch.state, RDS_DOWN);
	assert_int_equal(watch.rtt_us, -1);
	expect(WATCH_RESOLVE);
	start = now;
	while (now < start + 10000) {
		switch (pass()) {
		case WATCH_RESOLVE:
			resolves++;
			resolved_to(&a, 5);
			break;
		case WATCH_CONNECT:
			logins++;
			fails(TROUBLE_NETWORK, 1);
			break;
		default: fail();
		}
	}
	assert_in_range(resolves, 9, 13);
	assert_in_range(logins, 4, 12);
}

static void new_address_ends_the_back_off(void **state)
{
	(void)state;
	start_at(&a);
	fails(TROUBLE_LOST, 3000);
	resolved_to(&a, 5);
	for (int i = 0; i < 8; i++) {
		while (pass() == WATCH_RESOLVE)
			resolved_to(&a, 5);
		fails(TROUBLE_STALLED, 3000);
	}
	assert_true(watch.backoff.connect_ms - now > 5000);
	while (pass() != WATCH_RESOLVE)
		fail();
	resolved_to(&b, 5);
	assert_true(watch.backoff.connect_ms - now <= 250);
	while (pass() != WATCH_CONNECT)
		resolved_to(&b, 5);
	connects_to(&b);
	answers(false);
	assert_true(moved());
	assert_true(change.min_ms > 0 && change.min_ms < change.max_ms);
}

/* A false server asked for a login method that is not allowed. */
static void a_false_server_does_not_delay_the_next_one(void **state)
{
	int64_t start;

	(void)state;
	start_at(&a);
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 1);
	resolved_to(&a, 5);
	assert_int_equal(pass(), WATCH_CONNECT);
	fails(trouble_from_error(5010, true), 5);
	expect(WATCH_RESOLVE);
	start = now;
	resolved_to(&b, 5);
	assert_int_equal(pass(), WATCH_CONNECT);
	assert_true(now - start < 300);
}

static void a_new_address_is_no_excuse_after_a_denial(void **state)
{
	(void)state;
	expect(WATCH_RESOLVE);
	resolved_to(&a, 5);
	fails(TROUBLE_DENIED, 5);
	expect(WATCH_RESOLVE);
	resolved_to(&b, 5);
	assert_true(watch.backoff.connect_ms - now >= 29000);
}

static void a_denial_waits_for_another_password(void **state)
{
	int64_t start;

	(void)state;
	resolved_to(&a, 5);
	expect(WATCH_CONNECT);
	fails(TROUBLE_DENIED, 5);
	start = now;
	while (pass() == WATCH_RESOLVE)
		resolved_to(&a, 5);
	assert_true(now - start >= 29000);
	fails(TROUBLE_DENIED, 5);
	watch_retry(&watch, now);
	expect(WATCH_RESOLVE);
	resolved_to(&a, 5);
	expect(WATCH_CONNECT);
}

static void a_denial_is_remembered(void **state)
{
	int64_t start = now;

	(void)state;
	watch_restore_denied(&watch, now, 3, now + 100000);
	assert_int_equal(watch.state, RDS_DOWN);
	while (pass() == WATCH_RESOLVE)
		resolved_to(&a, 5);
	assert_true(now - start >= 100000);
	fails(TROUBLE_DENIED, 5);
	assert_true(watch.backoff.connect_ms - now >= 200000);
	/* What is said to be next is what comes next, and a reload hastens it. */
	assert_int_equal(watch_retry_ms(&watch), watch.backoff.connect_ms);
	watch_retry(&watch, now);
	assert_int_equal(watch_retry_ms(&watch), now);
	/* a success ends it */
	connects_to(&a);
	answers(false);
	assert_int_equal(watch.backoff.trouble, TROUBLE_NONE);
	assert_int_equal(watch_retry_ms(&watch), 0);
}

static void session_outlives_dns(void **state)
{
	(void)state;
	start_at(&a);
	for (int i = 0; i < 20; i++) {
		if (pass() == WATCH_RESOLVE)
			name_fails();
		else
			answers(false);
	}
	assert_int_equal(watch.state, RDS_WRITABLE);
	assert_false(watch.name_ok);
	assert_true(watch.open);
	/* without a session: no login while DNS is silent */
	now = watch.ask_ms > now ? watch.ask_ms : now;
	fails(TROUBLE_LOST, 1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pass(), WATCH_RESOLVE);
		name_fails();
		assert_int_equal(watch.state, RDS_NO_NAME);
	}
	resolved_to(&a, 5);
	assert_int_equal(watch.state, RDS_DOWN);
	assert_int_equal(pass(), WATCH_CONNECT);
}

/* The session answers, and the name server is gone: its return is not waited for. */
static void a_new_resolv_conf_ends_the_wait(void **state)
{
	(void)state;
	start_at(&a);
	for (int failures = 0; failures < 6;) {
		if (pass() != WATCH_RESOLVE) {
			answers(false);
			continue;
		}
		name_fails();
		failures++;
	}
	assert_true(watch.resolve_ms - now > 10000);
	watch_resolve(&watch, now);
	while (watch_next(&watch, now, &until) == WATCH_ASK)
		answers(false);
	expect(WATCH_RESOLVE);
}

static void server_that_comes_and_goes_is_not_flooded(void **state)
{
	int64_t start, logins = 0;

	(void)state;
	start_at(&a);
	start = now;
	while (now < start + 60000) {
		switch (pass()) {
		case WATCH_CONNECT:
			logins++;
			connects_to(&a);
			answers(false);
			break;
		case WATCH_RESOLVE: resolved_to(&a, 5); break;
		case WATCH_ASK: fails(TROUBLE_LOST, 1); break;
		default: fail();
		}
	}
	assert_true(logins <= 26);
}

static void since_is_kept_while_the_reason_changes(void **state)
{
	int64_t since;

	(void)state;
	start_at(&a);
	fails(TROUBLE_LOST, 1);
	since = watch.since_ms;
	now += 500;
	fails(TROUBLE_NETWORK, 1);
	assert_int_equal(watch.since_ms, since);
	assert_int_equal(watch.state, RDS_DOWN);
}

/* Only a login without an answer proves that the database is down, and not a refusal. */
static void a_login_without_an_answer_is_down(void **state)
{
	static const enum rds_trouble kinds[] = { TROUBLE_DENIED, TROUBLE_FULL, TROUBLE_TLS,
		                                  TROUBLE_NETWORK };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		setup(NULL);
		start_at(&a);
		now = watch.ask_ms;
		fails(TROUBLE_LOST, 3000);
		assert_int_equal(watch.outage.downs, 0);
		resolved_to(&a, 5);
		assert_int_equal(pass(), WATCH_CONNECT);
		fails(kinds[i], 3000);
		assert_int_equal(watch.outage.downs, kinds[i] == TROUBLE_NETWORK);
	}
	/* DNS has another address some time later, and the new writer answers. */
	now += 7000;
	resolved_to(&b, 5);
	assert_int_equal(pass(), WATCH_CONNECT);
	connects_to(&b);
	answers(false);
	assert_int_equal(watch.outage.ups, 1);
	assert_in_range(watch.outage.up[RDS_UP_WRITABLE_MS] - watch.outage.up[RDS_UP_NAMED_MS], 0,
	                300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lost_session_resolves_at_once_then_fast, setup),
		cmocka_unit_test_setup(new_address_ends_the_back_off, setup),
		cmocka_unit_test_setup(a_false_server_does_not_delay_the_next_one, setup),
		cmocka_unit_test_setup(a_new_address_is_no_excuse_after_a_denial, setup),
		cmocka_unit_test_setup(a_denial_waits_for_another_password, setup),
		cmocka_unit_test_setup(a_denial_is_remembered, setup),
		cmocka_unit_test_setup(session_outlives_dns, setup),
		cmocka_unit_test_setup(a_login_without_an_answer_is_down, setup),
		cmocka_unit_test_setup(a_new_resolv_conf_ends_the_wait, setup),
		cmocka_unit_test_setup(server_that_comes_and_goes_is_not_flooded, setup),
		cmocka_unit_test_setup(since_is_kept_while_the_reason_changes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
