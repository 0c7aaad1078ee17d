/* Small files, valid and hostile. */
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

#include "file.h"

static char dir[] = "/tmp/wna-file-XXXXXX";
static char path[64], other[64];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
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

static void put(const char *data, size_t len)
{
	assert_int_equal(file_write(dir, "file", data, len), 0);
}

static ssize_t load(char *ret, size_t size)
{
	return file_load(AT_FDCWD, path, FILE_OF_ANYBODY, ret, size);
}

static void what_was_written_is_read(void **state)
{
	char text[16];
	struct stat st;

	(void)state;
	umask(077);
	put("A=1\n", 4);
	umask(022);
	assert_int_equal(load(text, sizeof text), 4);
	assert_string_equal(text, "A=1\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	put("", 0);
	assert_int_equal(load(text, sizeof text), 0);
	assert_string_equal(text, "");
	put("A\0B", 3);
	assert_int_equal(load(text, sizeof text), 3);
	assert_memory_equal(text, "A\0B", 4);
}

static void a_failed_write_changes_nothing(void **state)
{
	char text[16], temporary[96];

	(void)state;
	put("old", 3);
	snprintf(temporary, sizeof temporary, "%s/.file.%d.tmp", dir, getpid());
	assert_int_equal(mkdir(temporary, 0700), 0);
	assert_true(file_write(dir, "file", "new", 3) < 0);
	assert_int_equal(rmdir(temporary), 0);
	assert_int_equal(load(text, sizeof text), 3);
	assert_string_equal(text, "old");
	assert_int_equal(file_write("/nowhere", "file", "new", 3), -ENOENT);
}

/* A symbolic link in place of the temporary file is not followed. */
static void a_planted_link_is_not_written_through(void **state)
{
	char temporary[96];

	(void)state;
	snprintf(temporary, sizeof temporary, "%s/.file.%d.tmp", dir, getpid());
	assert_int_equal(symlink(other, temporary), 0);
	put("new", 3);
	assert_int_equal(access(other, F_OK), -1);
}

static void a_file_that_is_too_long_is_cut(void **state)
{
	char text[16];

	(void)state;
	put("0123456789abcde", 15);
	assert_int_equal(load(text, sizeof text), 15);
	put("0123456789abcdef", 16);
	assert_int_equal(load(text, sizeof text), -EFBIG);
	assert_string_equal(text, "0123456789abcde");
	/* A file of the kernel, which has size 0 for stat(2). */
	assert_int_equal(file_load(AT_FDCWD, "/proc/self/stat", FILE_OF_ANYBODY, text, sizeof text),
	                 -EFBIG);
}

static void what_is_no_regular_file(void **state)
{
	char text[16];

	(void)state;
	assert_int_equal(load(text, sizeof text), -ENOENT);
	assert_string_equal(text, "");
	assert_int_equal(file_load(AT_FDCWD, dir, FILE_OF_ANYBODY, text, sizeof text), -EINVAL);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load(text, sizeof text), -EINVAL);
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(file_load(AT_FDCWD, other, FILE_OF_ANYBODY, text, sizeof text), -ELOOP);
}

static int allows(mode_t mode, uid_t uid, gid_t gid, enum file_rule rule)
{
	struct stat st = { .st_mode = mode, .st_uid = uid, .st_gid = gid };

	return file_allows(&st, rule);
}

static void whose_file_it_must_be(void **state)
{
	(void)state;
	assert_int_equal(allows(S_IFREG | 0666, 33, 33, FILE_OF_ANYBODY), 0);
	assert_int_equal(allows(S_IFREG | 0644, 0, 33, FILE_OF_ROOT), 0);
	assert_int_equal(allows(S_IFREG | 0664, 0, 0, FILE_OF_ROOT), 0);
	assert_int_equal(allows(S_IFREG | 0664, 0, 33, FILE_OF_ROOT), -EPERM);
	assert_int_equal(allows(S_IFREG | 0646, 0, 0, FILE_OF_ROOT), -EPERM);
	assert_int_equal(allows(S_IFREG | 0600, 33, 0, FILE_OF_ROOT), -EPERM);
	assert_int_equal(allows(S_IFREG | 0640, 0, 33, FILE_OF_SECRET), 0);
	assert_int_equal(allows(S_IFREG | 0600, 0, 0, FILE_OF_SECRET), 0);
	assert_int_equal(allows(S_IFREG | 0660, 0, 33, FILE_OF_SECRET), -EPERM);
	assert_int_equal(allows(S_IFREG | 0644, 0, 33, FILE_OF_SECRET), -EPERM);
	assert_int_equal(allows(S_IFREG | 0640, 33, 33, FILE_OF_SECRET), -EPERM);
	assert_int_equal(allows(S_IFDIR | 0755, 0, 0, FILE_OF_ROOT), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_was_written_is_read, remove_files),
		cmocka_unit_test_teardown(a_failed_write_changes_nothing, remove_files),
		cmocka_unit_test_teardown(a_planted_link_is_not_written_through, remove_files),
		cmocka_unit_test_teardown(a_file_that_is_too_long_is_cut, remove_files),
		cmocka_unit_test_teardown(what_is_no_regular_file, remove_files),
		cmocka_unit_test(whose_file_it_must_be),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
