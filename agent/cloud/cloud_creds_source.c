/*
 * Run by wna-cloud. Blocks on reading the shared file alone. It is opened once, at the start of
 * the process; another one is taken by starting anew. Leaves no secret in the environment,
 * where /proc/self/environ would show it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud_creds.h"

enum { FILE_MAX = 64 * 1024 };

/* Moves a variable out of the environment. True if there is none, or a valid one. */
static bool take(char *(*env)(const char *name), const char *name, bool (*valid)(const char *),
                 char *ret, size_t size)
{
	char *value = env(name);
	bool fits;

	if (!value || !value[0])
		return true;
	fits = str_copy(ret, size, value);
	explicit_bzero(value, strlen(value));
	return fits && valid(ret);
}

void creds_env_read(char *(*env)(const char *name), struct creds_env *ret)
{
	struct creds *creds = &ret->creds;
	const char *ends = env("AWS_CREDENTIAL_EXPIRATION"), *lacking = NULL;

	memset(ret, 0, sizeof *ret);
	if (!take(env, "AWS_ACCESS_KEY_ID", creds_key_valid, creds->access_key,
	          sizeof creds->access_key))
		lacking = "AWS_ACCESS_KEY_ID";
	if (!take(env, "AWS_SECRET_ACCESS_KEY", creds_secret_valid, creds->secret_key,
	          sizeof creds->secret_key))
		lacking = "AWS_SECRET_ACCESS_KEY";
	if (!take(env, "AWS_SESSION_TOKEN", creds_token_valid, creds->token, sizeof creds->token))
		lacking = "AWS_SESSION_TOKEN";
	if (!creds->access_key[0] && !creds->secret_key[0] && !lacking)
		return;
	if (!lacking && !creds->access_key[0])
		lacking = "AWS_ACCESS_KEY_ID";
	if (!lacking && !creds->secret_key[0])
		lacking = "AWS_SECRET_ACCESS_KEY";
	if (!lacking && ends && ends[0] && !creds_time(ends, &creds->expires_wall_ms))
		lacking = "AWS_CREDENTIAL_EXPIRATION";
	ret->complete = !lacking;
	if (lacking) {
		snprintf(ret->why, sizeof ret->why, "environment: %s is missing or not valid",
		         lacking);
		explicit_bzero(creds, sizeof *creds);
	}
}

int creds_file_read(const struct creds_file *file, const char *profile, struct creds *ret)
{
	char *text = malloc(FILE_MAX);
	size_t len = 0;
	ssize_t got;
	int r;

	if (!text)
		return -ENOMEM;
	/* From the beginning: it is read more than once. */
	while ((got = pread(file->fd, text + len, FILE_MAX - len, (off_t)len)) > 0)
		len += (size_t)got;
	if (got < 0)
		r = -errno;
	else
		r = len == FILE_MAX ? -EFBIG : creds_parse_file(text, len, profile, ret);
	explicit_bzero(text, len);
	free(text);
	return r;
}

void creds_file_init(struct creds_file *file, int fd, const char *path)
{
	struct stat there;

	*file = (struct creds_file){ .fd = fd, .path = path };
	if (!path[0] || lstat(path, &there) < 0)
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
		/* A file without a name was replaced or removed. */
		return file->fd >= 0 && held.st_nlink == 0 ? CREDS_FILE_MOVED : CREDS_FILE_HIDDEN;
	}
	if (file->fd >= 0 ? held.st_dev == there.st_dev && held.st_ino == there.st_ino
	                  : is_first(file, &there))
		return CREDS_FILE_SAME;
	/* The rule of its opening; the present file has passed it. */
	return S_ISREG(there.st_mode) && there.st_uid == held.st_uid &&
	                       (there.st_mode & (S_IWGRP | S_IRWXO)) == 0
	               ? CREDS_FILE_OTHER
	               : CREDS_FILE_UNFIT;
}
