/* The rhythm of the checks, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "clock.h"

enum { T0 = 1000000 };

/* clock_jitter's middle, so that periods can be counted. */
enum { RANDOM_MIDDLE = 0x80000000u };

static struct conf_checks conf_of(int count, int64_t interval_ms, int64_t timeout_ms)
{
	struct conf_checks conf = { .count = count };

	for (int i = 0; i < count; i++) {
		conf.item[i].interval_ms = interval_ms;
		conf.item[i].timeout_ms = timeout_ms;
	}
	return conf;
}

static void starts_at_once(void **state)
{
	struct conf_checks conf = conf_of(3, 5000, 1000);
	struct check_sched sched;

	(void)state;
	check_sched_init(&sched, &conf, T0);
	assert_int_equal(check_sched_next(&sched), T0);
	for (int i = 0; i < 3; i++) {
		int due = check_sched_due(&sched, T0);

		assert_int_equal(due, i);
		check_sched_start(&sched, due, T0);
	}
	assert_int_equal(check_sched_due(&sched, T0), -1);
	assert_true(check_sched_next(&sched) == INT64_MAX);
}

/* Runs one check for `span_ms`; each run takes 5 ms and ends as good(nth) says. */
static int runs_in(struct check_sched *sched, int64_t *now, int64_t span_ms, bool good)
{
	int64_t end = *now + span_ms;
	int runs = 0;

	while (check_sched_next(sched) <= end) {
		int64_t before = *now;

		*now = check_sched_next(sched) > *now ? check_sched_next(sched) : *now;
		assert_true(*now >= before);
		assert_int_equal(check_sched_due(sched, *now), 0);
		check_sched_start(sched, 0, *now);
		*now += 5;
		check_sched_done(sched, 0, good, *now, (uint32_t)(runs * 2654435761u));
		runs++;
	}
	*now = end;
	return runs;
}

static void fast_until_first_success(void **state)
{
	struct conf_checks conf = conf_of(1, 10000, 1000);
	struct check_sched sched;
	int64_t now = T0;
	int runs;

	(void)state;
	check_sched_init(&sched, &conf, now);
	runs = runs_in(&sched, &now, 60000, false);
	assert_in_range(runs, 110, 134); /* every 500 ms, a tenth either way */
	runs = runs_in(&sched, &now, 3600000, true);
	assert_in_range(runs, 330, 400); /* every 10 s */
	/* After the first success failures do not change the interval. */
	runs = runs_in(&sched, &now, 3600000, false);
	assert_in_range(runs, 330, 400);
}

static void short_interval_is_not_slowed(void **state)
{
	struct conf_checks conf = conf_of(1, 200, 100);
	struct check_sched sched;
	int64_t now = T0;

	(void)state;
	check_sched_init(&sched, &conf, now);
	assert_in_range(runs_in(&sched, &now, 60000, false), 270, 340);
}

static void jitter_is_within_a_tenth(void **state)
{
	struct conf_checks conf = conf_of(1, 10000, 1000);
	int64_t least = INT64_MAX, most = 0;
	struct check_sched sched;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		int64_t period;

		check_sched_init(&sched, &conf, T0);
		check_sched_start(&sched, 0, T0);
		check_sched_done(&sched, 0, true, T0 + 3, i * 4294967u);
		period = check_sched_next(&sched) - T0;
		least = period < least ? period : least;
		most = period > most ? period : most;
	}
	assert_in_range(least, 9000, 9100);
	assert_in_range(most, 10900, 11000);
}

static void missed_turns_are_not_made_up_for(void **state)
{
	struct conf_checks conf = conf_of(1, 1000, 60000);
	struct check_sched sched;

	(void)state;
	check_sched_init(&sched, &conf, T0);
	check_sched_start(&sched, 0, T0);
	check_sched_done(&sched, 0, true, T0 + 30000, RANDOM_MIDDLE);
	assert_int_equal(check_sched_next(&sched), T0 + 30000);
	check_sched_start(&sched, 0, T0 + 30000);
	check_sched_done(&sched, 0, true, T0 + 30001, RANDOM_MIDDLE);
	assert_true(check_sched_next(&sched) > T0 + 30001 + 800);
}

static void most_overdue_first(void **state)
{
	struct conf_checks conf = conf_of(2, 1000, 100);
	struct check_sched sched;

	(void)state;
	check_sched_init(&sched, &conf, T0);
	sched.item[0].next_ms = T0 + 20;
	sched.item[1].next_ms = T0 + 10;
	assert_int_equal(check_sched_due(&sched, T0 + 9), -1);
	assert_int_equal(check_sched_due(&sched, T0 + 10), 1);
	assert_int_equal(check_sched_due(&sched, T0 + 100), 1);
}

static void late_means_that_we_slept(void **state)
{
	struct conf_checks conf = conf_of(1, 10000, 1000);
	struct check_sched sched;

	(void)state;
	check_sched_init(&sched, &conf, T0);
	check_sched_start(&sched, 0, T0);
	assert_false(check_sched_late(&sched, 0, T0 + 1000));
	assert_false(check_sched_late(&sched, 0, T0 + 1000 + CHECK_LATE_MS));
	assert_true(check_sched_late(&sched, 0, T0 + 1001 + CHECK_LATE_MS));
	/* A void run is neither success nor failure, and is due again now. */
	check_sched_void(&sched, 0, T0 + 9000);
	assert_int_equal(check_sched_due(&sched, T0 + 9000), 0);
	assert_false(sched.item[0].succeeded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_at_once),
		cmocka_unit_test(fast_until_first_success),
		cmocka_unit_test(short_interval_is_not_slowed),
		cmocka_unit_test(jitter_is_within_a_tenth),
		cmocka_unit_test(missed_turns_are_not_made_up_for),
		cmocka_unit_test(most_overdue_first),
		cmocka_unit_test(late_means_that_we_slept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
