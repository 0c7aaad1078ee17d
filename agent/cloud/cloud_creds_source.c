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

/* The members of struct creds, their names in each source, and how long they may be. */
static const struct field {
	const char *env, *file, *json;
	size_t offset, min, max;
} fields[] = {
	{ "AWS_ACCESS_KEY_ID", "aws_access_key_id", "AccessKeyId",
	  offsetof(struct creds, access_key), 16, 128 },
	{ "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "SecretAccessKey",
	  offsetof(struct creds, secret_key), 1, 128 },
	{ "AWS_SESSION_TOKEN", "aws_session_token", "Token", offsetof(struct creds, token), 0,
	  4096 },
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

/* False if the text is not visible ASCII, or too short or too long. */
static bool set(struct creds *creds, const struct field *field, const char *text)
{
	size_t len = strlen(text);

	if (len < field->min || len > field->max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	memcpy((char *)creds + field->offset, text, len + 1);
	return true;
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
	const char *invalid = NULL;
	struct creds creds = { 0 };

	if (code[0] && strcmp(code, "Success") != 0) {
		snprintf(ret_why, size, "the answer says %.40s: %.80s", code,
		         message[0] ? message : "no message");
		return -EBADMSG;
	}
	for (size_t i = 0; i < FIELDS && !invalid; i++)
		if (!text_of(root, fields[i].json)[0] ||
		    !set(&creds, &fields[i], text_of(root, fields[i].json)))
			invalid = fields[i].json;
	if (!invalid && !creds_time(text_of(root, "Expiration"), &creds.expires_wall_ms))
		invalid = "Expiration";
	if (invalid)
		snprintf(ret_why, size, "the answer has no valid %s", invalid);
	else
		*ret = creds;
	explicit_bzero(&creds, sizeof creds);
	return invalid ? -EBADMSG : 0;
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
	for (size_t i = 0; i < FIELDS; i++)
		if (strcasecmp(key, fields[i].file) == 0)
			return set(creds, &fields[i], value);
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

bool creds_env_read(char *(*env)(const char *name), struct creds *ret, char *ret_why)
{
	const char *ends = env("AWS_CREDENTIAL_EXPIRATION"), *wrong = NULL;
	bool any = false;

	*ret = (struct creds){ 0 };
	ret_why[0] = '\0';
	for (size_t i = 0; i < FIELDS; i++) {
		char *value = env(fields[i].env);

		if (!set(ret, &fields[i], value ? value : "") && !wrong)
			wrong = fields[i].env;
		any = any || (value && value[0] && fields[i].min > 0);
		if (value)
			explicit_bzero(value, strlen(value));
	}
	if (!any)
		return false;
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
