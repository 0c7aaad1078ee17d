/* The one line of a helper's output that becomes the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mount.h"

static const char *last_of(const char *text)
{
	static char said[LIMIT_FACT_WHY];

	return attempt_said(text, strlen(text), said, sizeof said);
}

static void meaning(void **state)
{
	(void)state;
	assert_string_equal(last_of(""), "");
	assert_string_equal(last_of("\n\n \r\n"), "");
	assert_string_equal(last_of("one\ntwo\n"), "two");
	assert_string_equal(last_of("one\nunfinished"), "unfinished");
	assert_string_equal(
	        last_of("Failed to resolve \"x\"\nSee https://docs.aws.amazon.com/x\n\n"),
	        "Failed to resolve \"x\"");
	assert_string_equal(last_of("b'mount.nfs4: access denied by server'\n"),
	                    "mount.nfs4: access denied by server");
	assert_string_equal(last_of("b'\n"), "b'");
	assert_string_equal(last_of("bad \033[31mred\033[0m\ttext\n"), "bad ?[31mred?[0m text");
}

/* Output whose beginning was cut off, or that is longer than a reason. */
static void long_ones(void **state)
{
	static char noise[4096];

	(void)state;
	memset(noise, 'x', sizeof noise - 1);
	assert_int_equal(strlen(last_of(noise)), LIMIT_FACT_WHY - 1);
	memcpy(noise + sizeof noise - 9, "\nthe end", 9);
	assert_string_equal(last_of(noise), "the end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meaning),
		cmocka_unit_test(long_ones),
	};

	return cmocka_run_group_tests_name("mount/said", tests, NULL, NULL);
}
