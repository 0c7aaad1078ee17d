/* Whose directories and scripts are trusted. */
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

#include "trust.h"

static char top[64], event[80], script[112], wrong[TRUST_PATH];

static void make_script(const char *name, mode_t mode)
{
	int fd;

	snprintf(script, sizeof script, "%s/%s", event, name);
	fd = open(script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

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

static int open_script(const char *name)
{
	int dir_fd, fd = -1, rc;

	assert_int_equal(trust_open_dir(event, getuid(), &dir_fd, wrong), 0);
	rc = trust_open_script(dir_fd, name, getuid(), &fd);
	close(dir_fd);
	if (rc == 0) {
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
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
	make_script("file", 0755);
	assert_int_equal(open_dir(script), -ENOTDIR);
}

static void writable_directory(void **state)
{
	(void)state;
	assert_int_equal(chmod(event, 0775), 0);
	assert_int_equal(open_dir(event), -EPERM);
	assert_string_equal(wrong, event);
	assert_int_equal(chmod(event, 0757), 0);
	assert_int_equal(open_dir(event), -EPERM);
	/* sticky helps a parent, not the directory that holds the scripts */
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
	/* Nothing is made in what others may write. */
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

static void good_script(void **state)
{
	(void)state;
	make_script("10-good", 0755);
	assert_int_equal(open_script("10-good"), 0);
}

static void bad_scripts(void **state)
{
	char link[112];

	(void)state;
	assert_int_equal(open_script("none"), -ENOENT);
	make_script("group", 0775);
	assert_int_equal(open_script("group"), -EPERM);
	make_script("others", 0757);
	assert_int_equal(open_script("others"), -EPERM);
	make_script("setuid", 04755);
	assert_int_equal(open_script("setuid"), -EPERM);
	make_script("plain", 0644);
	assert_int_equal(open_script("plain"), -EACCES);
	snprintf(link, sizeof link, "%s/link", event);
	make_script("good", 0755);
	assert_int_equal(symlink(script, link), 0);
	assert_int_equal(open_script("link"), -ELOOP);
	snprintf(link, sizeof link, "%s/fifo", event);
	assert_int_equal(mkfifo(link, 0755), 0);
	assert_int_equal(open_script("fifo"), -EINVAL);
	snprintf(link, sizeof link, "%s/dir", event);
	assert_int_equal(mkdir(link, 0755), 0);
	assert_int_equal(open_script("dir"), -EINVAL);
	assert_int_equal(open_script("good"), 0);
}

static void foreign_owner(void **state)
{
	int dir_fd, fd;

	(void)state;
	if (getuid() != 0)
		skip();
	make_script("theirs", 0755);
	assert_int_equal(chown(script, 65534, 65534), 0);
	assert_int_equal(open_script("theirs"), -EPERM);
	/* the same file is good for its owner: the rule is about who, not what */
	assert_int_equal(trust_open_dir(event, 0, &dir_fd, wrong), 0);
	assert_int_equal(trust_open_script(dir_fd, "theirs", 65534, &fd), 0);
	close(fd);
	close(dir_fd);
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
		cmocka_unit_test_setup_teardown(good_script, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_scripts, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
