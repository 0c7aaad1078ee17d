/* The endpoint in virtual time: a name that moves to and fro. */
#include "watch_lab.h"

enum { TEN_MINUTES = 600 * 1000, MINUTES = 10 };

static struct net_addr c;

static int setup_flap(void **state)
{
	net_addr_parse("10.16.4.20", &c);
	return setup(state);
}

/* The number of logins in ten minutes, if all fail with `trouble` and the name resolves to the
 * addresses of `turn` one after the other. */
static int64_t logins_of(enum rds_trouble trouble, const struct net_addr *const turn[], int count)
{
	int64_t start, logins = 0;
	int at = 0;

	setup_flap(NULL);
	start_at(&a);
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 1);
	start = now;
	while (now < start + TEN_MINUTES) {
		switch (pass()) {
		case WATCH_RESOLVE: resolved_to(turn[at++ % count], 5); break;
		case WATCH_CONNECT:
			logins++;
			fails(trouble, 5);
			break;
		default: fail();
		}
	}
	return logins;
}

/* Each server sees no more logins than if the name resolved to it alone. */
static void each_server_is_spared(void **state)
{
	static const enum rds_trouble kinds[] = {
		TROUBLE_BLOCKED, TROUBLE_FORBIDDEN, TROUBLE_FULL,
		TROUBLE_TLS,     TROUBLE_STALLED,   TROUBLE_CONFIG,
	};
	static const struct net_addr *const steady[] = { &a }, *const flapping[] = { &a, &b };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		int64_t alone = logins_of(kinds[i], steady, 1);

		assert_in_range(logins_of(kinds[i], flapping, 2), alone, 2 * alone + 2);
	}
}

/* The second address comes and goes: the first one keeps its back-off. */
static void a_set_that_changes_is_one_server(void **state)
{
	struct rds_answer both = { .count = 2, .ttl_s = 5 };
	int64_t start, logins = 0;
	bool flip = false;

	(void)state;
	both.addr[0] = a;
	both.addr[1] = b;
	expect(WATCH_RESOLVE);
	resolved_to(&a, 5);
	start = now;
	while (now < start + TEN_MINUTES) {
		switch (pass()) {
		case WATCH_RESOLVE:
			flip = !flip;
			if (flip)
				watch_resolved(&watch, now, now, &both, "", 0);
			else
				resolved_to(&a, 5);
			break;
		case WATCH_CONNECT:
			logins++;
			fails(TROUBLE_BLOCKED, 5);
			break;
		default: fail();
		}
	}
	assert_in_range(logins, 4, 8);
}

/* Never the same address twice: only the budget limits logins. */
static void ever_new_addresses_have_a_budget(void **state)
{
	int64_t start, logins = 0;
	uint8_t last = 0;

	(void)state;
	start_at(&a);
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 1);
	start = now;
	while (now < start + TEN_MINUTES) {
		switch (pass()) {
		case WATCH_RESOLVE:
			b.bytes[3] = last++;
			b.bytes[2] = (uint8_t)(now / 60000);
			resolved_to(&b, 5);
			break;
		case WATCH_CONNECT:
			logins++;
			fails(TROUBLE_BLOCKED, 5);
			break;
		default: fail();
		}
	}
	/* One login per move, and one more if its back-off ends before the next move. */
	assert_in_range(logins, 4, 2 * (PLACES_MOVES + MINUTES));
}

/* Both servers accept writes, and the name moves for two answers each time: the session moves
 * no more often than the budget allows. */
static void two_live_servers_are_not_followed_each_time(void **state)
{
	int64_t start;
	int turn = 0;

	(void)state;
	start_at(&a);
	start = now;
	while (now < start + TEN_MINUTES) {
		switch (pass()) {
		case WATCH_RESOLVE: resolved_to(++turn / 2 % 2 ? &b : &a, 1); break;
		case WATCH_CONNECT: connects_to(&watch.answer.addr[0]); break;
		case WATCH_ASK: answers(false); break;
		case WATCH_DROP: watch_dropped(&watch, now, 0); break;
		default: fail();
		}
		assert_int_equal(watch.state, RDS_WRITABLE);
	}
	assert_in_range(watch.count.logins, MINUTES, PLACES_MOVES + MINUTES + 2);
	assert_in_range(watch.outage.changes, MINUTES, PLACES_MOVES + MINUTES + 2);
	/* The name stays at c: the session moves there. */
	start = now;
	while (!watch.open || !net_addr_equal(&watch.peer, &c)) {
		switch (pass()) {
		case WATCH_RESOLVE: resolved_to(&c, 5); break;
		case WATCH_CONNECT: connects_to(&c); break;
		case WATCH_ASK: answers(false); break;
		case WATCH_DROP: watch_dropped(&watch, now, 0); break;
		default: fail();
		}
		assert_true(now - start <= PLACES_MOVE_MS + 6000);
	}
}

/* A reader's endpoint resolves to another reader each second, by design. */
static void rotating_readers_are_not_followed_each_time(void **state)
{
	const struct net_addr *const turn[] = { &a, &b, &c };
	int64_t start = now;
	int at = 0;

	(void)state;
	while (now < start + TEN_MINUTES) {
		switch (pass()) {
		case WATCH_RESOLVE: resolved_to(turn[++at % 3], 1); break;
		case WATCH_CONNECT: connects_to(turn[at % 3]); break;
		case WATCH_ASK: answers(true); break;
		case WATCH_DROP: watch_dropped(&watch, now, 0); break;
		default: fail();
		}
	}
	assert_in_range(watch.count.logins, 1, PLACES_MOVES + MINUTES + 2);
}

/*
 * A failover seen through resolvers that disagree: b is the new writer, and the name
 * resolves to b, a, b, a for a while. Leaving the writer b costs a move; going back to it
 * is free.
 */
static void the_known_writer_is_gone_back_to_at_once(void **state)
{
	int64_t left_ms;

	(void)state;
	start_at(&a);
	for (int i = 0; i < 2 * PLACES_MOVES - 2; i++) {
		const struct net_addr *to = i % 2 == 0 ? &b : &a;

		resolved_to(to, 5);
		if (watch.state == RDS_WRITABLE) {
			answers(false);
			now = watch.absence.away_ms;
			resolved_to(to, 5);
			answers(false);
		}
		expect(WATCH_DROP);
		watch_dropped(&watch, now, 0);
		assert_int_equal(pass(), WATCH_CONNECT);
		connects_to(to);
		expect(WATCH_ASK);
		answers(to == &a);
	}
	assert_int_equal(watch.state, RDS_READ_ONLY);
	assert_true(places_move_ms(&watch.places) > now);
	left_ms = now;
	resolved_to(&b, 5);
	expect(WATCH_DROP);
	watch_dropped(&watch, now, 0);
	assert_int_equal(pass(), WATCH_CONNECT);
	assert_true(now - left_ms < 300);
}

/* The server to which the name moves has just refused a login: the session that answers
 * is kept until that server's back-off is over. */
static void a_session_is_kept_while_the_other_has_its_wait(void **state)
{
	int64_t wait_ms;

	(void)state;
	expect(WATCH_RESOLVE);
	resolved_to(&b, 5);
	expect(WATCH_CONNECT);
	fails(TROUBLE_BLOCKED, 5);
	wait_ms = watch.backoff.connect_ms;
	resolved_to(&a, 5);
	assert_int_equal(pass(), WATCH_CONNECT);
	connects_to(&a);
	expect(WATCH_ASK);
	answers(false);
	resolved_to(&b, 5);
	for (;;) {
		enum watch_action action = pass();

		if (action == WATCH_DROP)
			break;
		if (action == WATCH_RESOLVE)
			resolved_to(&b, 5);
		else
			answers(false);
	}
	assert_int_equal(now, wait_ms);
	/* nor is the wait cut short when the session is lost meanwhile */
	watch_init(&watch, &conf, now);
	resolved_to(&b, 5);
	fails(TROUBLE_BLOCKED, 5);
	wait_ms = watch.backoff.connect_ms;
	resolved_to(&a, 5);
	connects_to(&a);
	answers(false);
	resolved_to(&b, 5);
	fails(TROUBLE_LOST, 1);
	assert_int_equal(watch.backoff.connect_ms, wait_ms);
}

static struct places places;

static void note(const struct net_addr *addr, enum rds_trouble trouble, unsigned failures,
                 int64_t connect_ms)
{
	places_note(&places, addr, &(struct backoff){ trouble, failures, connect_ms });
}

static void a_place_is_forgotten(void **state)
{
	struct rds_answer answer = { .count = 1 };

	(void)state;
	answer.addr[0] = a;
	assert_null(places_longest(&places, &answer, now));
	note(&a, TROUBLE_BLOCKED, 3, now + 1000);
	assert_int_equal(places_longest(&places, &answer, now)->failures, 3);
	assert_non_null(places_longest(&places, &answer, now + 1000 + PLACES_FORGET_MS));
	assert_null(places_longest(&places, &answer, now + 1001 + PLACES_FORGET_MS));
	places_forget(&places, &a);
	assert_null(places_longest(&places, &answer, now));
	/* a new one replaces the oldest */
	note(&a, TROUBLE_FULL, 1, now);
	for (uint8_t i = 0; i < PLACES; i++) {
		b.bytes[3] = i;
		note(&b, TROUBLE_FULL, 1, now);
	}
	assert_null(places_longest(&places, &answer, now));
	/* the longest wait of several, unless one of them has not failed */
	answer.count = 2;
	answer.addr[0] = answer.addr[1] = b;
	answer.addr[0].bytes[3] = 2;
	note(&answer.addr[0], TROUBLE_TLS, 2, now + 9);
	assert_int_equal(places_longest(&places, &answer, now)->trouble, TROUBLE_TLS);
	answer.addr[1] = a;
	assert_null(places_longest(&places, &answer, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_server_is_spared, setup_flap),
		cmocka_unit_test_setup(a_set_that_changes_is_one_server, setup_flap),
		cmocka_unit_test_setup(ever_new_addresses_have_a_budget, setup_flap),
		cmocka_unit_test_setup(two_live_servers_are_not_followed_each_time, setup_flap),
		cmocka_unit_test_setup(rotating_readers_are_not_followed_each_time, setup_flap),
		cmocka_unit_test_setup(the_known_writer_is_gone_back_to_at_once, setup_flap),
		cmocka_unit_test_setup(a_session_is_kept_while_the_other_has_its_wait, setup_flap),
		cmocka_unit_test_setup(a_place_is_forgotten, setup_flap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
