/* wna-rds and wna-hooks; blocks on a local disk only; owns nothing. */
#include "envfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"

int envfile_read(const char *path, char *ret, size_t size)
{
	struct stat st;
	size_t len = 0;
	int rc = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		rc = -errno;
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = -EINVAL;
		goto out;
	}
	if (st.st_size < 0 || (size_t)st.st_size >= size) {
		rc = -EFBIG;
		goto out;
	}
	/* One file version is read at most: a file that grows meanwhile is cut. */
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, ret + len, (size_t)st.st_size - len);

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
	if (memchr(ret, '\0', len) != NULL)
		rc = -EINVAL;
out:
	if (rc == 0)
		ret[len] = '\0';
	else if (size > 0)
		ret[0] = '\0';
	close(fd);
	return rc;
}

bool envfile_get(const char *text, const char *key, char *ret, size_t size)
{
	size_t key_len = strlen(key);

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len > key_len && line[key_len] == '=' && strncmp(line, key, key_len) == 0) {
			const char *value = line + key_len + 1;
			size_t value_len = len - key_len - 1;
			char copy[256];

			if (value_len >= size || value_len >= sizeof copy)
				return false;
			memcpy(copy, value, value_len);
			copy[value_len] = '\0';
			if (value_len > 0 && !str_only(copy, "._:/-"))
				return false;
			memcpy(ret, copy, value_len + 1);
			return true;
		}
		line += len;
		line += *line == '\n';
	}
	return false;
}
