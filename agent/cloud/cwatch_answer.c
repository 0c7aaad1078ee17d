/*
 * Run by wna-cloud for every answer: a stranger's bytes, so pure, total and
 * fuzzed. Never blocks; owns nothing.
 *
 * A failure is judged by its code, because the status lies: throttling is 400
 * or 429, an expired token 400 or 403. The codes are those of CloudWatch's API
 * reference, of the common errors of AWS's APIs, and of botocore's _retry.json
 * and retries/standard.py, without the suffix "Exception".
 */
#include "cwatch.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "str.h"

static const struct {
	const char *code;
	enum cwatch_verdict verdict;
} codes[] = {
	{ "Throttling", CWATCH_RETRY },
	{ "Throttled", CWATCH_RETRY },
	{ "ThrottlingError", CWATCH_RETRY },
	{ "RequestThrottled", CWATCH_RETRY },
	{ "TooManyRequests", CWATCH_RETRY },
	{ "RequestLimitExceeded", CWATCH_RETRY },
	{ "BandwidthLimitExceeded", CWATCH_RETRY },
	{ "LimitExceeded", CWATCH_RETRY },
	{ "ProvisionedThroughputExceeded", CWATCH_RETRY },
	{ "TransactionInProgress", CWATCH_RETRY },
	{ "PriorRequestNotComplete", CWATCH_RETRY },
	{ "SlowDown", CWATCH_RETRY },
	{ "EC2Throttled", CWATCH_RETRY },
	{ "InternalServiceError", CWATCH_RETRY },
	{ "InternalServiceFault", CWATCH_RETRY },
	{ "InternalFailure", CWATCH_RETRY },
	{ "InternalServerError", CWATCH_RETRY },
	{ "InternalError", CWATCH_RETRY },
	{ "InternalServer", CWATCH_RETRY },
	{ "ServiceUnavailable", CWATCH_RETRY },
	{ "ServiceUnavailableError", CWATCH_RETRY },
	{ "RequestTimeout", CWATCH_RETRY },

	{ "RequestExpired", CWATCH_CLOCK },
	{ "RequestTimeTooSkewed", CWATCH_CLOCK },
	{ "RequestInTheFuture", CWATCH_CLOCK },
	{ "SignatureDoesNotMatch", CWATCH_CLOCK },
	{ "InvalidSignature", CWATCH_CLOCK },

	{ "ExpiredToken", CWATCH_REFUSED },
	{ "TokenRefreshRequired", CWATCH_REFUSED },
	{ "UnrecognizedClient", CWATCH_REFUSED },
	{ "InvalidClientTokenId", CWATCH_REFUSED },
	{ "InvalidAccessKeyId", CWATCH_REFUSED },
	{ "InvalidToken", CWATCH_REFUSED },
	{ "MissingAuthenticationToken", CWATCH_REFUSED },
	{ "IncompleteSignature", CWATCH_REFUSED },
	{ "AuthFailure", CWATCH_REFUSED },

	{ "AccessDenied", CWATCH_DENIED },
	{ "NotAuthorized", CWATCH_DENIED },
	{ "UnauthorizedOperation", CWATCH_DENIED },
	{ "Forbidden", CWATCH_DENIED },
	{ "OptInRequired", CWATCH_DENIED },
	{ "SubscriptionRequired", CWATCH_DENIED },
	/* The endpoint does not speak our protocol: no datum's fault. */
	{ "UnknownOperation", CWATCH_DENIED },
	{ "InvalidAction", CWATCH_DENIED },
	{ "Serialization", CWATCH_DENIED },
	{ "MalformedInput", CWATCH_DENIED },

	{ "InvalidParameterValue", CWATCH_BAD_DATUM },
	{ "InvalidParameterCombination", CWATCH_BAD_DATUM },
	{ "MissingParameter", CWATCH_BAD_DATUM },
	{ "MissingRequiredParameter", CWATCH_BAD_DATUM },
	{ "InvalidParameter", CWATCH_BAD_DATUM },
	{ "InvalidFormat", CWATCH_BAD_DATUM },
	{ "InvalidFormatFault", CWATCH_BAD_DATUM },
	{ "Validation", CWATCH_BAD_DATUM },
	{ "ValidationError", CWATCH_BAD_DATUM },

	{ "RequestEntityTooLarge", CWATCH_TOO_LARGE },
	{ "RequestTooLarge", CWATCH_TOO_LARGE },
	{ "PayloadTooLarge", CWATCH_TOO_LARGE },
	{ "EntityTooLarge", CWATCH_TOO_LARGE },
};

const char *cwatch_verdict_name(int64_t verdict)
{
	static const char *const names[CWATCH_VERDICT_MAX] = {
		[CWATCH_ACCEPTED] = "accepted",   [CWATCH_RETRY] = "retry",
		[CWATCH_CLOCK] = "clock",         [CWATCH_REFUSED] = "refused",
		[CWATCH_DENIED] = "denied",       [CWATCH_BAD_DATUM] = "bad datum",
		[CWATCH_TOO_LARGE] = "too large", [CWATCH_UNKNOWN] = "unknown",
		[CWATCH_FOREIGN] = "foreign",
	};

	return verdict >= 0 && verdict < CWATCH_VERDICT_MAX ? names[verdict] : "?";
}

/* "com.amazonaws#InvalidParameterValueException:http://x" and "Throttling;Sender"
 * into the bare code. Empty if it is none. */
static void bare_code(const char *text, char *ret, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                              "0123456789._-";
	static const char suffix[] = "Exception";
	const char *hash = strchr(text, '#');
	size_t len;

	if (hash != NULL)
		text = hash + 1;
	len = strspn(text, letters);
	ret[0] = '\0';
	if (len == 0 || len >= size || (text[len] != '\0' && strchr(":; ", text[len]) == NULL))
		return;
	if (len > sizeof(suffix) - 1 &&
	    strncmp(text + len - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) == 0)
		len -= sizeof(suffix) - 1;
	memcpy(ret, text, len);
	ret[len] = '\0';
}

static enum cwatch_verdict code_verdict(const char *code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].verdict;
	}
	return CWATCH_UNKNOWN;
}

/* Takes a code from one of the places it may be in; one of the table beats one that
 * is not, the first beats the later. */
static void take_code(struct cwatch_answer *answer, const char *text)
{
	char code[sizeof(answer->code)];

	bare_code(text, code, sizeof(code));
	if (code[0] == '\0' || (answer->code[0] != '\0' && answer->verdict != CWATCH_UNKNOWN))
		return;
	if (answer->code[0] != '\0' && code_verdict(code) == CWATCH_UNKNOWN)
		return;
	str_copy(answer->code, sizeof(answer->code), code);
	answer->verdict = code_verdict(code);
}

/* What the body says; `message` stays empty if it says nothing. */
static void take_json(struct cwatch_answer *answer, const cJSON *json, char *message, size_t size)
{
	static const char *const code_keys[] = { "__type", "code", "Code" };
	static const char *const message_keys[] = { "message", "Message" };

	for (size_t i = 0; i < sizeof(code_keys) / sizeof(code_keys[0]); i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, code_keys[i]);

		if (cJSON_IsString(item))
			take_code(answer, item->valuestring);
	}
	for (size_t i = 0; i < sizeof(message_keys) / sizeof(message_keys[0]); i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, message_keys[i]);

		if (cJSON_IsString(item) && message[0] == '\0')
			str_clean(message, size, item->valuestring, strlen(item->valuestring));
	}
}

/* The text of the first <name>...</name>; the body is short and ends with NUL. */
static bool xml_text(const char *body, const char *name, char *ret, size_t size)
{
	char open[24], close[24];
	const char *start, *end;

	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	start = strstr(body, open);
	if (start == NULL)
		return false;
	start += strlen(open);
	end = strstr(start, close);
	if (end == NULL)
		return false;
	str_clean(ret, size, start, (size_t)(end - start));
	return true;
}

enum body_kind { BODY_EMPTY, BODY_JSON, BODY_XML, BODY_OTHER };

static enum body_kind take_body(struct cwatch_answer *answer, const struct http_result *result,
                                char *message, size_t size)
{
	const char *at = result->body != NULL ? result->body : "";
	const char *end = at + result->body_len;
	char code[sizeof(answer->code)];
	cJSON *json;

	while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
		at++;
	if (at == end)
		return BODY_EMPTY;
	if (*at == '{') {
		const char *stop = NULL;

		json = cJSON_ParseWithLengthOpts(at, (size_t)(end - at), &stop, false);
		if (json == NULL)
			return BODY_OTHER;
		take_json(answer, json, message, size);
		cJSON_Delete(json);
		return BODY_JSON;
	}
	if (*at != '<')
		return BODY_OTHER;
	if (strstr(at, "<PutMetricDataResponse") != NULL)
		return BODY_XML;
	if (!xml_text(at, "Code", code, sizeof(code)))
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

/* These messages quote the canonical request, which has the token in it. */
static bool may_quote(enum cwatch_verdict verdict)
{
	return verdict != CWATCH_CLOCK && verdict != CWATCH_REFUSED;
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

	if (answer->code[0] == '\0') {
		answer->verdict = status_verdict(result->status);
		snprintf(answer->why, sizeof(answer->why), "HTTP %ld with %s", result->status,
		         kinds[kind]);
		/* Who sent this is not known to be AWS, nor is its clock AWS's. */
		answer->date_ms = 0;
		return;
	}
	/* A code that nobody knows with a server's status is the server's failure. */
	if (answer->verdict == CWATCH_UNKNOWN && status_verdict(result->status) != CWATCH_FOREIGN)
		answer->verdict = status_verdict(result->status);
	if (message[0] != '\0' && may_quote(answer->verdict))
		snprintf(answer->why, sizeof(answer->why), "%s: %s", answer->code, message);
	else
		snprintf(answer->why, sizeof(answer->why), "%s (HTTP %ld)", answer->code,
		         result->status);
}

void cwatch_judge(const struct http_result *result, struct cwatch_answer *ret)
{
	char message[LIMIT_FACT_WHY - 80] = "";
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
		str_clean(ret->why, sizeof(ret->why), result->why, strlen(result->why));
		if (ret->why[0] == '\0')
			snprintf(ret->why, sizeof(ret->why), "%s",
			         http_outcome_name(result->outcome));
		return;
	}
	kind = take_body(ret, result, message, sizeof(message));
	take_code(ret, result->error_type);
	take_code(ret, result->query_error);
	/* A captive portal's 200 with a page is no acceptance. */
	if (result->status >= 200 && result->status <= 299 && ret->code[0] == '\0' &&
	    kind != BODY_OTHER) {
		ret->verdict = CWATCH_ACCEPTED;
		return;
	}
	judge_failure(result, kind, message, ret);
}
