/*
 * wnad, at start. Touches /run and /var only; everything below a folder that a
 * worker owns is left alone, and nothing on the way is followed if it is a link.
 */
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One folder: made if missing, owner and mode set on the opened descriptor, so
 * that it cannot be another file by then. */
static int folder(int parent, const char *name, uid_t uid, gid_t gid, mode_t mode, int *ret_fd)
{
	struct stat st;
	int fd, rc = 0;

	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 ||
	    ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0) ||
	    ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0))
		rc = -errno;
	if (rc < 0 || !ret_fd)
		close(fd);
	else
		*ret_fd = fd;
	return rc;
}

/* root's link in root's folder; whatever else has the name makes way. */
static int link_to(int dir, const char *name, const char *target)
{
	char buf[PATH_MAX];
	ssize_t len = readlinkat(dir, name, buf, sizeof buf);

	if (len >= 0 && (size_t)len == strlen(target) && memcmp(buf, target, (size_t)len) == 0)
		return 0;
	if (len >= 0 || errno == EINVAL) {
		if (unlinkat(dir, name, 0) < 0)
			return -errno;
	}
	return symlinkat(target, dir, name) < 0 ? -errno : 0;
}

int rundir_make(const struct users *users, const char **ret_what)
{
	static const struct {
		const char *path, *below; /* NULL: by its path, as root's folder */
		enum role writer;
		mode_t mode;
	} folders[] = {
		{ CONF_RUN_DIR, NULL, ROLE_WNAD, 0755 },
		{ CONF_RUN_DIR "/cloud", "cloud", ROLE_CLOUD, 0755 },
		{ CONF_RUN_DIR "/rds", "rds", ROLE_RDS, 0755 },
		{ CONF_STATE_DIR, NULL, ROLE_WNAD, 0755 },
		{ CONF_STATE_DIR "/cloud", "cloud", ROLE_CLOUD, 0700 },
	};
	static const struct {
		const char *path, *name, *target;
	} links[] = {
		{ CONF_RUN_DIR "/facts.json", "facts.json", "cloud/facts.json" },
		{ CONF_RUN_DIR "/facts.env", "facts.env", "cloud/facts.env" },
		{ CONF_RUN_DIR "/rds.json", "rds.json", "rds/rds.json" },
	};
	mode_t mask = umask(022);
	int top = -1, rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof folders / sizeof folders[0]; i++) {
		const struct user *owner = &users->of[folders[i].writer];

		*ret_what = folders[i].path;
		if (folders[i].below) {
			rc = folder(top, folders[i].below, owner->uid, owner->gid, folders[i].mode,
			            NULL);
			continue;
		}
		if (top >= 0)
			close(top);
		top = -1;
		rc = folder(AT_FDCWD, folders[i].path, 0, 0, folders[i].mode, &top);
	}
	if (top >= 0)
		close(top);
	top = rc < 0 ? -1 : open(CONF_RUN_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rc == 0 && top < 0)
		rc = -errno;
	for (size_t i = 0; rc == 0 && i < sizeof links / sizeof links[0]; i++) {
		*ret_what = links[i].path;
		rc = link_to(top, links[i].name, links[i].target);
	}
	if (top >= 0)
		close(top);
	umask(mask);
	return rc;
}

int rundir_lock(pid_t *ret_holder)
{
	/* Of the process, and not of the open file as flock(2)'s is: a child that is
	 * between fork and exec when we die must not keep our successor out. */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, held = lock;
	int fd = open(CONF_RUN_DIR "/lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	if (errno == EAGAIN || errno == EACCES) {
		rc = -EBUSY;
		*ret_holder = 0;
		if (fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK)
			*ret_holder = held.l_pid;
	} else {
		rc = -errno;
	}
	close(fd);
	return rc;
}
