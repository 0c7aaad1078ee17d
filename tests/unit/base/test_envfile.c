/* KEY=value files, as their owner may have left them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "envfile.h"

static char dir[] = "/tmp/wna-envfile-XXXXXX";
static char path[64], other[64];

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/file", dir);
	snprintf(other, sizeof other, "%s/other", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return 0;
}

static void write_file(const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void regular_file(void **state)
{
	char text[16];

	(void)state;
	write_file("A=1\n", 4);
	assert_int_equal(envfile_read(path, text, sizeof text), 0);
	assert_string_equal(text, "A=1\n");
	write_file("", 0);
	assert_int_equal(envfile_read(path, text, sizeof text), 0);
	assert_string_equal(text, "");
}

static void size(void **state)
{
	char text[16];

	(void)state;
	write_file("0123456789abcde", 15);
	assert_int_equal(envfile_read(path, text, sizeof text), 0);
	write_file("0123456789abcdef", 16);
	assert_int_equal(envfile_read(path, text, sizeof text), -EFBIG);
	assert_string_equal(text, "");
}

static void not_a_file(void **state)
{
	char text[16];

	(void)state;
	assert_int_equal(envfile_read(path, text, sizeof text), -ENOENT);
	assert_int_equal(envfile_read(dir, text, sizeof text), -EINVAL);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(envfile_read(path, text, sizeof text), -EINVAL);
	unlink(path);
	write_file("A=1\n", 4);
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(envfile_read(other, text, sizeof text), -ELOOP);
	write_file("A\0B\n", 4);
	assert_int_equal(envfile_read(path, text, sizeof text), -EINVAL);
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
		cmocka_unit_test_teardown(regular_file, remove_files),
		cmocka_unit_test_teardown(size, remove_files),
		cmocka_unit_test_teardown(not_a_file, remove_files),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
