/* Every process but wna-core. Blocks on the disk of the file only; owns nothing. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "limits.h"

int file_allows(const struct stat *st, enum file_rule rule)
{
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	switch (rule) {
	case FILE_OF_ANYBODY: return 0;
	case FILE_OF_ROOT:
		return st->st_uid == 0 && !(st->st_mode & S_IWOTH) &&
		                       (!(st->st_mode & S_IWGRP) || st->st_gid == 0)
		               ? 0
		               : -EPERM;
	case FILE_OF_SECRET:
		return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IRWXO)) ? 0 : -EPERM;
	}
	return -EINVAL;
}

int file_open(int dir_fd, const char *name, enum file_rule rule)
{
	struct stat st;
	int fd, rc;

	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : file_allows(&st, rule);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

ssize_t file_read(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;
	char more;

	while (n > 0 && len < size - 1) {
		n = pread(fd, ret + len, size - 1 - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			n = -errno;
		else
			len += (size_t)n;
	}
	if (n < 0)
		len = 0;
	else if (n > 0 && pread(fd, &more, 1, (off_t)len) == 1)
		n = -EFBIG;
	ret[len] = '\0';
	return n < 0 ? n : (ssize_t)len;
}

ssize_t file_load(int dir_fd, const char *name, enum file_rule rule, char *ret, size_t size)
{
	int fd = file_open(dir_fd, name, rule);
	ssize_t n;

	ret[0] = '\0';
	if (fd < 0)
		return fd;
	n = file_read(fd, ret, size);
	close(fd);
	return n;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write(const char *dir, const char *name, const void *data, size_t len)
{
	char path[LIMIT_PATH * 2], temporary[LIMIT_PATH * 2 + 32];
	int fd, rc;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
		return -ENAMETOOLONG;
	/* Two commands may write the same file at once. */
	snprintf(temporary, sizeof temporary, "%s/.%s.%d.tmp", dir, name, getpid());
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = fchmod(fd, 0644) < 0 ? -errno : write_all(fd, data, len);
	/* Without this a power cut after the rename could leave an empty file. */
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	close(fd);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	return rc;
}
