/* The list of guarded directories: what is believed of it, and how it is written. */
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

#include "guarded.h"

static char dir[] = "/tmp/wna-guarded.XXXXXX", file[64];
static struct guarded_list list;
static unsigned refused; /* a bit for each line */

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof file, "%s/" GUARDED_NAME, dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

static void note(void *arg, int line)
{
	(void)arg;
	refused |= line < 32 ? 1U << line : 1;
}

static int read_it(void)
{
	refused = 0;
	return guarded_read(dir, &list, note, NULL);
}

static void put(const char *text, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void writes_and_reads(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(read_it(), 0);
	assert_int_equal(list.count, 0);
	assert_int_equal(guarded_add(&list, "/var/www/html/efs", 812), 0);
	assert_int_equal(guarded_add(&list, "/srv/with a blank", 813), 0);
	assert_int_equal(guarded_add(&list, "/srv/with a blank", 813), 0);
	assert_int_equal(guarded_write(dir, &list), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	memset(&list, 0, sizeof list);
	assert_int_equal(read_it(), 0);
	assert_int_equal(refused, 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.item[1].path, "/srv/with a blank");
	assert_int_equal(guarded_find(&list, "/srv/with a blank", 813), 1);
	assert_int_equal(guarded_find(&list, "/srv/with a blank", 814), -1);
	/* Also where the folder has gone. */
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(guarded_write(dir, &list), 0);
	assert_int_equal(access(file, F_OK), 0);
	guarded_drop(&list, 0);
	assert_int_equal(list.item[0].inode, 813);
	guarded_drop(&list, 0);
	assert_int_equal(guarded_write(dir, &list), 0);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(guarded_write(dir, &list), 0);
}

static void refuses_line_by_line(void **state)
{
	static const char text[] = "12 /good\n"
	                           "/no/number\n"
	                           "13 relative\n"
	                           "14 /up/../../etc\n"
	                           "15 /here/./x\n"
	                           "-1 /negative\n"
	                           "0 /zero\n"
	                           "99999999999999999999 /large\n"
	                           "16 /with\033[31m\n"
	                           "17 /hidden\0 rest\n"
	                           "\n"
	                           "18 /\n"
	                           "19 /..good/a..b/...\n"
	                           "20 /no/end";

	(void)state;
	put(text, sizeof text - 1);
	assert_int_equal(read_it(), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.item[0].path, "/good");
	assert_string_equal(list.item[1].path, "/..good/a..b/...");
	assert_int_equal(refused, 0x7ffe & ~(1U << 1) & ~(1U << 13));
}

static void refuses_what_is_too_much(void **state)
{
	static char text[(GUARDED_MAX + 1) * 64];
	char path[LIMIT_PATH + 2];
	size_t len = 0;

	(void)state;
	for (int i = 0; i <= GUARDED_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%d /d%d\n", i + 1, i);
	put(text, len);
	assert_int_equal(read_it(), 0);
	assert_int_equal(list.count, GUARDED_MAX);
	assert_int_equal(refused, 1);
	assert_int_equal(guarded_add(&list, "/more", 1), -ENOSPC);
	guarded_drop(&list, 0);
	memset(path, 'a', sizeof path);
	path[0] = '/';
	path[LIMIT_PATH] = '\0';
	assert_int_equal(guarded_add(&list, path, 1), -EINVAL);
	path[LIMIT_PATH - 1] = '\0';
	assert_int_equal(guarded_add(&list, path, 1), 0);
}

static void believes_roots_file_only(void **state)
{
	(void)state;
	put("12 /good\n", 9);
	assert_int_equal(chmod(file, 0666), 0);
	assert_int_equal(read_it(), -EPERM);
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(read_it(), 0);
	assert_int_equal(list.count, 1);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 65534, 65534), 0);
		assert_int_equal(read_it(), -EPERM);
	}
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(read_it(), -ELOOP);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(read_it(), -EPERM);
	assert_int_equal(unlink(file), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(refuses_line_by_line),
		cmocka_unit_test(refuses_what_is_too_much),
		cmocka_unit_test(believes_roots_file_only),
	};

	if (geteuid() != 0) {
		printf("mount/guarded: its file is root's, skipped\n");
		return 0;
	}
	return cmocka_run_group_tests_name("mount/guarded", tests, setup, teardown);
}
