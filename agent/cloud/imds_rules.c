/*
 * Run by wna-cloud. Pure but for the environment that imds_settings_read is
 * given; blocks on nothing, owns nothing.
 */
#include "imds_rules.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "str.h"
#include "url.h"

static const char *env_text(char *(*env)(const char *name), const char *name)
{
	const char *value = env(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

void imds_settings_read(const struct conf_imds *conf, char *(*env)(const char *name),
                        struct imds_settings *ret)
{
	const char *off = env_text(env, "AWS_EC2_METADATA_DISABLED");
	const char *endpoint = env_text(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = env_text(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *use_six = env_text(env, "AWS_IMDS_USE_IPV6");
	const char *timeout = env_text(env, "AWS_METADATA_SERVICE_TIMEOUT");
	const char *attempts = env_text(env, "AWS_METADATA_SERVICE_NUM_ATTEMPTS");
	bool six = conf->endpoint_mode == IMDS_IPV6;
	struct imds_settings settings = {
		.off = off != NULL && strcasecmp(off, "true") == 0,
		.timeout_ms = conf->timeout_ms,
		.attempts = 2,
		.token_ttl_s = conf->token_ttl_s,
	};
	int64_t number;

	if (timeout != NULL && str_int64(timeout, 1, 60, &number))
		settings.timeout_ms = number * 1000;
	else if (timeout != NULL)
		str_copy(settings.ignored, sizeof(settings.ignored),
		         "AWS_METADATA_SERVICE_TIMEOUT");
	if (attempts != NULL && str_int64(attempts, 1, 10, &number))
		settings.attempts = (int)number;
	else if (attempts != NULL)
		str_copy(settings.ignored, sizeof(settings.ignored),
		         "AWS_METADATA_SERVICE_NUM_ATTEMPTS");
	if (use_six != NULL && strcasecmp(use_six, "true") == 0)
		six = true;
	if (mode != NULL && strcasecmp(mode, "IPv6") == 0)
		six = true;
	else if (mode != NULL && strcasecmp(mode, "IPv4") != 0)
		str_copy(settings.ignored, sizeof(settings.ignored),
		         "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	str_copy(settings.base, sizeof(settings.base),
	         six ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
	if (conf->endpoint[0] != '\0')
		endpoint = conf->endpoint;
	if (endpoint != NULL && !url_prefix_parse(endpoint, settings.base, sizeof(settings.base)))
		str_copy(settings.ignored, sizeof(settings.ignored),
		         endpoint == conf->endpoint ? "imds.endpoint"
		                                    : "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	*ret = settings;
}

static enum imds_class classify_lost(bool put, const struct http_result *result, const char *base,
                                     char *ret_why, size_t size)
{
	switch (result->outcome) {
	case HTTP_TIMED_OUT:
		if (put)
			snprintf(ret_why, size,
			         "no token from %.60s: no route, or hop limit too low", base);
		else
			snprintf(ret_why, size, "%.60s gave a token and then no answer", base);
		return IMDS_CLASS_SILENT;
	case HTTP_NO_CONNECT:
	case HTTP_NO_NAME:
		snprintf(ret_why, size, "no way to %.60s: %.80s", base, result->why);
		return IMDS_CLASS_SILENT;
	default: snprintf(ret_why, size, "%.60s: %.80s", base, result->why); return IMDS_CLASS_BAD;
	}
}

enum imds_class imds_classify(bool put, const struct http_result *result, const char *base,
                              char *ret_why, size_t size)
{
	const char *what = put ? "token request" : "question";

	if (result->outcome != HTTP_ANSWERED)
		return classify_lost(put, result, base, ret_why, size);
	switch (result->status) {
	case 200:
		/* The service says text/plain or application/json, stand-ins may say
		 * nothing; a page is somebody else's answer. */
		if (strncasecmp(result->content_type, "text/html", 9) != 0 &&
		    strncasecmp(result->content_type, "application/xhtml", 17) != 0)
			return IMDS_CLASS_VALUE;
		snprintf(ret_why, size, "%.60s answered a %s with a web page", base, what);
		return IMDS_CLASS_BAD;
	case 404:
		if (!put)
			return IMDS_CLASS_ABSENT;
		break;
	case 400:
		snprintf(ret_why, size, "400: %.60s refused a %s as malformed", base, what);
		return IMDS_CLASS_BUG;
	case 401:
		if (put)
			break;
		snprintf(ret_why, size, "401: the token was not taken");
		return IMDS_CLASS_TOKEN;
	case 403:
		snprintf(ret_why, size, "403: %s",
		         put ? "the metadata service is disabled for this instance"
		             : "not allowed, or the metadata service was disabled");
		return IMDS_CLASS_DISABLED;
	case 405:
		if (!put)
			break;
		snprintf(ret_why, size, "405: %.60s does not speak IMDSv2", base);
		return IMDS_CLASS_DISABLED;
	case 429:
	case 503:
		snprintf(ret_why, size, "%ld: the metadata service is busy", result->status);
		return IMDS_CLASS_BUSY;
	default: break;
	}
	if (put && result->status == 404) {
		snprintf(ret_why, size, "404: %.60s does not speak IMDSv2", base);
		return IMDS_CLASS_DISABLED;
	}
	snprintf(ret_why, size, "%.60s answered a %s with status %ld", base, what, result->status);
	return IMDS_CLASS_BAD;
}

enum imds_state imds_class_state(enum imds_class class)
{
	switch (class) {
	case IMDS_CLASS_DISABLED: return IMDS_DISABLED;
	case IMDS_CLASS_SILENT: return IMDS_SILENT;
	case IMDS_CLASS_BUSY: return IMDS_BUSY;
	case IMDS_CLASS_BAD:
	case IMDS_CLASS_BUG:
	case IMDS_CLASS_TOKEN: return IMDS_BAD;
	default: return IMDS_OK;
	}
}

int64_t imds_pause_ms(enum imds_class class, unsigned failures, uint32_t random)
{
	/* Somebody has to switch it on, or to repair us: no use in hurrying. */
	if (class == IMDS_CLASS_DISABLED || class == IMDS_CLASS_BUG)
		return clock_jitter(IMDS_RETRY_MAX_MS / 2, 25, random);
	return clock_backoff(failures > 0 ? failures - 1 : 0, IMDS_RETRY_BASE_MS, IMDS_RETRY_MAX_MS,
	                     random);
}

bool imds_token_valid(const char *body, size_t len)
{
	if (len == 0 || len > IMDS_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (body[i] <= ' ' || body[i] > '~' || body[i] == '<' || body[i] == '>')
			return false;
	return true;
}

int64_t imds_renew_ms(int64_t ttl_s, uint32_t random)
{
	int64_t life_ms = ttl_s * 1000;

	return life_ms * 3 / 4 + (int64_t)(random % 1000) * (life_ms * 15 / 100) / 1000;
}
