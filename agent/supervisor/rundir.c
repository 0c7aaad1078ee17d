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

/* The folder itself, and in it one for each worker that writes. */
static int folder_with(const char *path, const struct users *users, rundir_lacks *lacks,
                       int *ret_fd)
{
	static const struct {
		const char *top, *name, *path;
		enum role writer;
		mode_t mode;
	} below[] = {
		{ CONF_RUN_DIR, "cloud", CONF_RUN_DIR "/cloud", ROLE_CLOUD, 0755 },
		{ CONF_RUN_DIR, "rds", CONF_RUN_DIR "/rds", ROLE_RDS, 0755 },
		{ CONF_STATE_DIR, "cloud", CONF_STATE_DIR "/cloud", ROLE_CLOUD, 0700 },
	};
	int rc = folder(AT_FDCWD, path, 0, 0, 0755, ret_fd);

	for (size_t i = 0; rc == 0 && i < sizeof below / sizeof below[0]; i++) {
		const struct user *owner = &users->of[below[i].writer];
		int lacking;

		if (strcmp(below[i].top, path) != 0)
			continue;
		lacking =
		        folder(*ret_fd, below[i].name, owner->uid, owner->gid, below[i].mode, NULL);
		if (lacking < 0)
			lacks(below[i].path, lacking);
	}
	return rc;
}

static void links(int dir, rundir_lacks *lacks)
{
	static const struct {
		const char *path, *name, *target;
	} all[] = {
		{ CONF_RUN_DIR "/facts.json", "facts.json", "cloud/facts.json" },
		{ CONF_RUN_DIR "/facts.env", "facts.env", "cloud/facts.env" },
		{ CONF_RUN_DIR "/rds.json", "rds.json", "rds/rds.json" },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		int rc = link_to(dir, all[i].name, all[i].target);

		if (rc < 0)
			lacks(all[i].path, rc);
	}
}

int rundir_make(const struct users *users, rundir_lacks *lacks)
{
	mode_t mask = umask(022);
	int run = -1, state = -1;
	int rc = folder_with(CONF_RUN_DIR, users, lacks, &run), lacking;

	if (rc == 0) {
		links(run, lacks);
		lacking = folder_with(CONF_STATE_DIR, users, lacks, &state);
		if (lacking < 0)
			lacks(CONF_STATE_DIR, lacking);
	}
	if (run >= 0)
		close(run);
	if (state >= 0)
		close(state);
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
