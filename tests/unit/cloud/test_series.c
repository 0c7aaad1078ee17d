/* Windows of samples, and the clock that stamps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "series.h"
#include "skew.h"

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
	series_init(&series, 10000);
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
		series_init(&series, 10000);
		add(&series, 5000, 500, rows[i].span_ms);
		assert_true(series_close(&series, &datum));
		assert_int_equal(datum.value[0].weight, rows[i].weight);
	}
}

static void test_before_1970(void **state)
{
	struct series series;
	struct datum datum;

	(void)state;
	series_init(&series, 60000);
	add(&series, -1, 0, 1000);
	assert_true(series_close(&series, &datum));
	assert_int_equal(datum.at_ms, -60000);
}

/* The longest window, each sample another value: far from 150 unique ones; and a
 * clock that hardly moves fills a window without harm. */
static void test_unique_values(void **state)
{
	struct series series;
	struct datum datum;
	unsigned closed = 0;

	(void)state;
	series_init(&series, 60000);
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

static void test_pack(void **state)
{
	uint8_t packed[DATUM_PACKED_MAX];
	struct series series;
	struct datum datum, back = { .at_ms = 42 };
	size_t len;

	(void)state;
	series_init(&series, 60000);
	for (unsigned i = 0; i < 60; i++)
		add(&series, 1, i * 17 % 1001, 1000 + i * 100);
	assert_true(series_close(&series, &datum));
	len = datum_pack(&datum, packed);
	assert_int_equal(len, 240);
	assert_true(datum_unpack(packed, len, &back));
	assert_int_equal(back.at_ms, 42);
	assert_int_equal(back.count, datum.count);
	assert_memory_equal(back.value, datum.value, datum.count * sizeof(datum.value[0]));
}

static void test_unpack_refuses(void **state)
{
	static const uint8_t good[] = { 0, 1, 0, 1, 3, 232, 0, 9 };
	static const struct {
		size_t len;
		uint8_t bytes[8];
	} bad[] = {
		{ 0, { 0 } },                      /* nothing */
		{ 7, { 0, 1, 0, 1, 3, 232, 0 } },  /* cut */
		{ 4, { 3, 233, 0, 1 } },           /* 100.1 percent */
		{ 4, { 0, 1, 0, 0 } },             /* never */
		{ 8, { 0, 1, 0, 1, 0, 1, 0, 1 } }, /* twice */
		{ 8, { 0, 2, 0, 1, 0, 1, 0, 1 } }, /* not ascending */
	};
	uint8_t many[DATUM_PACKED_MAX + 4];
	struct datum datum = { .count = 99 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(datum_unpack(bad[i].bytes, bad[i].len, &datum));
	for (size_t i = 0; i < sizeof(many); i += 4)
		memcpy(many + i, (uint8_t[]){ (uint8_t)(i / 4 >> 8), (uint8_t)(i / 4), 0, 1 }, 4);
	assert_false(datum_unpack(many, sizeof(many), &datum));
	assert_int_equal(datum.count, 99);
	assert_true(datum_unpack(many, sizeof(many) - 4, &datum));
	assert_int_equal(datum.count, DATUM_VALUES_MAX);
	assert_true(datum_unpack(good, sizeof(good), &datum));
	assert_int_equal(datum.count, 2);
}

static void test_step(void **state)
{
	struct skew skew = { 0 };
	int64_t era, now = 1000, wall = 1700000000000;

	(void)state;
	assert_true(skew_turn(&skew, now, wall, 1));
	assert_false(skew.known);
	era = skew.era;
	/* Slewed by a tenth of a second each second, for an hour: no step. */
	for (int i = 0; i < 3600; i++) {
		now += 1000;
		wall += 1100;
		assert_false(skew_turn(&skew, now, wall, 2));
	}
	assert_int_equal(skew.era, era);
	skew_learn(&skew, wall + 60000, wall, 100);
	assert_true(skew.known);
	/* Neither is a process that was stopped. */
	now += 3600000;
	wall += 3600000;
	assert_false(skew_turn(&skew, now, wall, 3));
	assert_true(skew.ms != 0);
	now += 1000;
	wall += 1000 - 60000;
	assert_true(skew_turn(&skew, now, wall, 4));
	assert_true(skew.era != era);
	assert_false(skew.known);
	assert_int_equal(skew.ms, 0);
}

static void test_learn(void **state)
{
	struct skew skew = { 0 };
	int64_t wall = 1700000000000;

	(void)state;
	skew_turn(&skew, 0, wall, 1);
	assert_int_equal(skew_learn(&skew, 0, wall, 100), 0); /* no Date header */
	assert_false(skew.known);
	assert_int_equal(skew_learn(&skew, wall + 1000, wall, 100), 0); /* below 2 s */
	assert_true(skew.known);
	assert_int_equal(skew_true_ms(&skew, wall), wall);
	/* The middle of the request, and half of Date's second. */
	assert_int_equal(skew_learn(&skew, wall + 3600000, wall, 400), 3600300);
	assert_int_equal(skew_true_ms(&skew, wall), wall + 3600300);
	/* Around it, no news. */
	assert_int_equal(skew_learn(&skew, wall + 3601000, wall, 100), 0);
	assert_int_equal(skew.ms, 3600300);
	/* A slow answer says little: 20 s may be all of them on the way. */
	assert_int_equal(skew_learn(&skew, wall + 3611000, wall, 20000), 0);
	assert_int_equal(skew_learn(&skew, wall + 100, wall, 100), -3600300);
	assert_int_equal(skew.ms, 0);
	assert_int_equal(skew_learn(&skew, wall - 3600000, wall, 0), -3599500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),      cmocka_unit_test(test_weight),
		cmocka_unit_test(test_before_1970), cmocka_unit_test(test_unique_values),
		cmocka_unit_test(test_pack),        cmocka_unit_test(test_unpack_refuses),
		cmocka_unit_test(test_step),        cmocka_unit_test(test_learn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
