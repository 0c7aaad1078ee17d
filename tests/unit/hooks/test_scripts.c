/* Which files of a directory are scripts, and their order. */
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

#include "hooks.h"

static char event[64];

static void make(const char *name, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", event, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void make_script(const char *name)
{
	make(name, 0755);
}

static int open_event(void)
{
	int fd = open(event, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int setup(void **state)
{
	(void)state;
	memcpy(event, "/tmp/wna-hook-XXXXXX", sizeof "/tmp/wna-hook-XXXXXX");
	return mkdtemp(event) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", event);
	return system(command);
}

static void names(void **state)
{
	static const char *const good[] = { "50-php-fpm", "a", "A_b.sh", "0" };
	static const char *const bad[] = { "",         ".hidden",    "-n",
		                           "a b",      "a/b",        "a~",
		                           "#a#",      "a\n",        "50-php-fpm.rpmsave",
		                           "x.rpmnew", "x.dpkg-old", "x.bak",
		                           "x.orig",   "caf\xc3\xa9" };
	char longest[HOOKS_NAME + 1];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(hooks_is_name(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(hooks_is_name(bad[i]));
	memset(longest, 'a', sizeof longest);
	longest[HOOKS_NAME] = '\0';
	assert_false(hooks_is_name(longest));
	longest[HOOKS_NAME - 1] = '\0';
	assert_true(hooks_is_name(longest));
}

static void order_of_bytes(void **state)
{
	struct hooks_names list;
	int fd;

	(void)state;
	make_script("b");
	make_script("90-last");
	make_script("B");
	make_script("10-first");
	make_script("backup~");
	make_script(".swp");
	fd = open_event();
	assert_int_equal(hooks_list(fd, &list), 0);
	assert_int_equal(list.count, 4);
	assert_string_equal(list.name[0], "10-first");
	assert_string_equal(list.name[1], "90-last");
	assert_string_equal(list.name[2], "B");
	assert_string_equal(list.name[3], "b");
	assert_int_equal(list.strange, 2);
	close(fd);
}

static void bounded_number(void **state)
{
	struct hooks_names list;
	char name[16];
	int fd;

	(void)state;
	fd = open_event();
	for (int i = 0; i < HOOKS_NAMES; i++) {
		snprintf(name, sizeof name, "s%d", i);
		make_script(name);
	}
	assert_int_equal(hooks_list(fd, &list), 0);
	assert_int_equal(list.count, HOOKS_NAMES);
	make_script("one-more");
	assert_int_equal(hooks_list(fd, &list), -E2BIG);
	assert_int_equal(list.count, 0);
	close(fd);
}

static int open_as(const char *name, uid_t owner)
{
	int dir_fd = open_event(), fd = hooks_open(dir_fd, name, owner);

	close(dir_fd);
	if (fd < 0)
		return fd;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	return 0;
}

static int open_script(const char *name)
{
	return open_as(name, getuid());
}

static void which_are_run(void **state)
{
	char path[112], target[112];

	(void)state;
	make_script("good");
	assert_int_equal(open_script("good"), 0);
	assert_int_equal(open_script("none"), -ENOENT);
	make("group", 0775);
	assert_int_equal(open_script("group"), -EPERM);
	make("others", 0757);
	assert_int_equal(open_script("others"), -EPERM);
	make("setuid", 04755);
	assert_int_equal(open_script("setuid"), -EPERM);
	make("plain", 0644);
	assert_int_equal(open_script("plain"), -EACCES);
	snprintf(target, sizeof target, "%s/good", event);
	snprintf(path, sizeof path, "%s/link", event);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(open_script("link"), -ELOOP);
	snprintf(path, sizeof path, "%s/fifo", event);
	assert_int_equal(mkfifo(path, 0755), 0);
	assert_int_equal(open_script("fifo"), -EINVAL);
	snprintf(path, sizeof path, "%s/dir", event);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(open_script("dir"), -EINVAL);
	if (getuid() != 0)
		return;
	assert_int_equal(chown(target, 65534, 65534), 0);
	assert_int_equal(open_script("good"), -EPERM);
	assert_int_equal(open_as("good", 65534), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(order_of_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(bounded_number, setup, teardown),
		cmocka_unit_test_setup_teardown(which_are_run, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
