/* Run by wna-probe. Blocks on the mounted file system, for ever if it is silent. Owns nothing. */
#include "probe_sign.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIGN_BLOCK = 4096 }; /* read size and alignment: what direct I/O takes anywhere */

static int explain(int error, const char *what, char *ret_why, size_t why_size)
{
	if (error == -ESTALE)
		snprintf(ret_why, why_size,
		         "%s: stale file handle, the export behind the mount is gone", what);
	else
		snprintf(ret_why, why_size, "%s: %s", what, strerror(-error));
	return error;
}

/* Opens a file to be read without the cache. A file system without direct I/O, for example tmpfs,
 * drops its cached pages instead. */
static int open_uncached(int dir_fd, const char *file)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_DIRECT,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, dir_fd, file, &how, sizeof how);

	if (fd < 0 && errno == EINVAL) {
		how.flags &= ~(uint64_t)O_DIRECT;
		fd = (int)syscall(SYS_openat2, dir_fd, file, &how, sizeof how);
		if (fd >= 0)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	return fd < 0 ? -errno : fd;
}

static int read_file(int dir_fd, const char *file, char *ret_why, size_t why_size)
{
	void *block = NULL;
	struct stat st;
	int fd, rc = 0;

	fd = open_uncached(dir_fd, file);
	if (fd < 0)
		return explain(fd, "opening the probe file", ret_why, why_size);
	if (fstat(fd, &st) < 0)
		rc = explain(-errno, "the probe file", ret_why, why_size);
	else if (!S_ISREG(st.st_mode))
		rc = explain(-EINVAL, "the probe file is not a regular file", ret_why, why_size);
	else if (posix_memalign(&block, SIGN_BLOCK, SIGN_BLOCK) != 0)
		rc = explain(-ENOMEM, "the probe file", ret_why, why_size);
	else if (read(fd, block, SIGN_BLOCK) < 0)
		rc = explain(-errno, "reading the probe file", ret_why, why_size);
	free(block);
	close(fd);
	return rc;
}

int sign_of_life(const char *path, const char *file, int64_t mount_id, char *ret_why,
                 size_t why_size)
{
	struct statfs fs;
	struct statx st;
	int fd, rc;

	/* This does not open the directory itself, but the path to it may need the server. */
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return explain(-errno, "the mount", ret_why, why_size);
	/* The id comes from the kernel's own memory. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0) {
		rc = explain(-errno, "the mount", ret_why, why_size);
	} else if ((int64_t)st.stx_mnt_id != mount_id) {
		/* It was mounted since mountinfo was read, or on a parent directory. */
		snprintf(ret_why, why_size, "the path leads to another mount (id %lld)",
		         (long long)st.stx_mnt_id);
		rc = -ENODEV;
	} else if (fstatfs(fd, &fs) < 0) {
		rc = explain(-errno, "statfs", ret_why, why_size);
	} else {
		rc = file[0] != '\0' ? read_file(fd, file, ret_why, why_size) : 0;
	}
	close(fd);
	return rc;
}
