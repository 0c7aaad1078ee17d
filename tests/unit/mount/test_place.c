/*
 * The mount point: made, found again, and mounted on. In a mount
 * namespace of its own; as root, else skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fact.h"
#include "mount.h"
#include "mountinfo.h"

static char dir[] = "/tmp/wna-place.XXXXXX";
static char why[LIMIT_FACT_WHY];
static struct place place;

static int setup(void **state)
{
	(void)state;
	umask(022);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mkdtemp(dir) && mount("tmpfs", dir, "tmpfs", 0, "mode=755") == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	umount2(dir, MNT_DETACH);
	return rmdir(dir);
}

static char *at(const char *name)
{
	static char path[LIMIT_PATH];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static int make(const char *name)
{
	int rc = place_make(at(name), &place, why, sizeof why);

	if (rc == 0)
		place_close(&place);
	return rc;
}

static void makes_the_way(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(make("a/b/c"), 0);
	assert_int_equal(stat(at("a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(make("a/b/c"), 0);
	/* The mount point itself may have any owner. */
	assert_int_equal(chown(at("a/b/c"), 33, 33), 0);
	assert_int_equal(make("a/b/c"), 0);
}

static void follows_no_link(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("real"), 0755), 0);
	assert_int_equal(symlink("real", at("link")), 0);
	assert_int_equal(make("link/efs"), -ELOOP);
	assert_non_null(strstr(why, "symbolic link"));
	assert_int_equal(make("link"), -ELOOP);
	assert_int_equal(access(at("real/efs"), F_OK), -1);
	assert_int_equal(make("real/efs"), 0);
}

static void refuses_what_is_no_directory(void **state)
{
	int fd = open(at("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(make("file"), -ENOTDIR);
	assert_int_equal(make("file/efs"), -ENOTDIR);
}

static void refuses_what_others_may_change(void **state)
{
	(void)state;
	assert_int_equal(make("www/html/efs"), 0);
	assert_int_equal(chmod(at("www"), 02775), 0);
	assert_int_equal(make("www/html/efs"), -EPERM);
	assert_non_null(strstr(why, "/www is of user root, group root, mode 2775"));
	assert_int_equal(chmod(at("www"), 0755), 0);
	assert_int_equal(make("www/html/efs"), 0);
}

/* After the check the path may lead to another directory, and later back. */
static void knows_whether_it_still_is(void **state)
{
	char from[LIMIT_PATH];

	(void)state;
	assert_int_equal(place_make(at("p/q/efs"), &place, why, sizeof why), 0);
	assert_true(place_is_still(&place, at("p/q/efs")));
	snprintf(from, sizeof from, "%s", at("p/q"));
	assert_int_equal(rename(from, at("p/was")), 0);
	assert_false(place_is_still(&place, at("p/q/efs")));
	assert_int_equal(mkdir(at("p/q"), 0755), 0);
	assert_int_equal(mkdir(at("p/q/efs"), 0755), 0);
	assert_false(place_is_still(&place, at("p/q/efs")));
	assert_int_equal(rmdir(at("p/q/efs")), 0);
	assert_int_equal(rmdir(at("p/q")), 0);
	snprintf(from, sizeof from, "%s", at("p/was"));
	assert_int_equal(rename(from, at("p/q")), 0);
	assert_true(place_is_still(&place, at("p/q/efs")));
	assert_int_equal(rmdir(at("p/q/efs")), 0);
	assert_int_equal(symlink("/etc", at("p/q/efs")), 0);
	assert_false(place_is_still(&place, at("p/q/efs")));
	place_close(&place);
}

static int topmost(const char *name, struct mountinfo *ret)
{
	char *text;
	size_t len;
	int rc;

	assert_int_equal(mountinfo_read("/proc/self/mountinfo", &text, &len), 0);
	rc = mountinfo_topmost(text, len, at(name), ret);
	free(text);
	return rc;
}

static void takes_and_attaches(void **state)
{
	struct mountinfo there;
	int tree;

	(void)state;
	assert_int_equal(mkdir(at("stage"), 0755), 0);
	assert_int_equal(mount("shared", at("stage"), "tmpfs", 0, NULL), 0);
	assert_int_equal(place_make(at("m"), &place, why, sizeof why), 0);
	tree = place_take(at("stage"));
	assert_true(tree >= 0);
	assert_int_equal(place_attach(&place, tree), 0);
	close(tree);
	assert_int_equal(topmost("m", &there), 1);
	assert_string_equal(there.source, "shared");
	/* What has been mounted there meanwhile is not covered. */
	tree = place_take(at("stage"));
	assert_int_equal(place_attach(&place, tree), -EBUSY);
	assert_int_equal(umount(at("m")), 0);
	assert_int_equal(place_attach(&place, tree), 0);
	close(tree);
	assert_int_equal(umount(at("m")), 0);
	place_close(&place);
	assert_int_equal(umount(at("stage")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_the_way),
		cmocka_unit_test(follows_no_link),
		cmocka_unit_test(refuses_what_is_no_directory),
		cmocka_unit_test(refuses_what_others_may_change),
		cmocka_unit_test(knows_whether_it_still_is),
		cmocka_unit_test(takes_and_attaches),
	};

	if (geteuid() != 0) {
		printf("mount/place: needs root, skipped\n");
		return 0;
	}
	return cmocka_run_group_tests_name("mount/place", tests, setup, teardown);
}
