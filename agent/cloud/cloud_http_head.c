/* Run by wna-cloud on bytes from outside. Blocks on nothing; owns nothing. */
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "cloud_http.h"
#include "str.h"

enum { VALUE_MAX = 256 }; /* the values read here are shorter in genuine answers */

void http_head_reset(struct http_result *result)
{
	result->date_wall_ms = 0;
	result->error_type[0] = '\0';
	result->content_type[0] = '\0';
}

static bool is_name(const char *line, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(line, name, len) == 0;
}

static void take_date(struct http_result *result, const char *value)
{
	time_t date = curl_getdate(value, NULL);

	/* A clock outside of 1970 to 9999 is wrong. */
	if (date > 0 && date < INT64_C(253402300800))
		result->date_wall_ms = (int64_t)date * 1000;
}

void http_head_line(struct http_result *result, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *text;
	size_t name_len, rest;
	char value[VALUE_MAX];

	if (!colon)
		return;
	name_len = (size_t)(colon - line);
	rest = len - name_len - 1;
	if (rest >= sizeof value)
		rest = sizeof value - 1;
	if (memchr(colon + 1, '\0', rest))
		return;
	memcpy(value, colon + 1, rest);
	value[rest] = '\0';
	text = str_trim(value);
	if (is_name(line, name_len, "date"))
		take_date(result, text);
	else if (is_name(line, name_len, "x-amzn-errortype"))
		str_clean(result->error_type, sizeof result->error_type, text, strlen(text));
	else if (is_name(line, name_len, "content-type"))
		str_clean(result->content_type, sizeof result->content_type, text, strlen(text));
}
