/* Rise, fall, the first success, and what a restart carries over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "window.h"

static void first_success_suffices(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, false, false);
	assert_false(window_put(&w, false, 3, 2));
	assert_true(window_put(&w, true, 3, 2));
	assert_true(w.good);
}

static void proven_windows_rise_by_their_threshold(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, false, true);
	assert_false(window_put(&w, true, 3, 2));
	assert_false(window_put(&w, true, 3, 2));
	assert_true(window_put(&w, true, 3, 2));
	assert_true(w.good);
}

static void initial_good_falls_by_its_threshold(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, true, false);
	assert_false(window_put(&w, false, 1, 2));
	assert_true(w.good);
	assert_true(window_put(&w, false, 1, 2));
	assert_false(w.good);
}

/* Against the definition, over every sequence of 12 results and all thresholds
 * up to 4: bad after `fall` bad ones in a row, good after `rise` good ones. */
static void every_sequence(void **state)
{
	(void)state;
	for (int rise = 1; rise <= 4; rise++) {
		for (int fall = 1; fall <= 4; fall++) {
			for (unsigned bits = 0; bits < 1u << 12; bits++) {
				struct window w;
				int good = 0, bad = 0, is_good = 1, proven = 0;

				window_init(&w, true, false);
				for (int i = 0; i < 12; i++) {
					int result = bits >> i & 1u;

					good = result ? good + 1 : 0;
					bad = result ? 0 : bad + 1;
					if (good >= rise || (result && !proven))
						is_good = 1;
					if (bad >= fall)
						is_good = 0;
					proven |= result;
					window_put(&w, result, rise, fall);
					assert_int_equal(w.good, is_good);
					assert_int_equal(window_run(&w), good + bad);
				}
			}
		}
	}
}

static void runs_longer_than_the_register(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, true, true);
	for (int i = 0; i < 100; i++)
		window_put(&w, false, 32, 32);
	assert_false(w.good);
	assert_int_equal(window_run(&w), 32);
	for (int i = 0; i < 31; i++)
		assert_false(window_put(&w, true, 32, 32));
	assert_true(window_put(&w, true, 32, 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_success_suffices),
		cmocka_unit_test(proven_windows_rise_by_their_threshold),
		cmocka_unit_test(initial_good_falls_by_its_threshold),
		cmocka_unit_test(every_sequence),
		cmocka_unit_test(runs_longer_than_the_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
