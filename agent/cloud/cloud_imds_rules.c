/* Run by wna-cloud. Pure but for the environment; blocks on nothing, owns nothing. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cloud_identity.h"
#include "url.h"

/* A variable that is set and not empty, else NULL. */
static const char *text_of(char *(*env)(const char *name), const char *name)
{
	const char *value = env(name);

	return value && value[0] ? value : NULL;
}

/* A variable's number in 1..max, else `other`. */
static int64_t number_of(char *(*env)(const char *name), const char *name, int64_t max,
                         int64_t other, struct imds_settings *settings)
{
	const char *value = text_of(env, name);
	int64_t number = other;

	if (value && !str_int64(value, 1, max, &number))
		str_copy(settings->ignored, sizeof settings->ignored, name);
	return number;
}

static bool is(const char *value, const char *word)
{
	return value && strcasecmp(value, word) == 0;
}

void imds_settings_read(const struct conf_imds *conf, char *(*env)(const char *name),
                        struct imds_settings *ret)
{
	const char *url = text_of(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = text_of(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	bool six = conf->endpoint_mode == IMDS_IPV6 || is(mode, "IPv6") ||
	           is(text_of(env, "AWS_IMDS_USE_IPV6"), "true");
	struct imds_settings settings = {
		.off = is(text_of(env, "AWS_EC2_METADATA_DISABLED"), "true"),
		.token_ttl_s = conf->token_ttl_s,
	};
	int64_t timeout_s = number_of(env, "AWS_METADATA_SERVICE_TIMEOUT", 60, 0, &settings);

	settings.timeout_ms = timeout_s > 0 ? timeout_s * 1000 : conf->timeout_ms;
	settings.attempts =
	        (int)number_of(env, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", 10, 2, &settings);
	if (mode && !is(mode, "IPv6") && !is(mode, "IPv4"))
		str_copy(settings.ignored, sizeof settings.ignored,
		         "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	str_copy(settings.base, sizeof settings.base,
	         six ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
	if (conf->endpoint[0])
		url = conf->endpoint;
	if (url && !url_prefix_parse(url, settings.base, sizeof settings.base))
		str_copy(settings.ignored, sizeof settings.ignored,
		         url == conf->endpoint ? "imds.endpoint"
		                               : "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	*ret = settings;
}

static enum imds_state judge_lost(bool put, const struct http_result *result, const char *base,
                                  char *ret_why, size_t size)
{
	if (result->outcome == HTTP_UNREACHED)
		snprintf(ret_why, size, "cannot connect to %.60s: %.80s", base, result->why);
	else if (result->outcome != HTTP_TIMED_OUT)
		snprintf(ret_why, size, "%.60s: %.80s", base, result->why);
	else if (put)
		snprintf(ret_why, size, "no token from %.60s: no route, or hop limit too low",
		         base);
	else
		snprintf(ret_why, size, "%.60s gave a token and then no answer", base);
	return result->outcome == HTTP_UNREACHED || result->outcome == HTTP_TIMED_OUT ? IMDS_SILENT
	                                                                              : IMDS_BAD;
}

/* The service says text/plain or application/json, stand-ins may say nothing; a page is
 * another program's answer. */
static bool is_page(const struct http_result *result)
{
	return strncasecmp(result->content_type, "text/html", 9) == 0 ||
	       strncasecmp(result->content_type, "application/xhtml", 17) == 0;
}

enum imds_state imds_judge(bool put, const struct http_result *result, const char *base,
                           char *ret_why, size_t size)
{
	const char *what = put ? "token request" : "question";
	long status = result->status;

	if (result->outcome != HTTP_ANSWERED)
		return judge_lost(put, result, base, ret_why, size);
	if ((status == 200 && !is_page(result)) || (status == 404 && !put))
		return IMDS_OK;
	if (status == 403) {
		snprintf(ret_why, size, "403: %s",
		         put ? "the metadata service is disabled for this instance"
		             : "not allowed, or the metadata service was disabled");
		return IMDS_DISABLED;
	}
	if (put && (status == 404 || status == 405)) {
		snprintf(ret_why, size, "%ld: %.60s does not speak IMDSv2", status, base);
		return IMDS_DISABLED;
	}
	if (status == 429 || status == 503) {
		snprintf(ret_why, size, "%ld: the metadata service is busy", status);
		return IMDS_BUSY;
	}
	if (status == 401)
		snprintf(ret_why, size, "401: %.60s did not accept %s", base,
		         put ? "a token request" : "its own token");
	else if (status == 200)
		snprintf(ret_why, size, "%.60s answered a %s with a web page", base, what);
	else
		snprintf(ret_why, size, "%.60s answered a %s with status %ld", base, what, status);
	return IMDS_BAD;
}
