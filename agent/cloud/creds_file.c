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

int creds_file_read(const struct creds_file *file, const char *profile, struct creds *ret)
{
	char *text = malloc(FILE_MAX);
	size_t len = 0;
	ssize_t got;
	int error;

	if (text == NULL)
		return -ENOMEM;
	/* From its beginning, whoever has read it before through the same open file. */
	while ((got = pread(file->fd, text + len, FILE_MAX - len, (off_t)len)) > 0)
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

void creds_file_init(struct creds_file *file, int fd, const char *path)
{
	struct stat there;

	*file = (struct creds_file){ .fd = fd, .path = path };
	if (path[0] == '\0' || lstat(path, &there) < 0)
		return;
	file->dev = there.st_dev;
	file->inode = there.st_ino;
	file->changed = there.st_ctim;
}

static bool is_first(const struct creds_file *file, const struct stat *there)
{
	return there->st_dev == file->dev && there->st_ino == file->inode &&
	       there->st_ctim.tv_sec == file->changed.tv_sec &&
	       there->st_ctim.tv_nsec == file->changed.tv_nsec;
}

enum creds_file_look creds_file_look(const struct creds_file *file)
{
	struct stat held = { 0 }, there;

	if (file->fd >= 0 && fstat(file->fd, &held) < 0)
		return CREDS_FILE_HIDDEN;
	if (lstat(file->path, &there) < 0) {
		if (errno == ENOENT)
			return CREDS_FILE_GONE;
		/* What has no name any more was replaced, or removed. */
		return file->fd >= 0 && held.st_nlink == 0 ? CREDS_FILE_MOVED : CREDS_FILE_HIDDEN;
	}
	if (file->fd >= 0 ? held.st_dev == there.st_dev && held.st_ino == there.st_ino
	                  : is_first(file, &there))
		return CREDS_FILE_SAME;
	/* wnad's own rule, which the file that is held has passed. */
	return S_ISREG(there.st_mode) && there.st_uid == held.st_uid &&
	                       (there.st_mode & (S_IRWXG | S_IRWXO)) == 0
	               ? CREDS_FILE_OTHER
	               : CREDS_FILE_UNFIT;
}
