/*
 * The bare directory: guarded, on record, reached beneath a mount, given back. In a
 * mount namespace of its own; as root, else skipped. tmpfs has the flag since Linux
 * 6.6; with an older kernel only the reasons are tested; the system suite uses ext4.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "mount.h"

static char dir[] = "/tmp/wna-guard.XXXXXX", record[64];
static bool knows_flag;

static char *at(const char *name)
{
	static char path[LIMIT_PATH];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static int flag(const char *name, int set)
{
	int fd = open(at(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC), flags = 0;

	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		flags = -1;
	if (flags >= 0 && set >= 0) {
		flags = set ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
		assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	}
	close(fd);
	return flags < 0 ? -1 : (flags & FS_IMMUTABLE_FL) != 0;
}

static bool can_write(const char *name)
{
	char path[LIMIT_PATH];

	snprintf(path, sizeof path, "%s/x", at(name));
	return mkdir(path, 0755) == 0 && rmdir(path) == 0;
}

static int setup(void **state)
{
	(void)state;
	log_init("test", LOG_LEVEL_ERROR);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (!mkdtemp(dir) || mount("tmpfs", dir, "tmpfs", 0, "mode=755") < 0)
		return -1;
	snprintf(record, sizeof record, "%s/state", dir);
	if (mkdir(at("try"), 0755) < 0)
		return -1;
	knows_flag = flag("try", -1) >= 0;
	if (!knows_flag)
		printf("mount/guard: this kernel's tmpfs knows no immutable flag\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	umount2(dir, MNT_DETACH);
	return rmdir(dir);
}

static unsigned on_record(void)
{
	const struct dirent *entry;
	DIR *folder = opendir(record);
	unsigned count = 0;

	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return count;
}

static void set(const char *path, bool wanted, const char *folder, struct guard *ret)
{
	struct place place;

	assert_int_equal(place_open(path, &place), 0);
	guard_set(&place, path, wanted, folder, ret);
	place_close(&place);
}

static void guards_or_says_why(void **state)
{
	struct guard guard;

	(void)state;
	assert_int_equal(mkdir(at("bare"), 0755), 0);
	set(at("bare"), true, record, &guard);
	assert_int_equal(guard.immutable, knows_flag);
	if (!knows_flag) {
		assert_non_null(strstr(guard.why, "immutable flag"));
		assert_int_equal(on_record(), 0);
		return;
	}
	assert_string_equal(guard.why, "");
	assert_false(can_write("bare"));
	assert_int_equal(on_record(), 1);
	set(at("bare"), true, record, &guard);
	assert_true(guard.immutable);
	assert_int_equal(on_record(), 1);
	/* With mount.guard = no the directory can be written again, and the record is empty. */
	set(at("bare"), false, record, &guard);
	assert_false(guard.immutable);
	assert_string_equal(guard.why, "switched off by mount.guard");
	assert_true(can_write("bare"));
	assert_int_equal(on_record(), 0);
	set(at("missing"), true, record, &guard);
	assert_false(guard.immutable);
	assert_string_not_equal(guard.why, "");
}

static void looks_beneath_a_mount(void **state)
{
	struct guard guard;

	(void)state;
	assert_int_equal(mkdir(at("below"), 0755), 0);
	assert_int_equal(mkdir(at("below/hidden"), 0755), 0);
	assert_int_equal(mount("tmpfs", at("below"), "tmpfs", 0, NULL), 0);
	assert_int_equal(access(at("below/hidden"), F_OK), -1);
	set(at("below"), false, record, &guard);
	/* The reason is about the bare directory: why it is not guarded, or what lies in it. */
	assert_string_not_equal(guard.why, "");
	set(at("below"), true, record, &guard);
	if (guard.immutable)
		assert_string_equal(guard.why, "the bare directory is not empty: hidden");
	/* The mount itself has not been touched. */
	assert_true(can_write("below"));
	assert_int_equal(guard_release(record, NULL), 0);
	assert_true(can_write("below"));
	assert_int_equal(umount(at("below")), 0);
	assert_true(can_write("below"));
	assert_int_equal(on_record(), 0);
}

/* What another program has made immutable stays immutable. */
static void takes_back_only_its_own(void **state)
{
	struct guard guard;
	char from[LIMIT_PATH];

	(void)state;
	if (!knows_flag)
		skip();
	assert_int_equal(mkdir(at("theirs"), 0755), 0);
	flag("theirs", 1);
	set(at("theirs"), true, record, &guard);
	assert_true(guard.immutable);
	assert_int_equal(on_record(), 0);
	set(at("theirs"), false, record, &guard);
	assert_true(guard.immutable);
	/* The agent's directory is replaced by another one of the same name. */
	assert_int_equal(mkdir(at("ours"), 0755), 0);
	set(at("ours"), true, record, &guard);
	assert_int_equal(on_record(), 1);
	flag("ours", 0);
	assert_int_equal(mkdir(at("new"), 0755), 0);
	snprintf(from, sizeof from, "%s", at("new"));
	assert_int_equal(rename(from, at("ours")), 0);
	flag("ours", 1);
	assert_int_equal(guard_release(record, NULL), 0);
	assert_int_equal(flag("ours", -1), 1);
	assert_int_equal(flag("theirs", -1), 1);
	assert_int_equal(on_record(), 0);
	flag("ours", 0);
	flag("theirs", 0);
}

static void a_former_path_is_given_back(void **state)
{
	struct guard guard;
	char now[LIMIT_PATH];

	(void)state;
	if (!knows_flag)
		skip();
	assert_int_equal(mkdir(at("old"), 0755), 0);
	assert_int_equal(mkdir(at("now"), 0755), 0);
	set(at("old"), true, record, &guard);
	snprintf(now, sizeof now, "%s", at("now"));
	set(now, true, record, &guard);
	assert_int_equal(on_record(), 2);
	assert_int_equal(guard_release(record, now), 0);
	assert_true(can_write("old"));
	assert_false(can_write("now"));
	assert_int_equal(on_record(), 1);
	assert_int_equal(guard_release(record, NULL), 0);
	assert_true(can_write("now"));
	assert_int_equal(guard_release(record, NULL), 0);
}

/* Without a note the flag is not set: the agent could never clear it. */
static void without_a_record_there_is_no_flag(void **state)
{
	struct guard guard;

	(void)state;
	if (!knows_flag)
		skip();
	assert_int_equal(mkdir(at("unnoted"), 0755), 0);
	set(at("unnoted"), true, "/proc/state", &guard);
	assert_false(guard.immutable);
	assert_non_null(strstr(guard.why, "/proc/state cannot be written"));
	assert_true(can_write("unnoted"));
}

/* The directory's disk is not mounted, or another disk is: the note stays, since the disk may
 * come back, and then the agent must clear the flag. */
static void what_is_away_stays_on_record(void **state)
{
	struct guard guard;
	char path[LIMIT_PATH];

	(void)state;
	if (!knows_flag)
		skip();
	assert_int_equal(mkdir(at("disk"), 0755), 0);
	assert_int_equal(mount("tmpfs", at("disk"), "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(at("disk/a"), 0755), 0);
	assert_int_equal(mkdir(at("disk/b"), 0755), 0);
	set(at("disk/a"), true, record, &guard);
	set(at("disk/b"), true, record, &guard);
	assert_int_equal(on_record(), 2);
	snprintf(path, sizeof path, "%s", at("disk"));
	assert_int_equal(mkdir(at("aside"), 0755), 0);
	assert_int_equal(mount(path, at("aside"), NULL, MS_MOVE, NULL), 0);
	/* Below it "a" is missing, and "b" is another directory that another program has made
	 * immutable. */
	assert_int_equal(mkdir(at("disk/c"), 0755), 0);
	assert_int_equal(mkdir(at("disk/d"), 0755), 0);
	assert_int_equal(mkdir(at("disk/b"), 0755), 0);
	flag("disk/b", 1);
	assert_int_equal(guard_release(record, "/elsewhere"), 0);
	assert_int_equal(on_record(), 2);
	assert_int_equal(flag("disk/b", -1), 1);
	flag("disk/b", 0);
	/* It is back. */
	snprintf(path, sizeof path, "%s", at("aside"));
	assert_int_equal(mount(path, at("disk"), NULL, MS_MOVE, NULL), 0);
	assert_false(can_write("disk/a") || can_write("disk/b"));
	assert_int_equal(guard_release(record, "/elsewhere"), 0);
	assert_true(can_write("disk/a") && can_write("disk/b"));
	assert_int_equal(on_record(), 0);
	/* When the agent is removed, nothing stays on record. */
	set(at("disk/a"), true, record, &guard);
	assert_int_equal(on_record(), 1);
	assert_int_equal(umount2(at("disk"), MNT_DETACH), 0);
	assert_int_equal(guard_release(record, NULL), 0);
	assert_int_equal(on_record(), 0);
}

/* A note that cannot be read may be the only one of a flag: it stays, and is an error. */
static void a_strange_entry_stays(void **state)
{
	struct guard guard;

	(void)state;
	if (!knows_flag)
		skip();
	assert_int_equal(mkdir(at("good"), 0755), 0);
	set(at("good"), true, record, &guard);
	assert_true(guard.immutable);
	assert_int_equal(symlink("81x /srv/former", at("state/one")), 0);
	assert_int_equal(symlink("82 relative", at("state/two")), 0);
	assert_int_equal(guard_release(record, "/elsewhere"), -EBADMSG);
	assert_true(can_write("good"));
	assert_int_equal(on_record(), 2);
	assert_int_equal(guard_release(record, NULL), -EBADMSG);
	assert_int_equal(unlink(at("state/one")), 0);
	assert_int_equal(unlink(at("state/two")), 0);
	assert_int_equal(guard_release(record, NULL), 0);
	assert_int_equal(access(record, F_OK), -1);
}

static bool may_not_set_the_flag(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	data[0].effective &= ~(1U << CAP_LINUX_IMMUTABLE);
	data[0].permitted &= ~(1U << CAP_LINUX_IMMUTABLE);
	return syscall(SYS_capset, &head, data) == 0;
}

/* Another program may set the flag there later, and that one is not the agent's. */
static void no_flag_no_note(void **state)
{
	struct guard guard;
	int status;
	pid_t pid;

	(void)state;
	if (!knows_flag)
		skip();
	assert_int_equal(mkdir(at("kept"), 0755), 0);
	assert_int_equal(mkdir(at("unable"), 0755), 0);
	set(at("kept"), true, record, &guard);
	assert_int_equal(on_record(), 1);
	pid = fork();
	if (pid == 0) {
		if (!may_not_set_the_flag())
			_exit(1);
		set(at("unable"), true, record, &guard);
		_exit(!guard.immutable && strstr(guard.why, "could not be set") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(on_record(), 1);
	flag("unable", 1);
	assert_int_equal(guard_release(record, NULL), 0);
	assert_int_equal(flag("unable", -1), 1);
	assert_int_equal(flag("kept", -1), 0);
	flag("unable", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guards_or_says_why),
		cmocka_unit_test(looks_beneath_a_mount),
		cmocka_unit_test(takes_back_only_its_own),
		cmocka_unit_test(a_former_path_is_given_back),
		cmocka_unit_test(without_a_record_there_is_no_flag),
		cmocka_unit_test(what_is_away_stays_on_record),
		cmocka_unit_test(a_strange_entry_stays),
		cmocka_unit_test(no_flag_no_note),
	};

	if (geteuid() != 0) {
		printf("mount/guard: needs root, skipped\n");
		return 0;
	}
	return cmocka_run_group_tests_name("mount/guard", tests, setup, teardown);
}
