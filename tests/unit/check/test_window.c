/* Rise, fall, the first success, and when a window has decided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check.h"

static void put(struct check_window *window, const char *results, int32_t rise, int32_t fall)
{
	for (; *results != '\0'; results++)
		check_window_put(window, *results == '+', rise, fall);
}

/* Against the definition, over every sequence of 12 results and all thresholds
 * up to 4: bad after `fall` bad ones in a row, good after `rise` good ones. */
static void every_sequence(void **state)
{
	(void)state;
	for (int rise = 1; rise <= 4; rise++) {
		for (int fall = 1; fall <= 4; fall++) {
			for (unsigned bits = 0; bits < 1u << 12; bits++) {
				int good = 0, bad = 0, expected = -1, proven = 0;
				struct check_window window = { 0 };

				for (int i = 0; i < 12; i++) {
					int result = bits >> i & 1u;

					good = result ? good + 1 : 0;
					bad = result ? 0 : bad + 1;
					if (good >= rise || (result && !proven))
						expected = CHECK_GOOD;
					if (bad >= fall)
						expected = CHECK_BAD;
					proven |= result;
					check_window_put(&window, result, rise, fall);
					assert_int_equal(window.decided, expected >= 0);
					if (window.decided)
						assert_int_equal(window.state, expected);
					assert_int_equal(window.run, good + bad);
				}
			}
		}
	}
}

static void runs_are_counted_up_to_the_limit(void **state)
{
	struct check_window window = { 0 };

	(void)state;
	put(&window, "+", 32, 32);
	for (int i = 0; i < 100; i++)
		put(&window, "-", 32, 32);
	assert_int_equal(window.state, CHECK_BAD);
	assert_int_equal(window.run, CHECK_RUN_MAX);
	for (int i = 0; i < 31; i++)
		put(&window, "+", 32, 32);
	assert_int_equal(window.state, CHECK_BAD);
	put(&window, "+", 32, 32);
	assert_int_equal(window.state, CHECK_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence),
		cmocka_unit_test(runs_are_counted_up_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
