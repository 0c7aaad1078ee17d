/*
 * wnad --purge: a folder and all below it. Blocks on the local disk. What lies there
 * may be of a worker's making, and that worker's enemy's: nothing in it is believed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "purge.h"

enum { DEPTH_MAX = 32 }; /* of folders, and so of descriptors */

/* A folder in a folder, and on the same file system. -errno; -EXDEV: mounted there. */
static int open_folder(int parent, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, parent, name, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

static const char *explain(int error)
{
	switch (error) {
	case EXDEV:
	case EBUSY: return "something is mounted there";
	case ENOTDIR:
	case ELOOP: return "expected a folder, found something else";
	default: return strerror(error);
	}
}

static bool empty(int fd, const char *path, const char *keep, int depth);

static bool remove_folder(int parent, const char *name, const char *path, const char *keep,
                          int depth)
{
	int fd = open_folder(parent, name);
	char below[PATH_MAX];
	bool all;

	if (fd == -ENOENT)
		return true;
	if (fd < 0) {
		purge_fail("%s/%s: %s", path, name, explain(-fd));
		return false;
	}
	snprintf(below, sizeof below, "%s/%s", path, name);
	all = empty(fd, below, keep, depth);
	close(fd);
	if (!all || keep)
		return all;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	purge_fail("%s/%s: %s", path, name, explain(errno));
	return false;
}

/* Takes over nothing: the caller's descriptor stays. `path`: for what is said. */
static bool empty(int fd, const char *path, const char *keep, int depth)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;
	bool all = true;

	if (!dir) {
		purge_fail("%s: %s", path, strerror(errno));
		if (own >= 0)
			close(own);
		return false;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (keep && strcmp(name, keep) == 0))
			continue;
		if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EISDIR && depth < DEPTH_MAX) {
			all = remove_folder(fd, name, path, NULL, depth + 1) && all;
			continue;
		}
		purge_fail("%s/%s: %s", path, name,
		           errno == EISDIR ? "expected fewer folders in each other"
		                           : explain(errno));
		all = false;
	}
	closedir(dir);
	return all;
}

bool purge_tree(const char *folder, const char *name, const char *keep)
{
	int parent = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool there, all;

	if (parent < 0) {
		if (errno == ENOENT)
			return true;
		purge_fail("%s: %s", folder, strerror(errno));
		return false;
	}
	there = faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	all = remove_folder(parent, name, folder, keep, 0);
	if (there && all && !keep)
		purge_say("removed %s/%s", folder, name);
	close(parent);
	return all;
}
