/* wna-rds. Blocks on a local disk only; owns nothing: callers wipe. */
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int secret_read(int fd, char *ret, size_t size)
{
	size_t len = 0;
	char *end;
	int rc = 0;

	while (len < size) {
		ssize_t n = pread(fd, ret + len, size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			goto out;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	end = memchr(ret, '\n', len);
	if (end == NULL && len == size)
		rc = -EMSGSIZE;
	else if (end != NULL)
		len = (size_t)(end - ret);
	if (rc == 0 && len > 0 && ret[len - 1] == '\r')
		len--;
	if (rc == 0 && len == 0)
		rc = -ENODATA;
	if (rc == 0 && memchr(ret, '\0', len) != NULL)
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
	case -EBADF: return "no password file was handed over";
	default: return "the password file cannot be read";
	}
}

void secret_identify(int fd, char *ret, size_t size)
{
	struct stat st;

	ret[0] = '\0';
	if (fstat(fd, &st) == 0)
		snprintf(ret, size, "%llx:%llx:%llx:%llx.%lx", (unsigned long long)st.st_dev,
		         (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
		         (unsigned long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}
