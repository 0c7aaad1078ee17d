/* wnad, before it starts a worker; touches local disks only. Owns nothing. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"
#include "localpath.h"

int secret_open(const char *path, int *ret_fd)
{
	char place[PATH_MAX], why[LIMIT_FACT_WHY];
	struct stat st;
	int fd, rc;

	/* An open(2) that waits for a server would stop the supervisor itself; what
	 * could not be told may be such a place. */
	rc = localpath_resolve("/proc/self/mountinfo", "", path, place, sizeof place, why,
	                       sizeof why);
	if (rc == -EREMOTE || rc == -EBADMSG || rc == -EIO)
		return rc;
	/* O_NONBLOCK: a FIFO in its place must not hold us up either. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_uid != 0 || st.st_mode & (S_IRWXG | S_IRWXO))
		rc = -EPERM;
	else
		rc = 0;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

void secret_explain(int rc, const char *key, char *ret, size_t size)
{
	const char *why;

	switch (rc) {
	case -ELOOP: why = "is a symbolic link"; break;
	case -EPERM: why = "is open to others; expected owner root, mode 0600"; break;
	case -EINVAL: why = "is not a regular file"; break;
	case -EREMOTE: why = "lies on a network file system"; break;
	default: why = strerror(-rc); break;
	}
	snprintf(ret, size, "%s: %s", key, why);
}
