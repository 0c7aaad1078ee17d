/*
 * Run by wna-cloud for every answer: a stranger's bytes, hence pure, total and
 * fuzzed. Never blocks; owns nothing.
 *
 * A failure is judged by its code, because the status lies: throttling is 400
 * or 429, an expired token 400 or 403. The codes are those of CloudWatch's API
 * reference, of the common errors of AWS's APIs, and of botocore's _retry.json
 * and retries/standard.py, without the suffix "Exception".
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "cloud_send.h"
#include "str.h"

/* Each code between two blanks. */
static const struct {
	enum cwatch_verdict verdict;
	const char *codes;
} known[] = {
	{ CWATCH_RETRY,
	  " Throttling Throttled ThrottlingError RequestThrottled TooManyRequests"
	  " RequestLimitExceeded BandwidthLimitExceeded LimitExceeded ProvisionedThroughputExceeded"
	  " TransactionInProgress PriorRequestNotComplete SlowDown EC2Throttled RequestTimeout"
	  " InternalServiceError InternalServiceFault InternalFailure InternalServerError"
	  " InternalError InternalServer ServiceUnavailable ServiceUnavailableError " },
	{ CWATCH_CLOCK,
	  " RequestExpired RequestTimeTooSkewed RequestInTheFuture SignatureDoesNotMatch"
	  " InvalidSignature " },
	{ CWATCH_REFUSED,
	  " ExpiredToken TokenRefreshRequired UnrecognizedClient InvalidClientTokenId"
	  " InvalidAccessKeyId InvalidToken MissingAuthenticationToken IncompleteSignature"
	  " AuthFailure " },
	/* The last four: the endpoint does not speak our protocol, which is no datum's fault. */
	{ CWATCH_DENIED,
	  " AccessDenied NotAuthorized UnauthorizedOperation Forbidden OptInRequired"
	  " SubscriptionRequired UnknownOperation InvalidAction Serialization MalformedInput " },
	{ CWATCH_BAD_DATUM,
	  " InvalidParameterValue InvalidParameterCombination MissingParameter"
	  " MissingRequiredParameter InvalidParameter InvalidFormat InvalidFormatFault Validation"
	  " ValidationError " },
	{ CWATCH_TOO_LARGE,
	  " RequestEntityTooLarge RequestTooLarge PayloadTooLarge EntityTooLarge " },
};

enum { CODE_SIZE = sizeof((struct cwatch_answer *)0)->code };

/* "com.amazonaws#InvalidParameterValueException:http://x" and "Throttling;Sender"
 * into the bare code. Empty if it is none. */
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

/* Takes a code from one of the places where it may stand; one of the table beats one
 * that is not, the first beats the later. */
static void take_code(struct cwatch_answer *answer, const char *text)
{
	char code[CODE_SIZE];

	bare_code(text, code);
	if (!code[0] || (answer->code[0] && answer->verdict != CWATCH_UNKNOWN))
		return;
	if (answer->code[0] && code_verdict(code) == CWATCH_UNKNOWN)
		return;
	str_copy(answer->code, sizeof answer->code, code);
	answer->verdict = code_verdict(code);
}

static const char *json_text(const cJSON *json, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* What the body says; `message` stays empty if it says nothing. */
static void take_json(struct cwatch_answer *answer, const cJSON *json, char *message, size_t size)
{
	const char *text = json_text(json, "message");

	take_code(answer, json_text(json, "__type"));
	take_code(answer, json_text(json, "code"));
	take_code(answer, json_text(json, "Code"));
	if (!text[0])
		text = json_text(json, "Message");
	str_excerpt(message, size, text, strlen(text));
}

/* The text of the first <name>...</name>; the body is short and ends with NUL. */
static bool xml_text(const char *body, const char *name, char *ret, size_t size)
{
	char open[24], close[24];
	const char *start, *end;

	snprintf(open, sizeof open, "<%s>", name);
	snprintf(close, sizeof close, "</%s>", name);
	start = strstr(body, open);
	if (!start)
		return false;
	start += strlen(open);
	end = strstr(start, close);
	if (!end)
		return false;
	str_excerpt(ret, size, start, (size_t)(end - start));
	return true;
}

enum body_kind { BODY_EMPTY, BODY_JSON, BODY_XML, BODY_OTHER };

static enum body_kind take_body(struct cwatch_answer *answer, const struct http_result *result,
                                char *message, size_t size)
{
	const char *at = result->body ? result->body : "";
	const char *end = at + result->body_len, *stop;
	char code[CODE_SIZE];
	cJSON *json;

	at += strspn(at, " \t\r\n");
	if (at >= end)
		return BODY_EMPTY;
	if (*at == '{') {
		json = cJSON_ParseWithLengthOpts(at, (size_t)(end - at), &stop, false);
		if (!json)
			return BODY_OTHER;
		take_json(answer, json, message, size);
		cJSON_Delete(json);
		return BODY_JSON;
	}
	if (*at != '<')
		return BODY_OTHER;
	if (strstr(at, "<PutMetricDataResponse"))
		return BODY_XML;
	if (!xml_text(at, "Code", code, sizeof code))
		return BODY_OTHER;
	take_code(answer, code);
	xml_text(at, "Message", message, size);
	return BODY_XML;
}

static enum cwatch_verdict status_verdict(long status)
{
	if (status >= 500 || status == 408 || status == 429)
		return CWATCH_RETRY;
	return status == 413 ? CWATCH_TOO_LARGE : CWATCH_FOREIGN;
}

static void judge_failure(const struct http_result *result, enum body_kind kind,
                          const char *message, struct cwatch_answer *answer)
{
	static const char *const kinds[] = {
		[BODY_EMPTY] = "an empty body",
		[BODY_JSON] = "JSON without an error code",
		[BODY_XML] = "XML without an error code",
		[BODY_OTHER] = "no JSON",
	};

	if (!answer->code[0]) {
		answer->verdict = status_verdict(result->status);
		snprintf(answer->why, sizeof answer->why, "HTTP %ld with %s", result->status,
		         kinds[kind]);
		/* It may not be AWS's answer, nor its clock AWS's. */
		answer->date_ms = 0;
		return;
	}
	/* An unknown code with a server's status is the server's failure. */
	if (answer->verdict == CWATCH_UNKNOWN && status_verdict(result->status) != CWATCH_FOREIGN)
		answer->verdict = status_verdict(result->status);
	/* These two verdicts' messages quote the canonical request, which has the token in it. */
	if (message[0] && answer->verdict != CWATCH_CLOCK && answer->verdict != CWATCH_REFUSED)
		snprintf(answer->why, sizeof answer->why, "%s: %s", answer->code, message);
	else
		snprintf(answer->why, sizeof answer->why, "%s (HTTP %ld)", answer->code,
		         result->status);
}

void cwatch_judge(const struct http_result *result, struct cwatch_answer *ret)
{
	char message[LIMIT_FACT_WHY - 70] = "";
	enum body_kind kind;

	*ret = (struct cwatch_answer){
		.verdict = CWATCH_RETRY,
		.date_ms = result->date_wall_ms,
		.sent_ms = result->sent_wall_ms,
		.took_ms = result->took_ms,
	};
	if (result->outcome != HTTP_ANSWERED) {
		ret->date_ms = 0;
		if (result->outcome == HTTP_TOO_LARGE)
			ret->verdict = CWATCH_FOREIGN;
		str_copy(ret->why, sizeof ret->why, result->why);
		return;
	}
	kind = take_body(ret, result, message, sizeof message);
	take_code(ret, result->error_type);
	take_code(ret, result->query_error);
	/* A captive portal's 200 with a page is no acceptance. */
	if (result->status >= 200 && result->status <= 299 && !ret->code[0] && kind != BODY_OTHER)
		ret->verdict = CWATCH_ACCEPTED;
	else
		judge_failure(result, kind, message, ret);
}
