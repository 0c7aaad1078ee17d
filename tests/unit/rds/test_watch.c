/* The endpoint in virtual time: resolving, asking, moving. */
#include "watch_lab.h"

static void starts(void **state)
{
	(void)state;
	assert_int_equal(watch.state, RDS_STARTING);
	start_at(&a);
	assert_int_equal(watch.state, RDS_WRITABLE);
	assert_false(changed);
	assert_int_equal(watch.rtt_us, 1500);
	expect(WATCH_WAIT);
}

static void asks_every_interval_and_resolves_at_the_ttl(void **state)
{
	int64_t start, asked = 0, resolved = 0;

	(void)state;
	start_at(&a);
	start = now;
	while (now < start + 60000) {
		switch (pass()) {
		case WATCH_ASK:
			asked++;
			answers(false);
			break;
		case WATCH_RESOLVE:
			resolved++;
			resolved_to(&a, 5);
			break;
		default: fail();
		}
	}
	assert_in_range(asked, 60000 / 2200, 60000 / 1800 + 1);
	assert_in_range(resolved, 60000 / 5600, 60000 / 5000 + 1);
	assert_int_equal(watch.count.logins, 1);
}

static void ttl_is_bounded_both_ways(void **state)
{
	(void)state;
	start_at(&a);
	while (pass() != WATCH_RESOLVE)
		answers(false);
	resolved_to(&a, 86400);
	assert_in_range(watch.resolve_ms - now, 27000, 33000);
	now = watch.resolve_ms;
	answers(false);
	expect(WATCH_RESOLVE);
	resolved_to(&a, 0);
	assert_in_range(watch.resolve_ms - now, 1000, 1100);
}

/* Until there is another thing to do than to ask the session, which accepts writes. */
static enum watch_action answers_on(void)
{
	enum watch_action action = pass();

	while (action == WATCH_ASK) {
		answers(false);
		action = pass();
	}
	return action;
}

/* The old writer still accepts writes. */
static void a_writable_session_is_left_at_the_second_look(void **state)
{
	int64_t start;

	(void)state;
	start_at(&a);
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	start = now;
	resolved_to(&b, 5);
	/* at once: does it still accept writes? */
	expect(WATCH_ASK);
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	assert_true(now - start >= 5000);
	resolved_to(&b, 5);
	assert_int_equal(answers_on(), WATCH_DROP);
	watch_dropped(&watch, now, 0);
	/* nothing failed: the state stays until the new server has answered */
	assert_int_equal(watch.state, RDS_WRITABLE);
	assert_int_equal(pass(), WATCH_CONNECT);
	connects_to(&b);
	expect(WATCH_ASK);
	answers(false);
	assert_true(moved());
	assert_true(net_addr_equal(&change.from, &a));
	assert_true(net_addr_equal(&change.to, &b));
	assert_true(now - start < 6000);
}

/* A name server gives one wrong answer; or two that disagree are asked in turn. */
static void wrong_answers_between_right_ones_change_nothing(void **state)
{
	(void)state;
	start_at(&a);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(answers_on(), WATCH_RESOLVE);
		resolved_to(i % 2 ? &a : &six, 1);
	}
	assert_int_equal(watch.state, RDS_WRITABLE);
	assert_int_equal(watch.count.logins, 1);
}

/* A cache repeats a wrong answer until its TTL is over. */
static void a_repeated_answer_is_no_second_look(void **state)
{
	int64_t start;

	(void)state;
	start_at(&a);
	start = now;
	resolved_to(&b, 60);
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	assert_true(now - start < 40000);
	resolved_to(&b, 30);
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	resolved_to(&a, 60);
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	assert_int_equal(watch.count.dropped, 0);
}

/* The name has moved, and the session breaks or is read-only: no second look. */
static void a_session_that_is_not_writable_is_left_at_once(void **state)
{
	(void)state;
	start_at(&a);
	resolved_to(&b, 5);
	expect(WATCH_ASK);
	answers(true);
	expect(WATCH_DROP);
	setup(NULL);
	start_at(&a);
	resolved_to(&b, 5);
	expect(WATCH_ASK);
	fails(TROUBLE_LOST, 1);
	resolved_to(&b, 5);
	assert_int_equal(pass(), WATCH_CONNECT);
}

static void same_answer_keeps_the_session(void **state)
{
	(void)state;
	start_at(&a);
	while (pass() != WATCH_RESOLVE)
		answers(false);
	resolved_to(&a, 5);
	expect(WATCH_WAIT);
}

static void read_only_is_an_answer_and_an_outage(void **state)
{
	(void)state;
	start_at(&a);
	now = watch.ask_ms;
	answers(true);
	assert_int_equal(watch.state, RDS_READ_ONLY);
	assert_true(watch.open);
	/* a failover under way: the name is watched closely */
	assert_true(watch.resolve_ms - now <= 1100);
	now = watch.ask_ms;
	answers(false);
	assert_true(changed && !moved());
}

static void a_reader_endpoint_is_in_no_hurry(void **state)
{
	(void)state;
	resolved_to(&a, 5);
	connects_to(&a);
	answers(true);
	now = watch.resolve_ms;
	resolved_to(&a, 5);
	assert_true(watch.resolve_ms - now >= 5000);
	assert_int_equal(watch.outage.changes, 0);
}

/* Runs until the session is with `addr` and has answered that it accepts writes. The name
 * resolves to `addr`, which accepts writes; any other server is read-only. */
static void ends_at(const struct net_addr *addr)
{
	int64_t start = now;

	while (!watch.open || watch.state != RDS_WRITABLE) {
		assert_true(now - start < 3000);
		switch (pass()) {
		case WATCH_RESOLVE: resolved_to(addr, 5); break;
		case WATCH_CONNECT: connects_to(&watch.answer.addr[0]); break;
		case WATCH_ASK: answers(!net_addr_equal(&watch.peer, addr)); break;
		case WATCH_DROP: watch_dropped(&watch, now, 0); break;
		default: fail();
		}
	}
	assert_true(net_addr_equal(&watch.peer, addr));
}

/* Blue/Green: the old server is read-only for some seconds, and stays so; the same name then
 * resolves to the new one. Or the switchover is rolled back, and the old one is writable again. */
static void a_switchover(void **state)
{
	(void)state;
	for (int rolled_back = 0; rolled_back < 2; rolled_back++) {
		setup(NULL);
		start_at(&a);
		for (int i = 0; i < 20; i++) {
			if (pass() == WATCH_RESOLVE)
				resolved_to(&a, 5);
			else
				answers(true);
		}
		assert_int_equal(watch.state, RDS_READ_ONLY);
		ends_at(rolled_back ? &a : &b);
		assert_int_equal(watch.outage.downs, 0);
		assert_int_equal(watch.outage.changes, !rolled_back);
		assert_int_equal(watch.outage.ups, 1);
		assert_int_equal(watch.outage.up[RDS_UP_NAMED_MS] >= 0, !rolled_back);
	}
}

/* Aurora: the writer restarts and comes back as a reader before DNS has the new writer. */
static void a_writer_that_returns_as_a_reader(void **state)
{
	(void)state;
	start_at(&a);
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 1);
	while (pass() == WATCH_RESOLVE)
		resolved_to(&a, 5);
	fails(TROUBLE_NETWORK, 1);
	while (pass() == WATCH_RESOLVE)
		resolved_to(&a, 5);
	connects_to(&a);
	answers(true);
	ends_at(&b);
	assert_int_equal(watch.outage.downs, 1);
	assert_int_equal(watch.outage.changes, 1);
	assert_int_equal(watch.outage.ups, 1);
}

/* Aurora's reader endpoint: after a failover it resolves to the former writer. */
static void a_reader_endpoint_has_no_events(void **state)
{
	(void)state;
	resolved_to(&a, 1);
	connects_to(&a);
	answers(true);
	for (int i = 0; i < 200; i++) {
		switch (pass()) {
		case WATCH_RESOLVE: resolved_to(i < 100 ? &a : &b, 1); break;
		case WATCH_CONNECT: connects_to(&watch.answer.addr[0]); break;
		case WATCH_ASK: answers(true); break;
		case WATCH_DROP: watch_dropped(&watch, now, 0); break;
		default: fail();
		}
	}
	assert_true(net_addr_equal(&watch.peer, &b));
	assert_int_equal(watch.outage.downs + watch.outage.changes + watch.outage.ups, 0);
}

/* A dual-stack endpoint: the session is with either address of the server. */
static void the_other_family_is_the_same_server(void **state)
{
	struct rds_answer both = { .count = 2, .addr = { a, six }, .ttl_s = 5 };

	(void)state;
	watch_resolved(&watch, now, now, &both, "", 0);
	connects_to(&a);
	answers(false);
	fails(TROUBLE_LOST, 1);
	watch_resolved(&watch, now, now, &both, "", 0);
	connects_to(&six);
	answers(false);
	assert_false(moved());
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	watch_resolved(&watch, now, now, &both, "", 0);
	assert_int_equal(answers_on(), WATCH_RESOLVE);
	fails(TROUBLE_LOST, 1);
	/* another server, of which only the address of the other family answers */
	resolved_to(&b, 5);
	connects_to(&b);
	answers(false);
	assert_true(moved());
	assert_true(net_addr_equal(&change.from, &six));
}

static void half_an_answer_judges_its_own_family_only(void **state)
{
	struct rds_answer answer = { .count = 1, .ttl_s = 5, .unknown = AF_INET6 };

	(void)state;
	start_at(&six);
	answer.addr[0] = a;
	for (int i = 0; i < 3; i++) {
		watch_resolved(&watch, now, now, &answer, "IPv6: no answer", 0);
		assert_int_equal(answers_on(), WATCH_RESOLVE);
	}
	answer.unknown = 0;
	for (int i = 0; i < 2; i++) {
		watch_resolved(&watch, now, now, &answer, "", 0);
		assert_int_equal(answers_on(), i == 0 ? WATCH_RESOLVE : WATCH_DROP);
	}
}

static void literal_is_never_resolved_again(void **state)
{
	struct rds_answer answer = { .count = 1, .literal = true };

	(void)state;
	answer.addr[0] = a;
	watch_resolved(&watch, now, now, &answer, "", 0);
	connects_to(&a);
	answers(false);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pass(), WATCH_ASK);
		answers(false);
	}
	fails(TROUBLE_LOST, 1);
	assert_int_equal(pass(), WATCH_CONNECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(starts, setup),
		cmocka_unit_test_setup(asks_every_interval_and_resolves_at_the_ttl, setup),
		cmocka_unit_test_setup(ttl_is_bounded_both_ways, setup),
		cmocka_unit_test_setup(a_writable_session_is_left_at_the_second_look, setup),
		cmocka_unit_test_setup(wrong_answers_between_right_ones_change_nothing, setup),
		cmocka_unit_test_setup(a_repeated_answer_is_no_second_look, setup),
		cmocka_unit_test_setup(a_session_that_is_not_writable_is_left_at_once, setup),
		cmocka_unit_test_setup(same_answer_keeps_the_session, setup),
		cmocka_unit_test_setup(read_only_is_an_answer_and_an_outage, setup),
		cmocka_unit_test_setup(a_reader_endpoint_is_in_no_hurry, setup),
		cmocka_unit_test_setup(a_switchover, setup),
		cmocka_unit_test_setup(a_writer_that_returns_as_a_reader, setup),
		cmocka_unit_test_setup(a_reader_endpoint_has_no_events, setup),
		cmocka_unit_test_setup(the_other_family_is_the_same_server, setup),
		cmocka_unit_test_setup(half_an_answer_judges_its_own_family_only, setup),
		cmocka_unit_test_setup(literal_is_never_resolved_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
