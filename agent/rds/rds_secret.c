/* wna-rds. Blocks on a local disk only; owns nothing: callers wipe. */
#include "rds_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"
#include "localpath.h"

/* A file on a silent server would be waited for in the kernel. */
static bool is_remote(const char *path)
{
	char place[PATH_MAX], why[LIMIT_FACT_WHY];

	return localpath_resolve("/proc/self/mountinfo", "", path, place, sizeof place, why,
	                         sizeof why) == -EREMOTE;
}

/* A descriptor, or -errno. */
static int open_secret(const char *path)
{
	struct stat st;
	int fd, rc = 0;

	if (is_remote(path))
		return -EREMOTE;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IRWXO)))
		rc = -EPERM;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int secret_read(const char *path, char *ret, size_t size)
{
	int fd = open_secret(path), rc = fd < 0 ? fd : 0;
	size_t len = 0;
	char *end;

	while (rc == 0 && len < size) {
		ssize_t n = pread(fd, ret + len, size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		goto out;
	end = memchr(ret, '\n', len);
	if (!end && len == size)
		rc = -EMSGSIZE;
	else if (end)
		len = (size_t)(end - ret);
	if (rc == 0 && len > 0 && ret[len - 1] == '\r')
		len--;
	if (rc == 0 && len == 0)
		rc = -ENODATA;
	if (rc == 0 && memchr(ret, '\0', len))
		rc = -EINVAL;
out:
	if (rc < 0)
		explicit_bzero(ret, size);
	else
		explicit_bzero(ret + len, size - len);
	return rc;
}

const char *secret_explain(int rc)
{
	switch (rc) {
	case -ENODATA: return "the password file is empty";
	case -EMSGSIZE: return "the password file's first line is too long";
	case -EINVAL: return "the password file is not text";
	case -EPERM: return "the password file is not root's, or open to others";
	case -EREMOTE: return "the password file is on a network file system";
	case -ENOENT: return "there is no password file";
	case -EACCES: return "the password file is not readable by group wna-rds";
	default: return "the password file cannot be read";
	}
}

void secret_identify(const char *path, char *ret, size_t size)
{
	struct stat st;

	ret[0] = '\0';
	if (!is_remote(path) && stat(path, &st) == 0)
		snprintf(ret, size, "%llx:%llx:%llx:%llx.%lx", (unsigned long long)st.st_dev,
		         (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
		         (unsigned long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}
