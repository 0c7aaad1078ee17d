/* The length of an outage as an interval, from sequences of good and bad answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rds_watch.h"

static struct net_addr a, b;
static struct outage outage;
static struct rds_change change;

static int setup(void **state)
{
	(void)state;
	net_addr_parse("10.16.6.137", &a);
	net_addr_parse("10.16.5.149", &b);
	outage_init(&outage);
	return 0;
}

enum { WALL_MS = 1000000 };

static bool good(int64_t start, int64_t end, const struct net_addr *peer)
{
	struct rds_sample sample = { .start_ms = start,
		                     .end_ms = end,
		                     .end_wall_ms = WALL_MS + end };

	return outage_good(&outage, &sample, peer, 2000, &change);
}

static void first_writer_is_no_change(void **state)
{
	(void)state;
	outage_bad(&outage, 500, 501);
	assert_false(good(1000, 1001, &a));
	assert_false(good(3000, 3001, &a));
	assert_int_equal(outage.changes, 0);
}

static void move_without_a_gap(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	assert_true(good(3000, 3005, &b));
	assert_int_equal(outage.changes, 1);
	assert_int_equal(change.min_ms, 0);
	assert_int_equal(change.max_ms, 2005);
	assert_int_equal(change.last_good_wall_ms, WALL_MS + 1000);
	assert_int_equal(change.first_good_wall_ms, WALL_MS + 3005);
	assert_int_equal(change.period_ms, 2000);
	assert_true(net_addr_equal(&change.from, &a));
	assert_true(net_addr_equal(&change.to, &b));
	assert_memory_equal(&change, &outage.moved, sizeof change);
}

static void interval_lies_between_what_was_seen(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 6000); /* a time-out: bad for certain at 6000 */
	outage_bad(&outage, 6250, 9250);
	outage_bad(&outage, 9800, 9900); /* and still at 9800 */
	assert_true(good(10500, 10510, &b));
	assert_int_equal(change.min_ms, 9800 - 6000);
	assert_int_equal(change.max_ms, 10510 - 1000);
}

static void one_bad_answer_proves_no_length(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 6000);
	assert_true(good(6100, 6110, &a));
	assert_true(net_addr_equal(&change.from, &change.to));
	assert_int_equal(change.min_ms, 0);
	assert_int_equal(change.max_ms, 5110);
	assert_int_equal(outage.changes, 0);
}

static void there_and_back(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	good(3000, 3001, &b);
	assert_true(good(5000, 5001, &a));
	assert_int_equal(outage.changes, 2);
	assert_true(net_addr_equal(&outage.moved.from, &b));
	assert_true(net_addr_equal(&outage.moved.to, &a));
}

static void an_outage_does_not_leak_into_the_next(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 3001);
	outage_bad(&outage, 5000, 5001);
	good(7000, 7001, &a);
	assert_true(good(9000, 9001, &b));
	assert_int_equal(change.min_ms, 0);
	assert_int_equal(change.max_ms, 2001);
}

/* The agent's own session was lost, and the next login was accepted at once. */
static void a_lost_session_alone_is_no_event(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 3001);
	good(3100, 3101, &a);
	assert_int_equal(outage.downs, 0);
	assert_int_equal(outage.ups, 0);
}

static void down_and_up_are_told_once_each(void **state)
{
	(void)state;
	/* Before the first writer an outage has no beginning. */
	outage_bad(&outage, 100, 200);
	outage_down(&outage);
	good(1000, 1001, &a);
	outage_down(&outage); /* the first bad result */
	outage_bad(&outage, 3000, 6000);
	assert_int_equal(outage.downs, 0);
	for (int i = 0; i < 3; i++) {
		outage_down(&outage);
		outage_bad(&outage, 7000, 10000);
	}
	assert_int_equal(outage.downs, 1);
	assert_true(net_addr_equal(&outage.down_addr, &a));
	outage.named_ms = 9000;
	assert_int_equal(outage.ups, 0);
	good(12000, 12001, &b);
	good(14000, 14001, &b);
	assert_int_equal(outage.ups, 1);
	assert_int_equal(outage.up[RDS_UP_IMPACT_MS], WALL_MS + 1000);
	assert_int_equal(outage.up[RDS_UP_DETECTED_MS], WALL_MS + 6000);
	assert_int_equal(outage.up[RDS_UP_NAMED_MS], WALL_MS + 9000);
	assert_int_equal(outage.up[RDS_UP_WRITABLE_MS], WALL_MS + 12001);
	/* the next outage is another one; the name stays */
	outage_bad(&outage, 16000, 16001);
	outage_down(&outage);
	outage_bad(&outage, 16500, 16501);
	good(17000, 17001, &b);
	assert_int_equal(outage.downs, 2);
	assert_int_equal(outage.ups, 2);
	assert_int_equal(outage.up[RDS_UP_NAMED_MS], -1);
}

/* A switchover: the same server is read-only for a while, or another one takes its place. */
static void the_end_of_a_read_only_phase_is_an_up(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage.read_only = true;
	outage_bad(&outage, 3000, 3001);
	good(5000, 5001, &a);
	assert_int_equal(outage.ups, 1);
	outage_bad(&outage, 7000, 7001);
	good(7100, 7101, &b);
	assert_int_equal(outage.ups, 2);
	assert_int_equal(outage.downs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_writer_is_no_change, setup),
		cmocka_unit_test_setup(move_without_a_gap, setup),
		cmocka_unit_test_setup(interval_lies_between_what_was_seen, setup),
		cmocka_unit_test_setup(one_bad_answer_proves_no_length, setup),
		cmocka_unit_test_setup(there_and_back, setup),
		cmocka_unit_test_setup(an_outage_does_not_leak_into_the_next, setup),
		cmocka_unit_test_setup(a_lost_session_alone_is_no_event, setup),
		cmocka_unit_test_setup(down_and_up_are_told_once_each, setup),
		cmocka_unit_test_setup(the_end_of_a_read_only_phase_is_an_up, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
