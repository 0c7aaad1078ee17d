/* push when the machine's clock is wrong: timestamps are true nevertheless. */
#include "push_world.h"

/* Every timestamp is true although the clock is not. */
static void assert_true_timestamps(int64_t start)
{
	for (size_t i = 0; i < w.taken_count; i++) {
		assert_true(w.taken[i].at_s * 1000 >= start - 10 * SECOND);
		assert_true(w.taken[i].at_s * 1000 <= w.true_ms);
	}
}

static void wrong_at_boot(int64_t error_ms)
{
	int64_t start = w.true_ms;

	w.error_ms = error_ms;
	w.mode = ANSWER_SILENCE; /* and AWS is out of reach for a while */
	begin_healthy();
	run_for(5 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true(llabs(w.fact_value[FACT_SKEW] + error_ms) < 2 * SECOND);
	assert_non_null(strstr(w.fact_why[FACT_SKEW], error_ms > 0 ? "ahead" : "behind"));
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 2);
	assert_int_equal(w.refused_calls, 0); /* the keys were never at fault */
	/* chrony comes up and sets it right. */
	w.error_ms = 0;
	run_for(5 * MINUTE);
	assert_int_equal(w.fact_value[FACT_SKEW], 0);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
	assert_in_range((int)samples_of(true), 890, 901);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_clock_ahead_at_boot(void **state)
{
	(void)state;
	wrong_at_boot(HOUR);
}

static void test_clock_behind_at_boot(void **state)
{
	(void)state;
	wrong_at_boot(-HOUR);
}

/* The clock is corrected before AWS has answered: the timestamps of queued data move with it. */
static void set_right_first(int64_t error_ms)
{
	int64_t start = w.true_ms;

	w.error_ms = error_ms;
	w.mode = ANSWER_SILENCE;
	begin_healthy();
	run_for(5 * MINUTE);
	w.error_ms = 0;
	run_for(MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 2);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_set_right_first_behind(void **state)
{
	(void)state;
	set_right_first(-HOUR);
}

static void test_set_right_first_ahead(void **state)
{
	(void)state;
	set_right_first(HOUR);
}

static void test_set_right_first_far_ahead(void **state)
{
	(void)state;
	set_right_first(3 * HOUR);
}

static void test_set_right_first_far_behind(void **state)
{
	(void)state;
	set_right_first(-20 * 24 * (int64_t)HOUR);
}

/* The clock is set wrong twice before AWS has answered: the answer corrects all timestamps. */
static void test_set_wrong_first(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	w.mode = ANSWER_SILENCE;
	begin_healthy();
	run_for(5 * MINUTE);
	w.error_ms = 3 * HOUR;
	run_for(5 * MINUTE);
	w.error_ms = -HOUR;
	run_for(5 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void stepped_wrong(int64_t error_ms)
{
	int64_t start = w.true_ms;

	begin_healthy();
	run_for(5 * MINUTE);
	w.error_ms = error_ms;
	run_for(5 * MINUTE);
	assert_true(llabs(w.fact_value[FACT_SKEW] + error_ms) < 2 * SECOND);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 3);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_int_equal(w.refused_calls, 0);
}

static void test_clock_set_ahead(void **state)
{
	(void)state;
	stepped_wrong(HOUR);
}

static void test_clock_set_back(void **state)
{
	(void)state;
	stepped_wrong(-HOUR);
}

/* A restart between two settings of the clock: data that a former process stamped by the right clock
 * stays where it is. */
static void restarted_between(bool aws_first)
{
	int64_t start = w.true_ms;

	w.mode = ANSWER_SILENCE;
	begin_healthy();
	run_for(10 * MINUTE);
	finish();
	w.error_ms = -HOUR;
	begin();
	run_for(MINUTE);
	if (!aws_first)
		w.error_ms = 0;
	run_for(MINUTE);
	w.mode = ANSWER_OK;
	run_for(10 * MINUTE);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_restarted_then_set_right(void **state)
{
	(void)state;
	restarted_between(false);
}

static void test_restarted_then_told(void **state)
{
	(void)state;
	restarted_between(true);
}

/* A restart of the process alone: the clock is the same one, and the data of both moves. */
static void test_restarted_with_a_wrong_clock(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	w.error_ms = HOUR;
	w.mode = ANSWER_SILENCE;
	begin_healthy();
	run_for(5 * MINUTE);
	finish();
	begin();
	run_for(5 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

/* A wrong clock and queued data: no data is dropped as too old before AWS's time is known. */
static void test_wrong_clock_costs_nothing(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_SILENCE;
	run_for(10 * MINUTE);
	w.error_ms = 40 * 24 * (int64_t)HOUR; /* a month ahead, after a restart */
	finish();
	begin();
	run_for(10 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
}

/* A small skew is not corrected; a skew of 30 s is. */
static void test_small_skew_is_not_corrected(void **state)
{
	(void)state;
	w.error_ms = 1200;
	begin_healthy();
	run_for(2 * MINUTE);
	assert_int_equal(w.fact_value[FACT_SKEW], 0);
	w.error_ms = -30 * SECOND;
	run_for(2 * MINUTE);
	assert_true(llabs(w.fact_value[FACT_SKEW] - 30 * SECOND) < 2 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		push_test(test_clock_ahead_at_boot),
		push_test(test_clock_behind_at_boot),
		push_test(test_set_right_first_behind),
		push_test(test_set_right_first_ahead),
		push_test(test_set_right_first_far_ahead),
		push_test(test_set_right_first_far_behind),
		push_test(test_set_wrong_first),
		push_test(test_clock_set_ahead),
		push_test(test_clock_set_back),
		push_test(test_restarted_then_set_right),
		push_test(test_restarted_then_told),
		push_test(test_restarted_with_a_wrong_clock),
		push_test(test_wrong_clock_costs_nothing),
		push_test(test_small_skew_is_not_corrected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
