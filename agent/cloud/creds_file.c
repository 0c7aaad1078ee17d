/*
 * Run by wna-cloud. Blocks on the local disk alone. The descriptor is wnad's
 * gift; the path can be looked at but not opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "creds_source.h"

enum { FILE_MAX = 64 * 1024 };

int creds_file_read(int fd, const char *profile, struct creds *ret)
{
	char *text = malloc(FILE_MAX);
	size_t len = 0;
	ssize_t got;
	int error;

	if (text == NULL)
		return -ENOMEM;
	/* From its beginning, whoever has read it before through the same open file. */
	while ((got = pread(fd, text + len, FILE_MAX - len, (off_t)len)) > 0)
		len += (size_t)got;
	if (got < 0)
		error = -errno;
	else if (len == FILE_MAX)
		error = -EFBIG;
	else
		error = creds_parse_file(text, len, profile, ret);
	explicit_bzero(text, len);
	free(text);
	return error;
}

bool creds_file_replaced(int fd, const char *path)
{
	struct stat held, there;

	if (fstat(fd, &held) < 0 || stat(path, &there) < 0)
		return false;
	return held.st_dev != there.st_dev || held.st_ino != there.st_ino;
}
