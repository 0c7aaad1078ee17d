/* Which directories are trusted, by owner and mode. */
#include <errno.h>
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

#include "trust.h"

static char top[64], event[80], wrong[TRUST_PATH];

static int setup(void **state)
{
	(void)state;
	memcpy(top, "/tmp/wna-hook-XXXXXX", sizeof "/tmp/wna-hook-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	snprintf(event, sizeof event, "%s/event", top);
	return mkdir(event, 0755);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", top);
	return system(command);
}

static int open_dir(const char *path)
{
	int fd = -1, rc = trust_open_dir(path, getuid(), &fd, wrong);

	if (rc == 0)
		close(fd);
	return rc;
}

static void good_directory(void **state)
{
	char slashes[96];

	(void)state;
	assert_int_equal(open_dir(event), 0);
	snprintf(slashes, sizeof slashes, "/%s//", event);
	assert_int_equal(open_dir(slashes), 0);
}

static void bad_paths(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(open_dir("tmp"), -EINVAL);
	assert_string_equal(wrong, "tmp");
	snprintf(path, sizeof path, "%s/../event", event);
	assert_int_equal(open_dir(path), -EINVAL);
	snprintf(path, sizeof path, "%s/none/event", top);
	assert_int_equal(open_dir(path), -ENOENT);
	path[strlen(path) - strlen("/event")] = '\0';
	assert_string_equal(wrong, path);
	assert_int_equal(open_dir("/dev/null"), -ENOTDIR);
}

static void writable_directory(void **state)
{
	(void)state;
	assert_int_equal(chmod(event, 0775), 0);
	assert_int_equal(open_dir(event), -EPERM);
	assert_string_equal(wrong, event);
	assert_int_equal(chmod(event, 0757), 0);
	assert_int_equal(open_dir(event), -EPERM);
	/* A sticky parent may be writable, but not the directory that has the scripts. */
	assert_int_equal(chmod(event, 01777), 0);
	assert_int_equal(open_dir(event), -EPERM);
	assert_int_equal(chmod(event, 0755), 0);
	assert_int_equal(open_dir(event), 0);
}

static void writable_parent(void **state)
{
	(void)state;
	assert_int_equal(chmod(top, 0777), 0);
	assert_int_equal(open_dir(event), -EPERM);
	assert_string_equal(wrong, top);
	assert_int_equal(chmod(top, 0755), 0);
	assert_int_equal(open_dir(event), 0);
}

static void linked_directory(void **state)
{
	char link[96], below[112];

	(void)state;
	snprintf(link, sizeof link, "%s/link", top);
	assert_int_equal(symlink(event, link), 0);
	assert_int_equal(open_dir(link), -ELOOP);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(top, link), 0);
	snprintf(below, sizeof below, "%s/event", link);
	assert_int_equal(open_dir(below), -ELOOP);
	assert_string_equal(wrong, link);
}

static void missing_ones_are_made(void **state)
{
	char path[112], said[160], here[160];
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/a/b/", event);
	assert_int_equal(open_dir(path), -ENOENT);
	assert_int_equal(trust_make_dir(path, getuid(), &fd, wrong), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(fd);
	assert_int_equal(open_dir(path), 0);
	/* No directory is made in one that others may write. */
	assert_int_equal(chmod(event, 02775), 0);
	snprintf(path, sizeof path, "%s/c/d", event);
	assert_int_equal(trust_make_dir(path, getuid(), &fd, wrong), -EPERM);
	assert_string_equal(wrong, event);
	assert_int_equal(access(path, F_OK), -1);
	path[strlen(path) - 2] = '\0';
	assert_int_equal(access(path, F_OK), -1);
	if (getuid() != 0)
		return;
	snprintf(here, sizeof here, "is of user root, group root, mode 2775: it %s",
	         trust_explain(-EPERM));
	assert_string_equal(trust_explain_dir(wrong, -EPERM, said, sizeof said), here);
}

static void foreign_owner(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(open_dir(event), 0);
	assert_int_equal(chown(event, 65534, 65534), 0);
	assert_int_equal(open_dir(event), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(writable_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(writable_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(linked_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_ones_are_made, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
