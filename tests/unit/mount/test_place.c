/*
 * The bare directory: made; and a mount by libmount over it. In a mount namespace of its own; as root, else skipped.
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

#include "attach.h"
#include "place.h"

static char dir[] = "/tmp/wna-place.XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (!mkdtemp(dir) || mount("tmpfs", dir, "tmpfs", 0, NULL) < 0)
		return -1;
	return 0;
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

static void makes_the_way(void **state)
{
	char why[LIMIT_FACT_WHY] = "";
	struct stat st;

	(void)state;
	umask(022);
	assert_int_equal(place_make(at("a/b//c/"), why, sizeof why), 0);
	assert_int_equal(stat(at("a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(place_make(at("a/b/c"), why, sizeof why), 0);
}

static void follows_no_link(void **state)
{
	char why[LIMIT_FACT_WHY] = "";

	(void)state;
	assert_int_equal(mkdir(at("real"), 0755), 0);
	assert_int_equal(symlink("real", at("link")), 0);
	assert_int_equal(place_make(at("link/efs"), why, sizeof why), -ELOOP);
	assert_non_null(strstr(why, "a symbolic link is on the way"));
	assert_int_equal(place_make(at("link"), why, sizeof why), -ELOOP);
	assert_int_equal(access(at("real/efs"), F_OK), -1);
	assert_int_equal(place_make(at("real/efs"), why, sizeof why), 0);
}

static void refuses_what_is_no_directory(void **state)
{
	char why[LIMIT_FACT_WHY] = "";
	int fd = open(at("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(place_make(at("file"), why, sizeof why), -ENOTDIR);
	assert_int_equal(place_make(at("file/efs"), why, sizeof why), -ENOTDIR);
}

static unsigned heard;

static void hear(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	heard++;
}

static void libmount_mounts(void **state)
{
	struct target target = { .type = "tmpfs", .source = "shared", .options = "size=64k" };
	struct attach attached;
	struct mountinfo there;
	char *text, why[LIMIT_FACT_WHY];
	size_t len;

	(void)state;
	assert_int_equal(place_make(at("m"), why, sizeof why), 0);
	assert_int_equal(attach(&target, at("m"), hear, NULL, &attached), 0);
	assert_int_equal(attached.status, 0);
	assert_int_equal(mountinfo_read("/proc/self/mountinfo", &text, &len), 0);
	assert_int_equal(mountinfo_topmost(text, len, at("m"), &there), 1);
	assert_string_equal(there.source, "shared");
	free(text);
	assert_int_equal(umount(at("m")), 0);

	strcpy(target.type, "no-such-type");
	assert_int_equal(attach(&target, at("m"), hear, NULL, &attached), 0);
	assert_int_not_equal(attached.status, 0);
	assert_non_null(strstr(attached.said, "no-such-type"));
	assert_true(heard > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_the_way),
		cmocka_unit_test(follows_no_link),
		cmocka_unit_test(refuses_what_is_no_directory),
		cmocka_unit_test(libmount_mounts),
	};

	if (geteuid() != 0) {
		printf("mount/place: needs root, skipped\n");
		return 0;
	}
	return cmocka_run_group_tests_name("mount/place", tests, setup, teardown);
}
