/* The outage as an interval: what rows of good and bad answers prove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rds_outage.h"

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

static enum outage_end good(int64_t start, int64_t end, const struct net_addr *peer)
{
	return outage_good(&outage, start, end, peer, 2000, &change);
}

static void first_writer_is_no_change(void **state)
{
	(void)state;
	assert_int_equal(good(1000, 1001, &a), OUTAGE_FIRST);
	assert_int_equal(good(3000, 3001, &a), OUTAGE_NONE);
	assert_int_equal(outage.changes, 0);
}

static void move_without_a_gap(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	assert_int_equal(good(3000, 3005, &b), OUTAGE_MOVED);
	assert_int_equal(outage.changes, 1);
	assert_int_equal(change.min_ms, 0);
	assert_int_equal(change.max_ms, 2005);
	assert_int_equal(change.last_good_ms, 1000);
	assert_int_equal(change.first_good_ms, 3005);
	assert_int_equal(change.period_ms, 2000);
	assert_true(net_addr_equal(&change.from, &a));
	assert_true(net_addr_equal(&change.to, &b));
	assert_true(net_addr_equal(&outage.previous, &a));
}

static void interval_lies_between_what_was_seen(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 6000); /* a time-out: bad for certain at 6000 */
	outage_bad(&outage, 6250, 9250);
	outage_bad(&outage, 9800, 9900); /* and still at 9800 */
	assert_int_equal(good(10500, 10510, &b), OUTAGE_MOVED);
	assert_int_equal(change.min_ms, 9800 - 6000);
	assert_int_equal(change.max_ms, 10510 - 1000);
}

static void one_bad_answer_proves_no_length(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 6000);
	assert_int_equal(good(6100, 6110, &a), OUTAGE_OVER);
	assert_int_equal(change.min_ms, 0);
	assert_int_equal(change.max_ms, 5110);
	assert_int_equal(outage.changes, 0);
}

static void there_and_back(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	good(3000, 3001, &b);
	assert_int_equal(good(5000, 5001, &a), OUTAGE_MOVED);
	assert_int_equal(outage.changes, 2);
	assert_true(net_addr_equal(&outage.last.from, &b));
	assert_true(net_addr_equal(&outage.last.to, &a));
}

static void an_outage_does_not_leak_into_the_next(void **state)
{
	(void)state;
	good(1000, 1001, &a);
	outage_bad(&outage, 3000, 3001);
	outage_bad(&outage, 5000, 5001);
	good(7000, 7001, &a);
	assert_int_equal(good(9000, 9001, &b), OUTAGE_MOVED);
	assert_int_equal(change.min_ms, 0);
	assert_int_equal(change.max_ms, 2001);
}

static void restored_writer_makes_a_move_of_a_restart(void **state)
{
	(void)state;
	outage_restore(&outage, &a, 500);
	outage_bad(&outage, 900, 1000);
	assert_int_equal(good(2000, 2001, &b), OUTAGE_MOVED);
	assert_int_equal(change.max_ms, 1501);

	outage_init(&outage);
	outage_restore(&outage, &a, -1);
	assert_int_equal(good(2000, 2001, &b), OUTAGE_MOVED);
	assert_int_equal(change.max_ms, -1);
	assert_int_equal(change.last_good_ms, -1);
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
		cmocka_unit_test_setup(restored_writer_makes_a_move_of_a_restart, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
