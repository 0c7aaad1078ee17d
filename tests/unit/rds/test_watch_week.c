/*
 * A week in virtual time of a database that is well, with all that a network does meanwhile:
 * nothing is declared, and the session is kept. WNA_TEST_WEEKS: how many weeks (5).
 */
#include "watch_lab.h"

#include <stdio.h>

static uint64_t lot;

/* splitmix64 */
static uint32_t chance(void)
{
	uint64_t z = lot += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(z >> 32);
}

static bool one_in(uint32_t n)
{
	return chance() % n == 0;
}

/* An answer of DNS: mostly the truth. Two wrong answers never follow each other, since that is
 * what a failover looks like. */
static void resolve(bool *wrong)
{
	static const int64_t ttls_s[] = { 0, 1, 5, 5, 5, 5, 60, 86400 };
	struct rds_answer answer = { .count = 1, .ttl_s = ttls_s[chance() % 8] };
	int64_t start = now;

	now += one_in(50) ? 1500 : 5;
	if (one_in(30)) { /* a resolver restarts, or packets are lost */
		watch_resolved(&watch, start, now, NULL, "no answer", chance());
		return;
	}
	*wrong = !*wrong && one_in(20);
	answer.addr[0] = *wrong ? (one_in(2) ? b : six) : a;
	if (*wrong)
		answer.ttl_s = 5;
	else if (one_in(20))
		answer_add(&answer, &b); /* both, as while a record changes */
	else if (one_in(20))
		answer.unknown = AF_INET6;
	watch_resolved(&watch, start, now, &answer, "", chance());
}

static void ask(void)
{
	int64_t took_ms = one_in(1000) ? 2900 : 1 + chance() % 20;
	struct rds_sample sample = { .start_ms = now, .end_ms = now + took_ms };

	now += took_ms;
	sample.end_wall_ms = now + WALL_MS;
	changed = watch_answered(&watch, &sample, chance(), &change);
}

static void nothing_happens_in_a_quiet_week(void **state)
{
	const int64_t week_ms = INT64_C(7) * 24 * 3600 * 1000;
	const char *seeds = getenv("WNA_TEST_WEEKS");

	(void)state;
	for (int seed = 0; seed < (seeds ? atoi(seeds) : 5); seed++) {
		int64_t start;
		bool wrong = false;

		lot = (uint64_t)seed;
		setup(NULL);
		start_at(&a);
		start = now;
		while (now - start < week_ms) {
			switch (pass()) {
			case WATCH_RESOLVE: resolve(&wrong); break;
			case WATCH_ASK: ask(); break;
			default: fail_msg("seed %d: the session was left", seed);
			}
			if (changed || watch.state != RDS_WRITABLE)
				fail_msg("seed %d: a failover", seed);
		}
		assert_int_equal(watch.count.logins, 1);
		assert_int_equal(watch.outage.downs + watch.outage.ups, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happens_in_a_quiet_week),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
