/* The control socket: its two words, and who may say which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "control.h"

static enum control_verb parse(const char *text)
{
	return control_parse(text, strlen(text), 32);
}

static void words(void **state)
{
	(void)state;
	assert_int_equal(parse("status\n"), CONTROL_STATUS);
	assert_int_equal(parse("reload\n"), CONTROL_RELOAD);
	assert_int_equal(parse("status\nreload\n"), CONTROL_STATUS);
	assert_int_equal(parse(""), CONTROL_MORE);
	assert_int_equal(parse("statu"), CONTROL_MORE);
	assert_int_equal(parse("status"), CONTROL_MORE);
	assert_int_equal(parse("\n"), CONTROL_UNKNOWN);
	assert_int_equal(parse("Status\n"), CONTROL_UNKNOWN);
	assert_int_equal(parse("status \n"), CONTROL_UNKNOWN);
	assert_int_equal(parse("status\r\n"), CONTROL_UNKNOWN);
	assert_int_equal(parse("reload now\n"), CONTROL_UNKNOWN);
	assert_int_equal(parse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), CONTROL_MORE);
	assert_int_equal(parse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), CONTROL_UNKNOWN);
}

static void only_root_changes_anything(void **state)
{
	(void)state;
	assert_int_equal(control_permitted(CONTROL_STATUS, 0), 0);
	assert_int_equal(control_permitted(CONTROL_STATUS, 1000), 0);
	assert_int_equal(control_permitted(CONTROL_RELOAD, 0), 0);
	assert_int_equal(control_permitted(CONTROL_RELOAD, 1000), -EPERM);
	/* What peer_uid says when the kernel does not. */
	assert_int_equal(control_permitted(CONTROL_RELOAD, (uid_t)-1), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(only_root_changes_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
