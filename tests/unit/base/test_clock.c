/* Spans, stamps, jitter and back-off: their bounds, over their whole range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"

static void stamps(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(clock_iso8601(0, text, sizeof text), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_iso8601(1763886930500, text, sizeof text),
	                    "2025-11-23T08:35:30Z");
	assert_string_equal(clock_iso8601(-1, text, sizeof text), "");
	assert_string_equal(clock_iso8601(INT64_MAX, text, sizeof text), "");
	assert_string_equal(clock_iso8601(0, text, 5), "");
}

static void spans(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(clock_span(400, text, sizeof text), "0.4 s");
	assert_string_equal(clock_span(9999, text, sizeof text), "9.9 s");
	assert_string_equal(clock_span(38000, text, sizeof text), "38 s");
	assert_string_equal(clock_span(250000, text, sizeof text), "4 min 10 s");
	assert_string_equal(clock_span(7500000, text, sizeof text), "2 h 5 min");
	assert_string_equal(clock_span(273600000, text, sizeof text), "3 d 4 h");
	assert_string_equal(clock_span(-5, text, sizeof text), "0.0 s");
}

static void jitter_stays_within_its_share(void **state)
{
	int64_t lowest = INT64_MAX, highest = 0;

	(void)state;
	for (uint32_t r = 0; r < 5000; r++) {
		int64_t ms = clock_jitter(1000, 10, r * 2654435761u);

		assert_in_range(ms, 900, 1100);
		lowest = ms < lowest ? ms : lowest;
		highest = ms > highest ? ms : highest;
	}
	assert_true(lowest < 910 && highest > 1090);
	assert_int_equal(clock_jitter(1000, 0, 123), 1000);
	assert_int_equal(clock_jitter(0, 10, 123), 1);
	assert_true(clock_jitter(1, 100, 0) >= 1);
	assert_true(clock_jitter(INT64_MAX / 4, 100, UINT32_MAX) > 0);
}

static void backoff_doubles_to_its_cap(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < 2000; r++) {
		uint32_t bits = r * 2654435761u;

		assert_in_range(clock_backoff(0, 200, 30000, bits), 100, 200);
		assert_in_range(clock_backoff(3, 200, 30000, bits), 800, 1600);
		assert_in_range(clock_backoff(20, 200, 30000, bits), 15000, 30000);
		assert_in_range(clock_backoff(4000000, 200, 30000, bits), 15000, 30000);
	}
	assert_true(clock_backoff(0, 0, 0, 1) >= 1);
}

static void monotonic_is_monotonic(void **state)
{
	int64_t last = clock_us();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_us();

		assert_true(now >= last);
		last = now;
	}
	assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps),
		cmocka_unit_test(spans),
		cmocka_unit_test(jitter_stays_within_its_share),
		cmocka_unit_test(backoff_doubles_to_its_cap),
		cmocka_unit_test(monotonic_is_monotonic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
