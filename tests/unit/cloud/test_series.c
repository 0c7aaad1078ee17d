/* Windows of samples, and the clock that stamps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cloud_metric.h"

static void add(struct series *series, int64_t at_ms, unsigned permille, int64_t span_ms)
{
	const struct cpu_sample sample = { .permille = permille, .span_ms = span_ms };

	series_add(series, at_ms, &sample);
}

static void test_window(void **state)
{
	struct series series;
	struct datum datum;

	(void)state;
	series = (struct series){ .push_ms = 10000 };
	assert_false(series_close(&series, &datum));
	assert_true(series_fits(&series, 1234567));
	add(&series, 1234567, 300, 1000);
	add(&series, 1235567, 100, 1000);
	add(&series, 1236567, 300, 1000);
	assert_true(series_fits(&series, 1239999));
	assert_true(series_fits(&series, 1230000));
	assert_false(series_fits(&series, 1240000));
	assert_false(series_fits(&series, 1229999));
	assert_true(series_close(&series, &datum));
	assert_int_equal(datum.at_ms, 1230000);
	assert_int_equal(datum.count, 2);
	assert_int_equal(datum.value[0].permille, 100);
	assert_int_equal(datum.value[0].weight, 1);
	assert_int_equal(datum.value[1].permille, 300);
	assert_int_equal(datum.value[1].weight, 2);
	assert_false(series_close(&series, &datum));
}

static void test_weight(void **state)
{
	static const struct {
		int64_t span_ms;
		unsigned weight;
	} rows[] = {
		{ 1, 1 },    { 400, 1 },  { 1000, 1 },   { 1499, 1 },     { 1500, 2 },
		{ 3000, 3 }, { 9400, 9 }, { 10000, 10 }, { 3600000, 10 },
	};
	struct series series;
	struct datum datum;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		series = (struct series){ .push_ms = 10000 };
		add(&series, 5000, 500, rows[i].span_ms);
		assert_true(series_close(&series, &datum));
		assert_int_equal(datum.value[0].weight, rows[i].weight);
	}
}

/* The longest window, with a new value in each sample, has far fewer than 150 unique values.
 * With a clock that hardly moves a window becomes full, which does no harm. */
static void test_unique_values(void **state)
{
	struct series series;
	struct datum datum;
	unsigned closed = 0;

	(void)state;
	series = (struct series){ .push_ms = 60000 };
	for (unsigned i = 0; i < 60; i++)
		add(&series, i * 1000, i * 7, 1000);
	assert_true(series_close(&series, &datum));
	assert_int_equal(datum.count, 60);
	for (unsigned i = 0; i < 400; i++) {
		if (!series_fits(&series, 100)) {
			assert_true(series_close(&series, &datum));
			assert_int_equal(datum.count, DATUM_VALUES_MAX);
			closed++;
		}
		add(&series, 100, i, 1000);
	}
	assert_int_equal(closed, 2);
}

static void test_step(void **state)
{
	struct skew skew;
	int64_t now = 1000, wall = 1700000000000;

	(void)state;
	skew_init(&skew, now, wall);
	assert_false(skew.known);
	/* Slewed by a tenth of a second each second, for an hour: no step. */
	for (int i = 0; i < 3600; i++) {
		now += 1000;
		wall += 1100;
		assert_int_equal(skew_turn(&skew, now, wall), 0);
	}
	skew_learn(&skew, wall + 60000, wall, 100);
	assert_true(skew.known);
	/* A process that was stopped for an hour sees no step either. */
	now += 3600000;
	wall += 3600000;
	assert_int_equal(skew_turn(&skew, now, wall), 0);
	assert_true(skew.ms != 0);
	now += 1000;
	wall += 1000 - 60000;
	assert_int_equal(skew_turn(&skew, now, wall), -60000);
	assert_false(skew.known);
	assert_int_equal(skew.ms, 0);
}

static void test_learn(void **state)
{
	struct skew skew;
	int64_t wall = 1700000000000;

	(void)state;
	skew_init(&skew, 0, wall);
	assert_int_equal(skew_learn(&skew, 0, wall, 100), 0); /* no Date header */
	assert_false(skew.known);
	assert_int_equal(skew_learn(&skew, wall + 1000, wall, 100), 0); /* below 2 s */
	assert_true(skew.known);
	assert_int_equal(wall + skew.ms, wall);
	/* Measured at the middle of the request; Date is cut: half a second is added. */
	assert_int_equal(skew_learn(&skew, wall + 3600000, wall, 400), 3600300);
	assert_int_equal(wall + skew.ms, wall + 3600300);
	/* A difference within the uncertainty is no change. */
	assert_int_equal(skew_learn(&skew, wall + 3601000, wall, 100), 0);
	assert_int_equal(skew.ms, 3600300);
	/* A slow answer is imprecise: Date may be of any instant of the 20 s. */
	assert_int_equal(skew_learn(&skew, wall + 3611000, wall, 20000), 0);
	assert_int_equal(skew_learn(&skew, wall + 100, wall, 100), -3600300);
	assert_int_equal(skew.ms, 0);
	assert_int_equal(skew_learn(&skew, wall - 3600000, wall, 0), -3599500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),        cmocka_unit_test(test_weight),
		cmocka_unit_test(test_unique_values), cmocka_unit_test(test_step),
		cmocka_unit_test(test_learn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
