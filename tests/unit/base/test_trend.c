/* A trend: what a point is, where the gaps are, and that its text says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "trend.h"

enum { LAST = TREND_POINTS - 1 };

static int64_t point[TREND_POINTS];

static const char *points_of(const struct trend *trend)
{
	static char text[LIMIT_FACT_WHY];

	memset(text, 'x', sizeof text);
	trend_text(trend, text);
	assert_true(strlen(text) == 2 * TREND_POINTS);
	trend_parse(text, point);
	return text;
}

static void a_point_is_complete_with_its_minute(void **state)
{
	struct trend largest = { .mean = false }, mean = { .mean = true };
	static const int64_t values[] = { 30, 10, 20 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_false(trend_add(&largest, 60000 + i * 29999, values[i]));
		assert_false(trend_add(&mean, 60000 + i * 29999, values[i]));
	}
	points_of(&largest);
	assert_int_equal(point[LAST], -1);
	assert_true(trend_add(&largest, 120000, 7));
	assert_true(trend_add(&mean, 120000, 7));
	assert_int_equal(largest.minute, 2);
	points_of(&largest);
	assert_int_equal(point[LAST], 30);
	assert_int_equal(point[LAST - 1], -1);
	points_of(&mean);
	assert_int_equal(point[LAST], 20);
}

/* Minutes without a value are points without a value, not points that are left out. */
static void gaps_stay_where_they_are(void **state)
{
	struct trend trend = { .mean = false };

	(void)state;
	trend_add(&trend, 0, 1);
	assert_true(trend_add(&trend, INT64_C(4) * TREND_MINUTE_MS, 5));
	points_of(&trend);
	assert_int_equal(point[LAST], -1);
	assert_int_equal(point[LAST - 2], -1);
	assert_int_equal(point[LAST - 3], 1);
	assert_true(trend_add(&trend, INT64_C(5) * TREND_MINUTE_MS, 6));
	points_of(&trend);
	assert_int_equal(point[LAST], 5);
	assert_int_equal(point[LAST - 4], 1);
	/* Longer than the trend: nothing is left of before. */
	assert_true(trend_add(&trend, INT64_C(500) * TREND_MINUTE_MS, 7));
	points_of(&trend);
	for (int i = 0; i < TREND_POINTS; i++)
		assert_int_equal(point[i], -1);
	assert_int_equal(trend.minute, 500);
}

static void every_value_comes_back_within_a_percent(void **state)
{
	(void)state;
	for (int64_t value = 0; value < INT64_C(1) << 37; value += 1 + value / 300) {
		struct trend trend = { .mean = false };

		trend_add(&trend, 0, value);
		trend_add(&trend, TREND_MINUTE_MS, 0);
		points_of(&trend);
		assert_true(point[LAST] >= value - value / 100);
		assert_true(point[LAST] <= value);
		if (value < 256)
			assert_int_equal(point[LAST], value);
	}
}

/* What a fact of a taken-over process could have: it is read without harm. */
static void a_foreign_text_is_no_value(void **state)
{
	struct trend trend = { .mean = false };

	(void)state;
	trend_add(&trend, 0, INT64_MAX);
	trend_add(&trend, TREND_MINUTE_MS, 0);
	assert_string_equal(points_of(&trend) + 2 * LAST, "//");
	trend_parse("", point);
	assert_int_equal(point[0], -1);
	trend_parse("AB<\"AC=AD", point);
	assert_int_equal(point[0], 0);
	assert_int_equal(point[1], -1);
	assert_int_equal(point[2], 1);
	assert_int_equal(point[3], -1);
	assert_int_equal(point[4], -1);
	assert_int_equal(point[LAST], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_point_is_complete_with_its_minute),
		cmocka_unit_test(gaps_stay_where_they_are),
		cmocka_unit_test(every_value_comes_back_within_a_percent),
		cmocka_unit_test(a_foreign_text_is_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
