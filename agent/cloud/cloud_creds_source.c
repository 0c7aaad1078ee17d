/*
 * Run by wna-cloud on bytes from outside and on operators' input. Blocks on reading the shared
 * file alone; keeps nothing. Leaves no secret in the environment, where /proc/self/environ
 * would show it.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cloud_creds.h"

enum {
	FILE_MAX = 64 * 1024,
	LINE_MAX_BYTES = 4096 + 128, /* the longest token and its key */
};

static bool visible(const char *text, size_t min, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len < min || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

bool creds_key_valid(const char *access_key)
{
	return visible(access_key, 16, 128) && str_only(access_key, "_");
}

bool creds_secret_valid(const char *secret_key)
{
	return visible(secret_key, 1, 128);
}

bool creds_token_valid(const char *token)
{
	return visible(token, 0, 4096);
}

bool creds_time(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t at = rest ? timegm(&tm) : -1;

	if (at < 0)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
		return false;
	*ret_wall_ms = (int64_t)at * 1000;
	return true;
}

static const char *text_of(const cJSON *root, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

static int take_json(const cJSON *root, struct creds *ret, char *ret_why, size_t size)
{
	const char *code = text_of(root, "Code"), *message = text_of(root, "Message");
	const char *key = text_of(root, "AccessKeyId");
	const char *secret = text_of(root, "SecretAccessKey");
	const char *token = text_of(root, "Token");
	const char *invalid = !creds_key_valid(key)                    ? "AccessKeyId"
	                      : !creds_secret_valid(secret)            ? "SecretAccessKey"
	                      : !token[0] || !creds_token_valid(token) ? "Token"
	                                                               : NULL;
	int64_t expires_wall_ms;

	if (code[0] && strcmp(code, "Success") != 0) {
		snprintf(ret_why, size, "the answer says %.40s: %.80s", code,
		         message[0] ? message : "no message");
		return -EBADMSG;
	}
	if (!invalid && !creds_time(text_of(root, "Expiration"), &expires_wall_ms))
		invalid = "Expiration";
	if (invalid) {
		snprintf(ret_why, size, "the answer has no valid %s", invalid);
		return -EBADMSG;
	}
	str_copy(ret->access_key, sizeof ret->access_key, key);
	str_copy(ret->secret_key, sizeof ret->secret_key, secret);
	str_copy(ret->token, sizeof ret->token, token);
	ret->expires_wall_ms = expires_wall_ms;
	return 0;
}

int creds_parse_json(const char *json, size_t len, struct creds *ret, char *ret_why, size_t size)
{
	cJSON *root = cJSON_ParseWithLength(json, len);
	cJSON *item;
	int r = -EBADMSG;

	if (cJSON_IsObject(root))
		r = take_json(root, ret, ret_why, size);
	else
		snprintf(ret_why, size, "the answer is not a JSON object (%zu bytes)", len);
	cJSON_ArrayForEach(item, root)
	{
		if (cJSON_IsString(item))
			explicit_bzero(item->valuestring, strlen(item->valuestring));
	}
	cJSON_Delete(root);
	return r;
}

/* "[name]" or "[ name ]"; a comment may follow. */
static bool is_section(char *line, const char *profile, bool *ret_wanted)
{
	char *end = strchr(line, ']');

	if (line[0] != '[')
		return false;
	if (end)
		*end = '\0';
	*ret_wanted = end && strcmp(str_trim(line + 1), profile) == 0;
	return true;
}

/* False if the key is one of ours and its value is not valid. */
static bool take_setting(struct creds *creds, const char *key, const char *value)
{
	if (strcasecmp(key, "aws_access_key_id") == 0)
		return creds_key_valid(value) &&
		       str_copy(creds->access_key, sizeof creds->access_key, value);
	if (strcasecmp(key, "aws_secret_access_key") == 0)
		return creds_secret_valid(value) &&
		       str_copy(creds->secret_key, sizeof creds->secret_key, value);
	if (strcasecmp(key, "aws_session_token") == 0)
		return creds_token_valid(value) &&
		       str_copy(creds->token, sizeof creds->token, value);
	return true;
}

static bool take_line(char *line, const char *profile, bool *wanted, struct creds *creds)
{
	char *equals, *comment;

	/* Indented lines belong to nested settings; none of the keys read here is nested. */
	if (strchr(" \t#;", line[0]) || is_section(line, profile, wanted) || !*wanted)
		return true;
	equals = strchr(line, '=');
	if (!equals)
		return true;
	*equals = '\0';
	for (comment = equals + 1; (comment = strpbrk(comment, "#;")); comment++)
		if (comment[-1] == ' ' || comment[-1] == '\t') {
			*comment = '\0';
			break;
		}
	return take_setting(creds, str_trim(line), str_trim(equals + 1));
}

int creds_parse_file(const char *text, size_t len, const char *profile, struct creds *ret)
{
	struct creds creds = { 0 };
	char line[LINE_MAX_BYTES + 1];
	bool wanted = false, sound = true;
	int r = 0;

	for (size_t at = 0, size; at < len && sound; at += size + 1) {
		const char *end = memchr(text + at, '\n', len - at);

		size = end ? (size_t)(end - text) - at : len - at;
		sound = size <= LINE_MAX_BYTES && !memchr(text + at, '\0', size);
		if (!sound)
			break;
		memcpy(line, text + at, size);
		line[size] = '\0';
		if (size > 0 && line[size - 1] == '\r')
			line[size - 1] = '\0';
		sound = take_line(line, profile, &wanted, &creds);
	}
	if (sound && !creds.access_key[0] && !creds.secret_key[0])
		r = -ENODATA;
	else if (!sound || !creds.access_key[0] || !creds.secret_key[0])
		r = -EBADMSG;
	else
		*ret = creds;
	explicit_bzero(line, sizeof line);
	explicit_bzero(&creds, sizeof creds);
	return r;
}

/* Moves a variable out of the environment. True if there is none, or a valid one. */
static bool take_variable(char *(*env)(const char *name), const char *name,
                          bool (*valid)(const char *), char *ret, size_t size)
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
	if (!take_variable(env, "AWS_SESSION_TOKEN", creds_token_valid, ret->token,
	                   sizeof ret->token))
		wrong = "AWS_SESSION_TOKEN";
	if (!take_variable(env, "AWS_SECRET_ACCESS_KEY", creds_secret_valid, ret->secret_key,
	                   sizeof ret->secret_key))
		wrong = "AWS_SECRET_ACCESS_KEY";
	if (!take_variable(env, "AWS_ACCESS_KEY_ID", creds_key_valid, ret->access_key,
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
