/* The ring of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core.h"

static struct timeline timeline;

static void oldest_first_and_bounded(void **state)
{
	char text[32];

	(void)state;
	memset(&timeline, 0, sizeof timeline);
	assert_int_equal(timeline_kept(&timeline), 0);
	assert_null(timeline_get(&timeline, 0));
	for (int i = 0; i < 3 * LIMIT_TIMELINE + 5; i++) {
		snprintf(text, sizeof text, "line %d", i);
		timeline_add(&timeline, i, text);
		assert_string_equal(timeline_get(&timeline, timeline_kept(&timeline) - 1)->what,
		                    text);
	}
	assert_int_equal(timeline_kept(&timeline), LIMIT_TIMELINE);
	for (unsigned i = 0; i < LIMIT_TIMELINE; i++)
		assert_int_equal(timeline_get(&timeline, i)->wall_ms, 2 * LIMIT_TIMELINE + 5 + i);
	assert_null(timeline_get(&timeline, LIMIT_TIMELINE));
}

static void lines_are_cleaned_and_cut(void **state)
{
	static char text[1000];

	(void)state;
	memset(&timeline, 0, sizeof timeline);
	memset(text, 'a', sizeof text - 1);
	text[1] = '\n';
	timeline_add(&timeline, 0, text);
	assert_int_equal(strlen(timeline_get(&timeline, 0)->what), TIMELINE_TEXT - 1);
	assert_null(strchr(timeline_get(&timeline, 0)->what, '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oldest_first_and_bounded),
		cmocka_unit_test(lines_are_cleaned_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
