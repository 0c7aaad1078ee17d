/* Run by wna-mount's child as root. Blocks on the disk of the mount point's parent. */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "str.h"
#include "trust.h"

static int open_beneath(int dir_fd, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

/* "/a/b/" into "/a" and "b". */
static bool split(const char *path, char *ret_dir, char *ret_name)
{
	char *slash;

	if (path[0] != '/' || !str_copy(ret_dir, PLACE_PATH, path))
		return false;
	while ((slash = strrchr(ret_dir, '/')) != ret_dir && slash[1] == '\0')
		*slash = '\0';
	str_copy(ret_name, PLACE_PATH, slash + 1);
	slash[slash == ret_dir] = '\0';
	return ret_name[0] != '\0';
}

int place_make(const char *path, struct place *ret, char *ret_why, size_t why_size)
{
	char dir[PLACE_PATH], wrong[TRUST_PATH], how[160];
	struct stat st;
	int rc;

	str_copy(wrong, sizeof wrong, path);
	rc = split(path, dir, ret->name) ? trust_make_dir(dir, 0, &ret->parent, wrong) : -EINVAL;
	if (rc < 0)
		goto out;
	str_copy(wrong, sizeof wrong, path);
	if ((mkdirat(ret->parent, ret->name, 0755) < 0 && errno != EEXIST) ||
	    fstatat(ret->parent, ret->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		rc = -errno;
	else if (!S_ISDIR(st.st_mode))
		rc = S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
	if (rc < 0)
		close(ret->parent);
out:
	if (rc < 0)
		snprintf(ret_why, why_size, "the directory %.90s %s", wrong,
		         trust_explain_dir(wrong, rc, how, sizeof how));
	return rc;
}

int place_open(const char *path, struct place *ret)
{
	char dir[PLACE_PATH];

	ret->parent = split(path, dir, ret->name) ? open_beneath(AT_FDCWD, dir, O_PATH) : -EINVAL;
	return ret->parent < 0 ? ret->parent : 0;
}

void place_close(struct place *place)
{
	close(place->parent);
}

int place_open_bare(const struct place *place)
{
	struct stat parent_st, st;
	int tree, fd;

	/* A copy of one mount, without the mounts on it; it ends when it is closed. */
	tree = (int)syscall(SYS_open_tree, place->parent, "",
	                    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	fd = open_beneath(tree, place->name, O_RDONLY | O_NONBLOCK);
	if (fd >= 0 && (fstat(place->parent, &parent_st) < 0 || fstat(fd, &st) < 0 ||
	                parent_st.st_dev != st.st_dev)) {
		close(fd);
		fd = -EXDEV;
	}
	close(tree);
	return fd;
}

int place_take(const char *path)
{
	long fd = syscall(SYS_open_tree, AT_FDCWD, path,
	                  AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int place_attach(const struct place *place, int tree)
{
	int fd = open_beneath(place->parent, place->name, O_PATH), rc = 0;
	struct statx st = { 0 };

	if (fd < 0)
		return fd;
	/* The kernel would cover a mount that another program has made meanwhile. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) < 0)
		rc = -errno;
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		rc = -EBUSY;
	if (rc == 0 && syscall(SYS_move_mount, tree, "", fd, "",
	                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

bool place_is_still(const struct place *place, const char *path)
{
	char dir[PLACE_PATH], name[PLACE_PATH], wrong[TRUST_PATH];
	struct stat then, now;
	bool same;
	int fd;

	if (!split(path, dir, name) || trust_open_dir(dir, 0, &fd, wrong) < 0)
		return false;
	same = fstat(place->parent, &then) == 0 && fstat(fd, &now) == 0 &&
	       then.st_dev == now.st_dev && then.st_ino == now.st_ino;
	close(fd);
	return same && fstatat(place->parent, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(now.st_mode);
}
