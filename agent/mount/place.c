/* Run by wna-mount as root. Blocks on the disk of the mount point's parent. Owns nothing. */
#include "place.h"

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

static int open_beneath(int dir_fd, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

/* Opens `name` in the directory, which it closes; makes it if it is missing and `make`. */
static int step(int dir_fd, const char *name, bool make)
{
	int fd = open_beneath(dir_fd, name, O_PATH);

	if (fd == -ENOENT && make) {
		if (mkdirat(dir_fd, name, 0755) == 0 || errno == EEXIST)
			fd = open_beneath(dir_fd, name, O_PATH);
		else
			fd = -errno;
	}
	close(dir_fd);
	return fd;
}

/*
 * Walks to the parent of `path`; *ret_last is the last component, in `buf`.
 * A descriptor or -errno.
 */
static int open_parent(const char *path, bool make, char *buf, size_t size, char **ret_last)
{
	char *name, *next;
	int fd;

	if (path[0] != '/' || !str_copy(buf, size, path))
		return -EINVAL;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (name = buf; *name == '/'; name++)
		;
	while ((next = strchr(name, '/'))) {
		*next++ = '\0';
		while (*next == '/')
			next++;
		if (*next == '\0')
			break;
		fd = step(fd, name, make);
		if (fd < 0)
			return fd;
		name = next;
	}
	*ret_last = name;
	return fd;
}

int place_make(const char *path, char *ret_why, size_t why_size)
{
	char buf[LIMIT_PATH], *last;
	int fd = open_parent(path, true, buf, sizeof buf, &last);

	if (fd >= 0)
		fd = step(fd, last, true);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	snprintf(ret_why, why_size, "the directory %.90s: %s", path,
	         fd == -ELOOP ? "a symbolic link is on the way" : strerror(-fd));
	return fd;
}

int place_open_bare(const char *path)
{
	struct stat parent_st, st;
	char buf[LIMIT_PATH], *last = NULL;
	int parent, tree, fd;

	parent = open_parent(path, false, buf, sizeof buf, &last);
	if (parent < 0)
		return parent;
	/* A clone of one mount, without those upon it; gone when closed. */
	tree = (int)syscall(SYS_open_tree, parent, "",
	                    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0) {
		fd = -errno;
		goto out_parent;
	}
	fd = open_beneath(tree, last, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		goto out_tree;
	if (fstat(parent, &parent_st) < 0 || fstat(fd, &st) < 0 || parent_st.st_dev != st.st_dev) {
		close(fd);
		fd = -EXDEV;
	}
out_tree:
	close(tree);
out_parent:
	close(parent);
	return fd;
}
