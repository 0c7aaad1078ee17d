/* KEY=value files, valid and invalid. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "envfile.h"
#include "file.h"

static void a_text_or_nothing(void **state)
{
	char path[64], name[32], text[16];

	(void)state;
	snprintf(name, sizeof name, "wna-envfile-%d", getpid());
	snprintf(path, sizeof path, "/tmp/%s", name);
	assert_int_equal(file_write("/tmp", name, "A=1\n", 4), 0);
	assert_int_equal(envfile_read(path, text, sizeof text), 0);
	assert_string_equal(text, "A=1\n");
	assert_int_equal(file_write("/tmp", name, "A\0B\n", 4), 0);
	assert_int_equal(envfile_read(path, text, sizeof text), -EINVAL);
	assert_string_equal(text, "");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(envfile_read(path, text, sizeof text), -ENOENT);
}

static void values(void **state)
{
	const char *text =
	        "A=10.16.5.149\nAB=2001:db8::5\nEMPTY=\nBAD=a b\nQUOTE=\"x\"\nA=second\nLAST=z";
	char value[32] = "untouched";

	(void)state;
	assert_true(envfile_get(text, "A", value, sizeof value));
	assert_string_equal(value, "10.16.5.149");
	assert_true(envfile_get(text, "AB", value, sizeof value));
	assert_string_equal(value, "2001:db8::5");
	assert_true(envfile_get(text, "LAST", value, sizeof value));
	assert_string_equal(value, "z");
	assert_true(envfile_get(text, "EMPTY", value, sizeof value));
	assert_string_equal(value, "");
	memcpy(value, "untouched", sizeof "untouched");
	assert_false(envfile_get(text, "B", value, sizeof value));
	assert_false(envfile_get(text, "BAD", value, sizeof value));
	assert_false(envfile_get(text, "QUOTE", value, sizeof value));
	assert_false(envfile_get(text, "A", value, 11));
	assert_false(envfile_get("", "A", value, sizeof value));
	assert_false(envfile_get("A", "A", value, sizeof value));
	assert_string_equal(value, "untouched");
	assert_true(envfile_get(text, "A", value, 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_or_nothing),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
