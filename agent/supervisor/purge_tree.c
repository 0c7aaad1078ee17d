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
#include "str.h"

enum {
	DEPTH_MAX = 32,      /* of folders, and so of descriptors */
	ENTRIES_MAX = 100000 /* somebody may go on making files as fast as they are removed */
};

struct work {
	unsigned left; /* entries */
	bool ended;
};

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

/* `path` is clean; the name may hold what a terminal obeys. */
static bool fail_at(const char *path, const char *name, const char *why)
{
	char clean[NAME_MAX + 1];

	str_clean(clean, sizeof clean, name, strlen(name));
	purge_fail("%s/%s: %s", path, clean, why);
	return false;
}

static bool empty(int fd, const char *path, const char *keep, int depth, struct work *work);

static bool remove_folder(int parent, const char *name, const char *path, const char *keep,
                          int depth, struct work *work)
{
	int fd = open_folder(parent, name);
	char below[PATH_MAX], clean[NAME_MAX + 1];
	bool all;

	if (fd == -ENOENT)
		return true;
	if (fd < 0)
		return fail_at(path, name, explain(-fd));
	str_clean(clean, sizeof clean, name, strlen(name));
	snprintf(below, sizeof below, "%s/%s", path, clean);
	all = empty(fd, below, keep, depth, work);
	close(fd);
	if (!all || keep)
		return all;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	return fail_at(path, name, explain(errno));
}

/* False if there is no end of them, which is said once. */
static bool may_go_on(const char *path, struct work *work)
{
	if (work->left > 0) {
		work->left--;
		return true;
	}
	if (!work->ended)
		purge_fail("%s: given up after %d files, does somebody still make some?", path,
		           ENTRIES_MAX);
	work->ended = true;
	return false;
}

/* Takes over nothing: the caller's descriptor stays. `path`: for what is said. */
static bool empty(int fd, const char *path, const char *keep, int depth, struct work *work)
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
	while (!work->ended && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (keep && strcmp(name, keep) == 0))
			continue;
		if (!may_go_on(path, work)) {
			all = false;
			break;
		}
		if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EISDIR && depth < DEPTH_MAX) {
			all = remove_folder(fd, name, path, NULL, depth + 1, work) && all;
			continue;
		}
		all = fail_at(path, name,
		              errno == EISDIR ? "expected fewer folders in each other"
		                              : explain(errno));
	}
	closedir(dir);
	return all;
}

bool purge_tree(const char *folder, const char *name, const char *keep)
{
	int parent = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct work work = { .left = ENTRIES_MAX };
	bool there, all;

	if (parent < 0) {
		if (errno == ENOENT)
			return true;
		purge_fail("%s: %s", folder, strerror(errno));
		return false;
	}
	there = faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	all = remove_folder(parent, name, folder, keep, 0, &work);
	if (there && all && !keep)
		purge_say("removed %s/%s", folder, name);
	close(parent);
	return all;
}
