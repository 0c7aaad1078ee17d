/*
 * Run by wna-cloud for every answer: bytes from outside, hence pure, total and
 * fuzzed. Never blocks; owns nothing.
 *
 * A failure is judged by its code, because one status has several meanings: throttling is
 * 400 or 429, an expired token 400 or 403. The codes are those of CloudWatch's API
 * reference, of the common errors of AWS's APIs, and of botocore's _retry.json
 * and retries/standard.py, without the suffix "Exception".
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "cloud_aws.h"
#include "str.h"

/* Each code between two blanks. */
static const struct {
	enum cwatch_verdict verdict;
	const char *codes;
} known[] = {
	{ CWATCH_RETRY,
	  " Throttling Throttled ThrottlingError RequestThrottled TooManyRequests"
	  " RequestLimitExceeded LimitExceeded SlowDown RequestTimeout InternalServiceError"
	  " InternalServiceFault InternalFailure InternalServerError InternalError"
	  " InternalServer ServiceUnavailable ServiceUnavailableError " },
	{ CWATCH_CLOCK,
	  " RequestExpired RequestTimeTooSkewed RequestInTheFuture SignatureDoesNotMatch"
	  " InvalidSignature " },
	{ CWATCH_REFUSED,
	  " ExpiredToken TokenRefreshRequired UnrecognizedClient InvalidClientTokenId"
	  " InvalidAccessKeyId InvalidToken MissingAuthenticationToken IncompleteSignature"
	  " AuthFailure " },
	/* The last four: the endpoint does not speak our protocol; no datum is the cause. */
	{ CWATCH_DENIED,
	  " AccessDenied NotAuthorized UnauthorizedOperation Forbidden OptInRequired"
	  " SubscriptionRequired UnknownOperation InvalidAction Serialization MalformedInput " },
	{ CWATCH_BAD_DATUM,
	  " InvalidParameterValue InvalidParameterCombination MissingParameter"
	  " MissingRequiredParameter InvalidParameter InvalidFormat InvalidFormatFault Validation"
	  " ValidationError RequestEntityTooLarge RequestTooLarge PayloadTooLarge"
	  " EntityTooLarge " },
};

enum { CODE_SIZE = sizeof((struct cwatch_answer *)0)->code };

/* "com.amazonaws#InvalidParameterValueException:http://x" into the bare code. Empty if there
 * is none. */
static void bare_code(const char *text, char ret[CODE_SIZE])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                              "0123456789._-";
	static const char suffix[] = "Exception";
	const size_t suffix_len = sizeof suffix - 1;
	const char *hash = strchr(text, '#');
	size_t len;

	if (hash)
		text = hash + 1;
	len = strspn(text, letters);
	ret[0] = '\0';
	if (len == 0 || len >= CODE_SIZE || (text[len] && !strchr(":; ", text[len])))
		return;
	if (len > suffix_len && strncmp(text + len - suffix_len, suffix, suffix_len) == 0)
		len -= suffix_len;
	memcpy(ret, text, len);
	ret[len] = '\0';
}

static enum cwatch_verdict code_verdict(const char *code)
{
	char word[CODE_SIZE + 2];

	snprintf(word, sizeof word, " %s ", code);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strstr(known[i].codes, word))
			return known[i].verdict;
	}
	return CWATCH_UNKNOWN;
}

static const char *json_text(const cJSON *json, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* The body's code and message, which stay empty if it has none. False if it is neither empty nor
 * a JSON object. */
static bool take_body(const struct http_result *result, struct cwatch_answer *answer, char *message,
                      size_t size)
{
	cJSON *json;
	const char *text;
	bool ok;

	if (strspn(result->body, " \t\r\n") >= result->body_len)
		return true;
	json = cJSON_ParseWithLength(result->body, result->body_len);
	ok = cJSON_IsObject(json);
	bare_code(json_text(json, "__type"), answer->code);
	if (!answer->code[0])
		bare_code(json_text(json, "code"), answer->code);
	text = json_text(json, "message");
	if (!text[0])
		text = json_text(json, "Message");
	str_excerpt(message, size, text, strlen(text));
	cJSON_Delete(json);
	return ok;
}

static enum cwatch_verdict status_verdict(long status)
{
	if (status >= 500 || status == 408 || status == 429)
		return CWATCH_RETRY;
	return status == 413 ? CWATCH_BAD_DATUM : CWATCH_UNKNOWN;
}

static void judge_failure(const struct http_result *result, const char *message,
                          struct cwatch_answer *answer)
{
	if (!answer->code[0]) {
		answer->verdict = status_verdict(result->status);
		snprintf(answer->why, sizeof answer->why, "HTTP %ld without an error code of AWS",
		         result->status);
		/* Perhaps another program's answer, with another clock. */
		answer->date_ms = 0;
		return;
	}
	answer->verdict = code_verdict(answer->code);
	/* An unknown code with a server's status is the server's failure. */
	if (answer->verdict == CWATCH_UNKNOWN)
		answer->verdict = status_verdict(result->status);
	/* The messages of refused signatures and keys quote the canonical request, which has the
	 * token in it. */
	if (message[0] && answer->verdict != CWATCH_CLOCK && answer->verdict != CWATCH_REFUSED)
		snprintf(answer->why, sizeof answer->why, "%s: %s", answer->code, message);
	else
		snprintf(answer->why, sizeof answer->why, "%s (HTTP %ld)", answer->code,
		         result->status);
}

/* The text of an element; empty if there is none. */
static void element(const char *xml, const char *begin, const char *end, char *ret, size_t size)
{
	const char *from = strstr(xml, begin), *to;

	ret[0] = '\0';
	if (!from)
		return;
	from += strlen(begin);
	to = strstr(from, end);
	if (to)
		str_excerpt(ret, size, from, (size_t)(to - from));
}

/* What both have in common. False without an answer. */
static bool begin(const struct http_result *result, struct cwatch_answer *ret)
{
	*ret = (struct cwatch_answer){
		.verdict = CWATCH_RETRY,
		.date_ms = result->date_wall_ms,
		.sent_ms = result->sent_wall_ms,
		.took_ms = result->took_ms,
	};
	if (result->outcome == HTTP_ANSWERED)
		return true;
	ret->date_ms = 0;
	str_copy(ret->why, sizeof ret->why, result->why);
	return false;
}

void query_judge(const struct http_result *result, struct cwatch_answer *ret)
{
	char code[CODE_SIZE] = "", message[LIMIT_FACT_WHY - 70] = "";

	if (!begin(result, ret))
		return;
	element(result->body, "<Code>", "</Code>", code, sizeof code);
	bare_code(code, ret->code);
	element(result->body, "<Message>", "</Message>", message, sizeof message);
	/* A captive portal may answer 200 with a page. */
	if (result->status >= 200 && result->status <= 299 && !ret->code[0] &&
	    strstr(result->body, "<RequestId>"))
		ret->verdict = CWATCH_ACCEPTED;
	else
		judge_failure(result, message, ret);
}

void cwatch_judge(const struct http_result *result, struct cwatch_answer *ret)
{
	char message[LIMIT_FACT_WHY - 70] = "";
	bool plausible;

	if (!begin(result, ret))
		return;
	plausible = take_body(result, ret, message, sizeof message);
	if (result->error_type[0])
		bare_code(result->error_type, ret->code);
	/* A captive portal may answer 200 with a page. */
	if (result->status >= 200 && result->status <= 299 && !ret->code[0] && plausible)
		ret->verdict = CWATCH_ACCEPTED;
	else
		judge_failure(result, message, ret);
}
