/*
 * Run by a child of wna-mount as root. Blocks on the disk of the mount point, on libmount and its
 * helper. Owns a mount until it is on the mount point.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount_tidy.h"
#include "mountinfo.h"
#include "str.h"

enum { TREE_FD = 63 }; /* above all other descriptors */

__attribute__((format(printf, 1, 2))) static int trouble(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vdprintf(STDERR_FILENO, format, args);
	va_end(args);
	return DO_TROUBLE;
}

/* Mounts, with a reason on standard error. Returns mount(8)'s exit code. */
static int run_libmount(const struct target *target, const char *path, bool record)
{
	struct libmnt_context *context = mnt_new_context();
	char text[512] = "";
	int rc, code;

	if (!context || mnt_context_disable_mtab(context, !record) < 0 ||
	    mnt_context_set_fstype(context, target->type) < 0 ||
	    mnt_context_set_source(context, target->source[0] ? target->source : "none") < 0 ||
	    mnt_context_set_target(context, path) < 0 ||
	    mnt_context_set_options(context, target->options) < 0)
		return trouble("libmount refuses the configuration\n");
	rc = mnt_context_mount(context);
	code = mnt_context_get_excode(context, rc, text, sizeof text);
	/* The helper has written its own reason; libmount only knows that it failed. */
	if (text[0] != '\0' && !mnt_context_helper_executed(context))
		dprintf(STDERR_FILENO, "%s\n", text);
	return code;
}

/* False for mount.efs, which writes the path into its state file, and for a loop device, for
 * which the kernel would keep a path of a namespace that is gone. */
static bool is_staged(const struct target *target)
{
	return target->by_bind || strcmp(target->type, "nfs") == 0 ||
	       strcmp(target->type, "nfs4") == 0;
}

/*
 * Runs in a process of its own, which shares the table of descriptors and leaves a copy of the
 * mount in TREE_FD. Its mount namespace is a slave: it has the mounts of the host, the host does
 * not have its mounts, and it ends with the process.
 */
static int mount_on_stage(const struct target *target)
{
	int code, tree;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    (mkdir(MOUNT_STAGE, 0700) < 0 && errno != EEXIST))
		return trouble("no namespace to mount in: %s\n", strerror(errno));
	code = run_libmount(target, MOUNT_STAGE, false);
	if (code != 0)
		return code;
	tree = place_take(MOUNT_STAGE);
	if (tree < 0 || dup3(tree, TREE_FD, O_CLOEXEC) < 0)
		return trouble("the mount cannot be moved: %s\n",
		               strerror(tree < 0 ? -tree : errno));
	return 0;
}

static int mount_staged(const struct target *target, const struct place *place)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	int status, rc;

	if (pid == 0)
		_exit(mount_on_stage(target));
	while ((rc = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (rc < 0 || WIFSIGNALED(status))
		return trouble("the process that mounts was killed\n");
	if (WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	rc = place_attach(place, TREE_FD);
	return rc < 0 ? trouble("the mount cannot be moved to its place: %s\n", strerror(-rc)) : 0;
}

static bool was_there(const char *text, size_t len, const struct mountinfo *mount)
{
	char then[LIMIT_FACT_TEXT], now[LIMIT_FACT_TEXT];
	struct mountinfo one;

	mountinfo_mark(mount, now, sizeof now);
	while (mountinfo_next(&text, &len, &one)) {
		if (one.id == mount->id &&
		    strcmp(mountinfo_mark(&one, then, sizeof then), now) == 0)
			return true;
	}
	return false;
}

static bool is_targets(const struct target *target, const struct mountinfo *mount)
{
	if (target->expect_type[0] != '\0' && strcmp(mount->type, target->expect_type) != 0)
		return false;
	return strcmp(mount->source, target->source) == 0 ||
	       (target->by_tunnel && strncmp(mount->source, "127.0.0.1:", 10) == 0);
}

/* By way of the parent directory: no link is followed, and no server is waited for. */
static void detach(const struct mountinfo *mount)
{
	struct place place;
	char path[PLACE_PATH + 32];
	int rc = place_open(mount->path, &place);

	if (rc == 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d/%s", place.parent, place.name);
		rc = umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
		place_close(&place);
	}
	trouble("mounted on %.80s, to which the path led meanwhile: %s\n", mount->path,
	        rc < 0 ? strerror(-rc) : "detached");
}

/* Detaches what has been mounted elsewhere since `before`. True if there was such a mount. */
static bool detach_strays(const struct target *target, const char *path, const char *before,
                          size_t before_len)
{
	struct mountinfo mount;
	bool found = false;
	const char *at;
	char *text;
	size_t len, left;

	if (mountinfo_read("/proc/self/mountinfo", &text, &len) < 0)
		return false;
	for (at = text, left = len; mountinfo_next(&at, &left, &mount);) {
		if (strcmp(mount.path, path) != 0 && is_targets(target, &mount) &&
		    !was_there(before, before_len, &mount)) {
			detach(&mount);
			found = true;
		}
	}
	free(text);
	return found;
}

/* An operator's automount unit has the path: its file system is mounted when the path is used. */
static int trigger(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return trouble("the automount on this path does not mount: %s\n", strerror(errno));
	close(fd);
	return 0;
}

static int mount_it(const struct target *target, const char *path, const struct place *place)
{
	struct mountinfo there;
	char *before;
	size_t len;
	int code, rc = mountinfo_read("/proc/self/mountinfo", &before, &len);

	if (rc < 0)
		return trouble("mountinfo: %s\n", strerror(-rc));
	if (mountinfo_topmost(before, len, path, &there) == 1 &&
	    strcmp(there.type, "autofs") == 0) {
		free(before);
		return trigger(path);
	}
	code = is_staged(target) ? mount_staged(target, place) : run_libmount(target, path, true);
	if (!place_is_still(place, path) && detach_strays(target, path, before, len))
		code = DO_TROUBLE;
	free(before);
	return code;
}

int do_mount(const struct conf_mount *conf, const struct target *target, bool guard_only, int guard)
{
	char why[LIMIT_FACT_WHY];
	struct place place;
	struct guard guarded;
	int code = 0, rc;

	umask(022);
	rc = guard_only ? place_open(conf->path, &place)
	                : place_make(conf->path, &place, why, sizeof why);
	if (rc < 0)
		return trouble("%s\n", guard_only ? strerror(-rc) : why);
	guard_set(&place, conf->path, conf->guard, MOUNT_RECORD, &guarded);
	if (write(guard, &guarded, sizeof guarded) != (ssize_t)sizeof guarded)
		code = DO_TROUBLE;
	if (!guard_only) {
		unsigned port = strcmp(target->type, "efs") == 0 ? tidy_pending(conf, target) : 0;

		if (target->blocked[0] != '\0')
			code = trouble("%s\n", target->blocked);
		else if (port > 0)
			code = trouble("mount.efs of another program is at work here, by port %u\n",
			               port);
		else
			code = mount_it(target, conf->path, &place);
	}
	place_close(&place);
	/* For paths that were configured before. This comes last, since their disk may not answer,
	 * and not after a failure, since the failure's reason must be the last line. */
	if (code == 0)
		guard_release(MOUNT_RECORD, conf->path);
	return code;
}
