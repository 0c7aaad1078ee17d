/* wna-core, wna-mount, wna-hooks, wna-sockets, wnactl. Blocks on the disks of the path; owns nothing. */
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"
#include "str.h"

bool trust_local_user(const char *name, struct local_user *ret)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry = NULL;

	while (file && (entry = fgetpwent(file)) && strcmp(entry->pw_name, name) != 0)
		;
	if (entry)
		*ret = (struct local_user){ entry->pw_uid, entry->pw_gid };
	if (file)
		fclose(file);
	return entry != NULL;
}

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

/* For a link the kernel answers ENOTDIR or ELOOP to O_NOFOLLOW | O_DIRECTORY. */
static int open_component(int parent, const char *name, bool make, int *ret_fd)
{
	struct stat st;
	int fd;

	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		if (mkdirat(parent, name, 0755) == 0 || errno == EEXIST)
			fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == ENOTDIR && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return -ELOOP;
	return -errno;
}

static int walk(const char *path, uid_t owner, bool make, int *ret_fd, char *ret_wrong)
{
	char copy[TRUST_PATH];
	char *rest = copy, *name;
	int fd, rc;

	str_copy(ret_wrong, TRUST_PATH, path);
	if (path[0] != '/' || !str_copy(copy, sizeof copy, path))
		return -EINVAL;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	str_copy(ret_wrong, TRUST_PATH, "/");
	rc = check_dir(fd, owner, false);
	while (rc == 0 && (name = strsep(&rest, "/")) != NULL) {
		int next = -1;

		if (name[0] == '\0')
			continue;
		/* The path up to this component. */
		str_copy(ret_wrong, TRUST_PATH, path);
		ret_wrong[(size_t)(name - copy) + strlen(name)] = '\0';
		rc = strcmp(name, "..") == 0 || strcmp(name, ".") == 0
		             ? -EINVAL
		             : open_component(fd, name, make, &next);
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

int trust_open_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong)
{
	return walk(path, owner, false, ret_fd, ret_wrong);
}

int trust_make_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong)
{
	return walk(path, owner, true, ret_fd, ret_wrong);
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

char *trust_user_name(uid_t uid, char *ret, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry = NULL;

	while (file && (entry = fgetpwent(file)) && entry->pw_uid != uid)
		;
	if (entry)
		str_copy(ret, size, entry->pw_name);
	else
		snprintf(ret, size, "%u", uid);
	if (file)
		fclose(file);
	return ret;
}

static void group_name(gid_t gid, char *ret, size_t size)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *entry = NULL;

	while (file && (entry = fgetgrent(file)) && entry->gr_gid != gid)
		;
	if (entry)
		str_copy(ret, size, entry->gr_name);
	else
		snprintf(ret, size, "%u", gid);
	if (file)
		fclose(file);
}

char *trust_explain_dir(const char *wrong, int rc, char *ret, size_t size)
{
	char user[32], group[32];
	struct stat st;

	if (rc != -EPERM || lstat(wrong, &st) < 0) {
		str_copy(ret, size, trust_explain(rc));
		return ret;
	}
	trust_user_name(st.st_uid, user, sizeof user);
	group_name(st.st_gid, group, sizeof group);
	snprintf(ret, size, "is of user %s, group %s, mode %04o: it %s", user, group,
	         st.st_mode & 07777, trust_explain(rc));
	return ret;
}
