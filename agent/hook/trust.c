/* wna-hook. Blocks on a local disk only; owns nothing. */
#include "trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"
#include "str.h"

static bool owner_is_good(const struct stat *st, uid_t owner)
{
	return st->st_uid == 0 || st->st_uid == owner;
}

static int check_dir(int fd, uid_t owner, bool last)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (!owner_is_good(&st, owner))
		return -EPERM;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	return !last && (st.st_mode & S_ISVTX) != 0 && st.st_uid == 0 ? 0 : -EPERM;
}

/* With O_NOFOLLOW | O_DIRECTORY a link is ENOTDIR or ELOOP, by kernel: ask. */
static int open_component(int parent, const char *name, int *ret_fd)
{
	struct stat st;
	int fd;

	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == ENOTDIR && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return -ELOOP;
	return -errno;
}

int trust_open_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong)
{
	char copy[TRUST_PATH];
	char *rest = copy, *name;
	int fd, rc;

	str_copy(ret_wrong, TRUST_PATH, path);
	if (path[0] != '/' || !str_copy(copy, sizeof copy, path))
		return -EINVAL;
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	str_copy(ret_wrong, TRUST_PATH, "/");
	rc = check_dir(fd, owner, false);
	while (rc == 0 && (name = strsep(&rest, "/")) != NULL) {
		int next = -1;

		if (name[0] == '\0')
			continue;
		/* what is judged from here on: the path so far */
		str_copy(ret_wrong, TRUST_PATH, path);
		ret_wrong[(size_t)(name - copy) + strlen(name)] = '\0';
		rc = strcmp(name, "..") == 0 || strcmp(name, ".") == 0
		             ? -EINVAL
		             : open_component(fd, name, &next);
		if (rc < 0)
			break;
		close(fd);
		fd = next;
		rc = check_dir(fd, owner, rest == NULL || rest[strspn(rest, "/")] == '\0');
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

int trust_open_script(int dir_fd, const char *name, uid_t owner, int *ret_fd)
{
	struct stat st;
	int fd, rc = 0;

	/* O_NONBLOCK: a FIFO must not hold us before it is refused. */
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (!owner_is_good(&st, owner) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
	         (st.st_mode & (S_ISUID | S_ISGID)) != 0)
		rc = -EPERM;
	else if ((st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		rc = -EACCES;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

const char *trust_explain(int rc)
{
	switch (rc) {
	case -ENOENT: return "does not exist";
	case -ELOOP: return "is or is below a symbolic link";
	case -ENOTDIR: return "is not a directory";
	case -EPERM: return "must be root's and writable by nobody else";
	case -EINVAL: return "is not a regular file or absolute path";
	case -EACCES: return "is not executable, or not for this user";
	case -E2BIG: return "holds too many scripts";
	default: return strerror(-rc);
	}
}

bool trust_is_name(const char *name)
{
	static const char *const leftovers[] = {
		".rpmsave",  ".rpmnew",   ".rpmorig",  ".dpkg-old", ".dpkg-dist",
		".dpkg-new", ".dpkg-tmp", ".ucf-old",  ".ucf-dist", ".bak",
		".orig",     ".swp",      ".disabled",
	};
	size_t len = strlen(name);

	if (len >= TRUST_NAME || !str_only(name, "._-") || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++) {
		size_t tail = strlen(leftovers[i]);

		if (len >= tail && strcmp(name + len - tail, leftovers[i]) == 0)
			return false;
	}
	return true;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

int trust_list(int dir_fd, struct trust_names *ret)
{
	struct dirent *entry;
	int rc = 0, fd;
	DIR *dir;

	memset(ret, 0, sizeof *ret);
	/* A descriptor of its own: reading moves the offset. */
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = -errno;
		close(fd);
		return rc;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!trust_is_name(entry->d_name)) {
			ret->strange++;
			continue;
		}
		if (ret->count == TRUST_NAMES) {
			rc = -E2BIG;
			goto out;
		}
		str_copy(ret->name[ret->count++], TRUST_NAME, entry->d_name);
	}
	rc = -errno;
out:
	closedir(dir);
	if (rc < 0)
		memset(ret, 0, sizeof *ret);
	else
		qsort(ret->name, (size_t)ret->count, TRUST_NAME, by_bytes);
	return rc;
}
