/*
 * Run by wna-cloud: the AWS shared credentials file, operators' input. Blocks on
 * nothing, keeps nothing.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "creds_parse.h"
#include "str.h"

/* A line of it: the longest token and its key. */
enum { LINE_MAX_BYTES = 4096 + 128 };

/* "[name]" or "[ name ]"; a comment may follow. */
static bool is_section(char *line, const char *profile, bool *ret_wanted)
{
	char *end;

	if (line[0] != '[')
		return false;
	end = strchr(line, ']');
	if (end == NULL) {
		*ret_wanted = false;
		return true;
	}
	*end = '\0';
	*ret_wanted = strcmp(str_trim(line + 1), profile) == 0;
	return true;
}

/* False if the value is there and cannot be one. */
static bool take(struct creds *creds, const char *key, const char *value)
{
	if (strcasecmp(key, "aws_access_key_id") == 0)
		return creds_key_valid(value) &&
		       str_copy(creds->access_key, sizeof(creds->access_key), value);
	if (strcasecmp(key, "aws_secret_access_key") == 0)
		return creds_secret_valid(value) &&
		       str_copy(creds->secret_key, sizeof(creds->secret_key), value);
	if (strcasecmp(key, "aws_session_token") == 0)
		return creds_token_valid(value) &&
		       str_copy(creds->token, sizeof(creds->token), value);
	return true;
}

static bool take_line(char *line, const char *profile, bool *wanted, struct creds *creds)
{
	char *equals, *comment;

	/* Indented lines continue a nested setting; none of ours is nested. */
	if (line[0] == ' ' || line[0] == '\t' || line[0] == '#' || line[0] == ';' ||
	    is_section(line, profile, wanted) || !*wanted)
		return true;
	equals = strchr(line, '=');
	if (equals == NULL)
		return true;
	*equals = '\0';
	for (comment = equals + 1; (comment = strpbrk(comment, "#;")) != NULL; comment++)
		if (comment[-1] == ' ' || comment[-1] == '\t') {
			*comment = '\0';
			break;
		}
	return take(creds, str_trim(line), str_trim(equals + 1));
}

int creds_parse_file(const char *text, size_t len, const char *profile, struct creds *ret)
{
	struct creds creds = { 0 };
	char line[LINE_MAX_BYTES + 1];
	bool wanted = false, sound = true;
	int error;

	for (size_t at = 0; at < len && sound;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t size = end != NULL ? (size_t)(end - text) - at : len - at;

		sound = size <= LINE_MAX_BYTES && memchr(text + at, '\0', size) == NULL;
		if (sound) {
			memcpy(line, text + at, size);
			line[size] = '\0';
			if (size > 0 && line[size - 1] == '\r')
				line[size - 1] = '\0';
			sound = take_line(line, profile, &wanted, &creds);
		}
		at += size + 1;
	}
	if (sound && creds.access_key[0] == '\0' && creds.secret_key[0] == '\0') {
		error = -ENOENT;
	} else if (!sound || creds.access_key[0] == '\0' || creds.secret_key[0] == '\0') {
		error = -EBADMSG;
	} else {
		*ret = creds;
		error = 0;
	}
	explicit_bzero(line, sizeof(line));
	explicit_bzero(&creds, sizeof(creds));
	return error;
}
