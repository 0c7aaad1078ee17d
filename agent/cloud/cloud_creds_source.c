/*
 * Run by wna-cloud. Blocks on reading the shared file alone. Leaves no secret in the environment,
 * where /proc/self/environ would show it.
 */
#include <errno.h>
#include <fcntl.h>
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

bool creds_env_read(char *(*env)(const char *name), struct creds *ret, char *ret_why)
{
	const char *ends = env("AWS_CREDENTIAL_EXPIRATION"), *wrong = NULL;

	*ret = (struct creds){ 0 };
	ret_why[0] = '\0';
	if (!take(env, "AWS_SESSION_TOKEN", creds_token_valid, ret->token, sizeof ret->token))
		wrong = "AWS_SESSION_TOKEN";
	if (!take(env, "AWS_SECRET_ACCESS_KEY", creds_secret_valid, ret->secret_key,
	          sizeof ret->secret_key))
		wrong = "AWS_SECRET_ACCESS_KEY";
	if (!take(env, "AWS_ACCESS_KEY_ID", creds_key_valid, ret->access_key,
	          sizeof ret->access_key))
		wrong = "AWS_ACCESS_KEY_ID";
	if (!wrong && !ret->access_key[0] && !ret->secret_key[0])
		return false;
	if (!wrong && !ret->access_key[0])
		wrong = "AWS_ACCESS_KEY_ID";
	if (!wrong && !ret->secret_key[0])
		wrong = "AWS_SECRET_ACCESS_KEY";
	if (!wrong && ends && ends[0] && !creds_time(ends, &ret->expires_wall_ms))
		wrong = "AWS_CREDENTIAL_EXPIRATION";
	if (!wrong)
		return true;
	snprintf(ret_why, LIMIT_FACT_WHY, "environment: %s is missing or not valid", wrong);
	explicit_bzero(ret, sizeof *ret);
	return false;
}

static int open_secret(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? -EPERM : -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	    !(st.st_mode & (S_IWGRP | S_IRWXO)))
		return fd;
	close(fd);
	return -EPERM;
}

int creds_file_read(const char *path, const char *profile, struct creds *ret)
{
	int fd = open_secret(path), r;
	char *text;
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return fd;
	text = malloc(FILE_MAX);
	if (!text) {
		close(fd);
		return -ENOMEM;
	}
	while ((got = read(fd, text + len, FILE_MAX - len)) > 0)
		len += (size_t)got;
	if (got < 0)
		r = -errno;
	else
		r = len == FILE_MAX ? -EFBIG : creds_parse_file(text, len, profile, ret);
	close(fd);
	explicit_bzero(text, len);
	free(text);
	return r;
}
