/* The request's body, and what each answer means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_push.h"

static const struct conf_metrics conf = { .name = "CPU", .resolution = 1 };

static const struct datum datum = {
	.at_ms = 1795420800000,
	.count = 3,
	.value = { { 0, 1 }, { 125, 8 }, { 1000, 1 } },
};

static char text[CWATCH_BODY_MAX];

static void test_body(void **state)
{
	struct cwatch_body body = { 0 };
	char one[CWATCH_DATUM_MAX];

	(void)state;
	sb_init(&body.sb, text, sizeof(text));
	cwatch_datum(&conf, DIMENSION_ASG, "web \"blue\"", &datum, one);
	assert_string_equal(one,
	                    "{\"MetricName\":\"CPU\",\"Dimensions\":[{"
	                    "\"Name\":\"AutoScalingGroupName\",\"Value\":\"web \\\"blue\\\"\"}],"
	                    "\"Values\":[0.0,12.5,100.0],\"Counts\":[1,8,1],"
	                    "\"Unit\":\"Percent\",\"StorageResolution\":1}");
	cwatch_duration(&conf, DIMENSION_INSTANCE, "i-1", "DatabaseOutageSeconds", 7050, one);
	assert_string_equal(one, "{\"MetricName\":\"DatabaseOutageSeconds\",\"Dimensions\":[{"
	                         "\"Name\":\"InstanceId\",\"Value\":\"i-1\"}],"
	                         "\"Value\":7.050,\"Unit\":\"Seconds\",\"StorageResolution\":1}");
	assert_int_equal(cwatch_body_add(&body, "Web", datum.at_ms, "{\"a\":1}"), 0);
	assert_int_equal(cwatch_body_add(&body, "Web", datum.at_ms + 10000, "{\"b\":2}"), 0);
	cwatch_body_end(&body);
	assert_string_equal(text, "{\"Namespace\":\"Web\",\"MetricData\":["
	                          "{\"Timestamp\":1795420800,\"a\":1},"
	                          "{\"Timestamp\":1795420810,\"b\":2}]}");
	assert_int_equal(body.sb.len, strlen(text));
}

/* A full request: data of the largest size, with names that must be escaped. */
static void test_body_limits(void **state)
{
	struct cwatch_body body = { 0 };
	struct conf_metrics large = conf;
	struct datum full = { .at_ms = 1795420800000, .count = DATUM_VALUES_MAX };
	char who[LIMIT_HOST], one[CWATCH_DATUM_MAX];
	int count = 0;
	cJSON *json;

	(void)state;
	sb_init(&body.sb, text, sizeof(text));
	memset(large.name, 1, sizeof(large.name) - 1);
	memset(who, 1, sizeof(who) - 1);
	who[sizeof(who) - 1] = '\0';
	for (unsigned i = 0; i < full.count; i++)
		full.value[i] = (struct datum_value){ (uint16_t)(851 + i), 60000 };
	cwatch_datum(&large, DIMENSION_ASG, who, &full, one);
	json = cJSON_Parse(one);
	assert_non_null(json); /* not cut */
	cJSON_Delete(json);
	while (cwatch_body_add(&body, "Web", full.at_ms, one) == 0)
		count++;
	assert_true(count > 100);
	assert_int_equal(cwatch_body_add(&body, "Web", full.at_ms, one), -EFBIG);
	assert_int_equal(cwatch_body_add(&body, "Other", full.at_ms, one), -EXDEV);
	cwatch_body_end(&body);
	assert_true(!body.sb.cut && body.sb.len < 1000 * 1000);
	json = cJSON_Parse(text);
	assert_non_null(json);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "MetricData")), count);
	cJSON_Delete(json);
}

static struct cwatch_answer judge(long status, const char *error_type, const char *body)
{
	struct http_result result = {
		.outcome = HTTP_ANSWERED,
		.status = status,
		.body = body,
		.body_len = strlen(body),
		.date_wall_ms = 1700000000000,
		.sent_wall_ms = 1,
		.took_ms = 2,
	};
	struct cwatch_answer answer;

	snprintf(result.error_type, sizeof(result.error_type), "%s", error_type);
	cwatch_judge(&result, &answer);
	assert_true(answer.verdict == CWATCH_ACCEPTED || answer.why[0] != '\0');
	return answer;
}

static void test_answers(void **state)
{
	static const struct {
		long status;
		const char *type, *body;
		enum cwatch_verdict verdict;
		const char *code;
	} rows[] = {
		/* Accepted. */
		{ 200, "", "", CWATCH_ACCEPTED, "" },
		{ 200, "", "{}", CWATCH_ACCEPTED, "" },
		{ 200, "", " \r\n", CWATCH_ACCEPTED, "" },
		{ 204, "", "", CWATCH_ACCEPTED, "" },
		/* By code, from each of its places. */
		{ 400, "", "{\"__type\":\"Throttling\"}", CWATCH_RETRY, "Throttling" },
		{ 400, "",
		  "{\"__type\":\"com.amazon.coral.availability#ThrottlingException\","
		  "\"message\":\"Rate exceeded\"}",
		  CWATCH_RETRY, "Throttling" },
		{ 429, "TooManyRequestsException:http://internal.amazon.com/x/", "{}", CWATCH_RETRY,
		  "TooManyRequests" },
		{ 400, "Throttling", "<ErrorResponse/>", CWATCH_RETRY, "Throttling" },
		{ 400, "", "{\"code\":\"LimitExceededException\"}", CWATCH_RETRY, "LimitExceeded" },
		{ 500, "InternalServiceFault", "{}", CWATCH_RETRY, "InternalServiceFault" },
		{ 400, "RequestTimeoutException", "{}", CWATCH_RETRY, "RequestTimeout" },
		{ 403, "", "{\"__type\":\"ExpiredTokenException\"}", CWATCH_REFUSED,
		  "ExpiredToken" },
		{ 400, "ExpiredToken", "", CWATCH_REFUSED, "ExpiredToken" },
		{ 403, "UnrecognizedClientException", "", CWATCH_REFUSED, "UnrecognizedClient" },
		{ 403, "InvalidClientTokenId", "", CWATCH_REFUSED, "InvalidClientTokenId" },
		{ 403, "MissingAuthenticationTokenException", "", CWATCH_REFUSED,
		  "MissingAuthenticationToken" },
		{ 403, "SignatureDoesNotMatch", "", CWATCH_CLOCK, "SignatureDoesNotMatch" },
		{ 400, "RequestExpired", "", CWATCH_CLOCK, "RequestExpired" },
		{ 403, "InvalidSignatureException", "", CWATCH_CLOCK, "InvalidSignature" },
		{ 403, "RequestTimeTooSkewed", "", CWATCH_CLOCK, "RequestTimeTooSkewed" },
		{ 403, "", "{\"__type\":\"AccessDeniedException\"}", CWATCH_DENIED,
		  "AccessDenied" },
		{ 400, "AccessDenied", "", CWATCH_DENIED, "AccessDenied" },
		{ 404, "", "{\"__type\":\"UnknownOperationException\"}", CWATCH_DENIED,
		  "UnknownOperation" },
		{ 400, "InvalidParameterValueException", "{}", CWATCH_BAD_DATUM,
		  "InvalidParameterValue" },
		{ 400, "",
		  "{\"__type\":\"com.amazonaws.cloudwatch#MissingRequiredParameter"
		  "Exception\"}",
		  CWATCH_BAD_DATUM, "MissingRequiredParameter" },
		{ 400, "InvalidParameterCombination", "", CWATCH_BAD_DATUM,
		  "InvalidParameterCombination" },
		{ 400, "", "{\"__type\":\"ValidationError\"}", CWATCH_BAD_DATUM,
		  "ValidationError" },
		{ 413, "RequestEntityTooLarge", "", CWATCH_BAD_DATUM, "RequestEntityTooLarge" },
		/* The header's code before the body's. */
		{ 400, "Throttling", "{\"__type\":\"Newer\"}", CWATCH_RETRY, "Throttling" },
		{ 400, "", "{\"__type\":\"BrandNewException\"}", CWATCH_UNKNOWN, "BrandNew" },
		{ 503, "", "{\"__type\":\"BrandNewException\"}", CWATCH_RETRY, "BrandNew" },
		/* An error in a success. */
		{ 200, "", "{\"__type\":\"InternalFailure\"}", CWATCH_RETRY, "InternalFailure" },
		/* Without a code the status decides, or the answer is unknown. */
		{ 500, "", "", CWATCH_RETRY, "" },
		{ 502, "", "<html>bad gateway</html>", CWATCH_RETRY, "" },
		{ 503, "", "{}", CWATCH_RETRY, "" },
		{ 429, "", "slow down", CWATCH_RETRY, "" },
		{ 408, "", "", CWATCH_RETRY, "" },
		{ 413, "", "<html>", CWATCH_BAD_DATUM, "" },
		{ 200, "", "<html>Please log in</html>", CWATCH_UNKNOWN, "" },
		{ 200, "", "hello", CWATCH_UNKNOWN, "" },
		{ 200, "", "{\"cut", CWATCH_UNKNOWN, "" },
		{ 400, "", "{\"__type\":\"Throttl", CWATCH_UNKNOWN, "" },
		{ 400, "", "", CWATCH_UNKNOWN, "" },
		{ 301, "", "", CWATCH_UNKNOWN, "" },
		{ 404, "", "<html>not here</html>", CWATCH_UNKNOWN, "" },
		{ 403, "", "{\"__type\":12}", CWATCH_UNKNOWN, "" },
		{ 403, "", "[1,2]", CWATCH_UNKNOWN, "" },
		/* Texts that are not codes. */
		{ 400, "<script>", "{\"__type\":\"\"}", CWATCH_UNKNOWN, "" },
		{ 400, "", "{\"__type\":\"Thrott ling; x\"}", CWATCH_UNKNOWN, "Thrott" },
		{ 400, "Exception", "", CWATCH_UNKNOWN, "Exception" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cwatch_answer answer = judge(rows[i].status, rows[i].type, rows[i].body);

		if (answer.verdict != rows[i].verdict || strcmp(answer.code, rows[i].code) != 0)
			fail_msg("row %zu (%ld %s%s): %d \"%s\"", i, rows[i].status, rows[i].type,
			         rows[i].body, answer.verdict, answer.code);
	}
}

static void test_why(void **state)
{
	struct cwatch_answer answer;
	char body[4000];

	(void)state;
	answer = judge(403, "",
	               "{\"__type\":\"AccessDeniedException\","
	               "\"Message\":\"User: x is\\nnot \\u001b[31mauthorized\"}");
	assert_string_equal(answer.why, "AccessDenied: User: x is not ?[31mauthorized");
	/* Signature errors quote the request, and the token in it. */
	answer = judge(403, "",
	               "{\"__type\":\"SignatureDoesNotMatch\",\"message\":"
	               "\"x-amz-security-token:SECRET\"}");
	assert_string_equal(answer.why, "SignatureDoesNotMatch (HTTP 403)");
	/* A long message keeps its end, which names the missing right. */
	answer = judge(403, "",
	               "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: "
	               "arn:aws:sts::123456789012:assumed-role/practice-WebRole-1ABCDEFGHIJKL/"
	               "i-0123456789abcdef0 is not authorized to perform: "
	               "cloudwatch:PutMetricData\"}");
	assert_non_null(strstr(answer.why, "AccessDenied: User: arn:aws:sts"));
	assert_non_null(strstr(answer.why, "..."));
	assert_non_null(strstr(answer.why, "perform: cloudwatch:PutMetricData"));
	/* No message is longer than its buffer. */
	snprintf(body, sizeof(body), "{\"__type\":\"Throttling\",\"message\":\"%03000d\"}", 7);
	answer = judge(400, "", body);
	assert_true(strlen(answer.why) < sizeof(answer.why));
	snprintf(body, sizeof(body), "{\"__type\":\"%03000d\"}", 7);
	answer = judge(400, "", body);
	assert_string_equal(answer.code, "");
	assert_int_equal(answer.verdict, CWATCH_UNKNOWN);
}

/* Only AWS's own answers tell AWS's time. */
static void test_date(void **state)
{
	(void)state;
	assert_int_equal(judge(200, "", "").date_ms, 1700000000000);
	assert_int_equal(judge(403, "RequestExpired", "").date_ms, 1700000000000);
	assert_int_equal(judge(503, "", "<html>proxy</html>").date_ms, 0);
	assert_int_equal(judge(200, "", "<html>portal</html>").date_ms, 0);
}

static void test_no_answer(void **state)
{
	struct http_result result = { .outcome = HTTP_TIMED_OUT,
		                      .why = "no answer within 10 s",
		                      .date_wall_ms = 5 };
	struct cwatch_answer answer;

	(void)state;
	cwatch_judge(&result, &answer);
	assert_int_equal(answer.verdict, CWATCH_RETRY);
	assert_string_equal(answer.why, "no answer within 10 s");
	assert_int_equal(answer.date_ms, 0);
}

/* EC2 Auto Scaling's answers; the texts are those of botocore's model and of its users. */
static void test_query_answers(void **state)
{
	static const struct {
		long status;
		const char *body;
		enum cwatch_verdict verdict;
		const char *why;
	} rows[] = {
		{ 200,
		  "<CompleteLifecycleActionResponse xmlns=\"http://autoscaling.amazonaws.com/doc/"
		  "2011-01-01/\"><CompleteLifecycleActionResult/><ResponseMetadata>"
		  "<RequestId>7c6e177f</RequestId></ResponseMetadata>"
		  "</CompleteLifecycleActionResponse>",
		  CWATCH_ACCEPTED, "" },
		{ 400,
		  "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</"
		  "Code><Message>No "
		  "active Lifecycle Action found with instance ID i-1</Message></Error>"
		  "<RequestId>7c</RequestId></ErrorResponse>",
		  CWATCH_BAD_DATUM,
		  "ValidationError: No active Lifecycle Action found with instance ID i-1" },
		{ 403,
		  "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
		  "</ErrorResponse>",
		  CWATCH_DENIED, "AccessDenied: no" },
		{ 403, "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>",
		  CWATCH_REFUSED, "ExpiredToken (HTTP 403)" },
		{ 500,
		  "<ErrorResponse><Error><Code>ResourceContention</Code></Error></ErrorResponse>",
		  CWATCH_RETRY, "ResourceContention (HTTP 500)" },
		{ 200, "<html><body>Log in</body></html>", CWATCH_UNKNOWN,
		  "HTTP 200 without an error code of AWS" },
		{ 503, "", CWATCH_RETRY, "HTTP 503 without an error code of AWS" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_result result = { .outcome = HTTP_ANSWERED,
			                      .status = rows[i].status,
			                      .body = rows[i].body,
			                      .body_len = strlen(rows[i].body) };
		struct cwatch_answer answer;

		query_judge(&result, &answer);
		assert_int_equal(answer.verdict, rows[i].verdict);
		assert_string_equal(answer.why, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query_answers), cmocka_unit_test(test_body),
		cmocka_unit_test(test_body_limits),   cmocka_unit_test(test_answers),
		cmocka_unit_test(test_why),           cmocka_unit_test(test_date),
		cmocka_unit_test(test_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
