/* The one line of a helper's output that becomes the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "said.h"

static const char *last_of(const char *text)
{
	static struct said said;

	said_init(&said);
	/* Byte by byte: a pipe cuts where it likes. */
	for (const char *p = text; *p; p++)
		said_feed(&said, p, 1);
	return said_last(&said);
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

static void endless(void **state)
{
	struct said said;
	char noise[4096];

	(void)state;
	memset(noise, 'x', sizeof noise);
	said_init(&said);
	for (int i = 0; i < 100; i++)
		said_feed(&said, noise, sizeof noise);
	assert_int_equal(strlen(said_last(&said)), LIMIT_FACT_WHY - 1);
	said_feed(&said, "\nthe end\n", 9);
	assert_string_equal(said_last(&said), "the end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meaning),
		cmocka_unit_test(endless),
	};

	return cmocka_run_group_tests_name("mount/said", tests, NULL, NULL);
}
