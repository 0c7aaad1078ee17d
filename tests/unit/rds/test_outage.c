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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_writer_is_no_change, setup),
		cmocka_unit_test_setup(move_without_a_gap, setup),
		cmocka_unit_test_setup(interval_lies_between_what_was_seen, setup),
		cmocka_unit_test_setup(one_bad_answer_proves_no_length, setup),
		cmocka_unit_test_setup(there_and_back, setup),
		cmocka_unit_test_setup(an_outage_does_not_leak_into_the_next, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
