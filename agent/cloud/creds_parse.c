/* Run by wna-cloud on a stranger's bytes. Blocks on nothing, keeps nothing. */
#include "creds_parse.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "str.h"

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

/* `count` digits at *at, which moves behind them. */
static bool digits(const char **at, int count, int *ret)
{
	int value = 0;

	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (**at - '0');
	}
	*ret = value;
	return true;
}

static bool mark(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

bool creds_time(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	int year, month;

	if (!digits(&text, 4, &year) || !mark(&text, '-') || !digits(&text, 2, &month) ||
	    !mark(&text, '-') || !digits(&text, 2, &tm.tm_mday) || !mark(&text, 'T') ||
	    !digits(&text, 2, &tm.tm_hour) || !mark(&text, ':') || !digits(&text, 2, &tm.tm_min) ||
	    !mark(&text, ':') || !digits(&text, 2, &tm.tm_sec))
		return false;
	if (*text == '.') {
		size_t fraction = strspn(++text, "0123456789");

		if (fraction == 0 || fraction > 9)
			return false;
		text += fraction;
	}
	if (strcmp(text, "Z") != 0 && strcmp(text, "+00:00") != 0)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	struct tm given = tm;
	time_t at = timegm(&tm);

	/* timegm turns February 30 into a day of March. */
	if (year < 1970 || tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
	    tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
		return false;
	*ret_wall_ms = (int64_t)at * 1000;
	return true;
}

static const char *text_of(const cJSON *root, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int take_json(const cJSON *root, struct creds *ret, char *ret_why, size_t size)
{
	const char *code = text_of(root, "Code"), *message = text_of(root, "Message");
	const char *key = text_of(root, "AccessKeyId");
	const char *secret = text_of(root, "SecretAccessKey");
	const char *token = text_of(root, "Token");
	const char *ends = text_of(root, "Expiration");
	const char *lacking = key == NULL || !creds_key_valid(key)            ? "AccessKeyId"
	                      : secret == NULL || !creds_secret_valid(secret) ? "SecretAccessKey"
	                      : token == NULL || token[0] == '\0' || !creds_token_valid(token)
	                              ? "Token"
	                              : NULL;
	struct creds creds = { 0 };

	if (code != NULL && strcmp(code, "Success") != 0) {
		snprintf(ret_why, size, "the answer says %.40s: %.80s", code,
		         message != NULL ? message : "no message");
		return -EBADMSG;
	}
	if (lacking == NULL && (ends == NULL || !creds_time(ends, &creds.expires_wall_ms)))
		lacking = "Expiration";
	if (lacking != NULL) {
		snprintf(ret_why, size, "the answer has no valid %s", lacking);
		return -EBADMSG;
	}
	str_copy(creds.access_key, sizeof(creds.access_key), key);
	str_copy(creds.secret_key, sizeof(creds.secret_key), secret);
	str_copy(creds.token, sizeof(creds.token), token);
	*ret = creds;
	explicit_bzero(&creds, sizeof(creds));
	return 0;
}

int creds_parse_json(const char *json, size_t len, struct creds *ret, char *ret_why, size_t size)
{
	cJSON *root = cJSON_ParseWithLength(json, len);
	cJSON *item;
	int error = -EBADMSG;

	if (cJSON_IsObject(root))
		error = take_json(root, ret, ret_why, size);
	else
		snprintf(ret_why, size, "the answer is not a JSON object (%zu bytes)", len);
	cJSON_ArrayForEach(item, root) if (cJSON_IsString(item))
	        explicit_bzero(item->valuestring, strlen(item->valuestring));
	cJSON_Delete(root);
	return error;
}
