/* A CloudWatch for tests of push, and the other functions that push uses, replaced at link time. */
#ifndef TEST_PUSH_AWS_H
#define TEST_PUSH_AWS_H

#include "push_state.h"

/* cloud_http.h */

static const char *header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

static const cJSON *need(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (item == NULL)
		fail_msg("%s is missing", name);
	return item;
}

/* Notes a metric of the database's outages: "DatabaseOutageSeconds=7.2 at 1795420801; ". */
static bool note_duration(const cJSON *item)
{
	const char *name = need(item, "MetricName")->valuestring;
	size_t len = strlen(w.durations);

	if (strncmp(name, "Database", 8) != 0)
		return false;
	assert_string_equal(need(item, "Unit")->valuestring, "Seconds");
	snprintf(w.durations + len, sizeof w.durations - len, "%s=%.1f at %.0f; ", name,
	         need(item, "Value")->valuedouble, need(item, "Timestamp")->valuedouble);
	return true;
}

/* Checks a datum as CloudWatch would, and notes it. */
static void note_datum(const cJSON *item, struct taken *ret)
{
	const cJSON *dimension = cJSON_GetArrayItem(need(item, "Dimensions"), 0);
	const cJSON *values = need(item, "Values"), *counts = need(item, "Counts");
	const char *name = need(dimension, "Name")->valuestring;
	double sum = 0, last = -1;

	assert_int_equal(cJSON_GetArraySize(need(item, "Dimensions")), 1);
	assert_string_equal(need(item, "MetricName")->valuestring, "CPUUtilization");
	assert_string_equal(need(item, "Unit")->valuestring, "Percent");
	assert_int_equal(need(item, "StorageResolution")->valueint, 1);
	assert_true(cJSON_GetArraySize(values) <= 150);
	assert_int_equal(cJSON_GetArraySize(values), cJSON_GetArraySize(counts));
	ret->group = strcmp(name, "AutoScalingGroupName") == 0;
	assert_string_equal(need(dimension, "Value")->valuestring,
	                    ret->group ? w.identity.asg : w.identity.instance_id);
	ret->at_s = (int64_t)need(item, "Timestamp")->valuedouble;
	ret->samples = 0;
	for (int i = 0; i < cJSON_GetArraySize(values); i++) {
		double value = cJSON_GetArrayItem(values, i)->valuedouble;
		double count = cJSON_GetArrayItem(counts, i)->valuedouble;

		assert_true(value > last && value <= 100 && count >= 1);
		last = value;
		ret->samples += count;
		sum += value * count;
	}
	ret->mean = sum / ret->samples;
}

static void answer(long status, const char *code, const char *body)
{
	w.result.outcome = HTTP_ANSWERED;
	w.result.status = status;
	snprintf(w.result.error_type, sizeof(w.result.error_type), "%s", code);
	snprintf(w.body, sizeof(w.body), "%s", body);
}

static int64_t signed_ms(const char *date)
{
	struct tm tm = { 0 };

	assert_non_null(strptime(date, "%Y%m%dT%H%M%SZ", &tm));
	return (int64_t)timegm(&tm) * 1000;
}

static void take_data(const cJSON *json)
{
	const cJSON *data = need(json, "MetricData"), *item;
	size_t first = w.taken_count;

	assert_true(cJSON_GetArraySize(data) >= 1 && cJSON_GetArraySize(data) <= 1000);
	if (w.none_fits || (w.max_data > 0 && (size_t)cJSON_GetArraySize(data) > w.max_data)) {
		answer(413, "", "<html>too large</html>");
		return;
	}
	cJSON_ArrayForEach(item, data)
	{
		struct taken *taken = &w.taken[w.taken_count];

		if (note_duration(item))
			continue;
		assert_true(w.taken_count + 1 < TAKEN_MAX);
		note_datum(item, taken);
		taken->when_ms = w.now_ms;
		taken->request = w.requests;
		if (w.all_bad || taken->at_s == w.bad_at_s ||
		    taken->at_s * 1000 > w.true_ms + 2 * HOUR ||
		    taken->at_s * 1000 < w.true_ms - 14 * 24 * (int64_t)HOUR) {
			w.taken_count = first;
			w.refusals++;
			answer(400, "",
			       "{\"__type\":\"com.amazonaws.cloudwatch#"
			       "InvalidParameterValueException\",\"message\":\"bad datum\"}");
			return;
		}
		w.taken_count++;
	}
	answer(200, "", "");
}

static void serve(const struct http_request *request)
{
	cJSON *json = cJSON_ParseWithLength(request->body, request->body_len);
	char key[160];

	assert_non_null(json);
	assert_string_equal(need(json, "Namespace")->valuestring, "WebNodeAgent");
	assert_int_equal(sscanf(w.authorization, "AWS4-HMAC-SHA256 Credential=%159[^/]", key), 1);
	switch (w.mode) {
	case ANSWER_SILENCE:
		w.result.outcome = HTTP_TIMED_OUT;
		w.result.date_wall_ms = 0;
		snprintf(w.result.why, sizeof(w.result.why), "no answer within 10 s");
		w.answer_at_ms = w.now_ms + 10 * SECOND;
		break;
	case ANSWER_THROTTLED:
		answer(400, "ThrottlingException:", "{\"__type\":\"Throttling\"}");
		break;
	case ANSWER_5XX: answer(503, "", "<html>busy</html>"); break;
	case ANSWER_DENIED:
		answer(403, "", "{\"__type\":\"AccessDeniedException\",\"Message\":\"not you\"}");
		break;
	case ANSWER_HTML_200: answer(200, "", "<html>Welcome to the hotel</html>"); break;
	case ANSWER_HTML_403: answer(403, "", "<html>Forbidden</html>"); break;
	case ANSWER_BROKEN_JSON: answer(400, "", "{\"__type\":\"Thrott"); break;
	case ANSWER_WRONG_SECRET:
		answer(403, "SignatureDoesNotMatch", "{\"message\":\"SECRETTOKEN\"}");
		break;
	case ANSWER_UNKNOWN_CODE: answer(400, "BrandNewException", "{}"); break;
	case ANSWER_OK:
		if (w.strict_clock && llabs(signed_ms(w.date) - w.true_ms) > 5 * MINUTE)
			answer(403, "",
			       "{\"__type\":\"InvalidSignatureException\",\"message\":"
			       "\"Signature expired: token SECRETTOKEN\"}");
		else if (w.good_key[0] != '\0' && strcmp(key, w.good_key) != 0)
			answer(403, "", "{\"__type\":\"ExpiredTokenException\"}");
		else
			take_data(json);
		break;
	}
	cJSON_Delete(json);
}

struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg)
{
	(void)http;
	assert_false(w.pending);
	assert_string_equal(request->method, "POST");
	assert_string_equal(header(request, "content-type"), "application/x-amz-json-1.0");
	assert_string_equal(header(request, "x-amz-target"),
	                    "GraniteServiceVersion20100801.PutMetricData");
	assert_true(request->timeout_ms > 0 && request->connect_timeout_ms > 0);
	w.requests++;
	w.pending = true;
	w.done = done;
	w.done_arg = arg;
	w.answer_at_ms = w.now_ms + (w.takes_ms > 0 ? w.takes_ms : 40);
	w.token_seen = header(request, "x-amz-security-token") != NULL;
	snprintf(w.url, sizeof(w.url), "%s", request->url);
	snprintf(w.authorization, sizeof(w.authorization), "%s", header(request, "authorization"));
	snprintf(w.date, sizeof(w.date), "%s", header(request, "x-amz-date"));
	memset(&w.result, 0, sizeof(w.result));
	w.body[0] = '\0';
	w.result.sent_wall_ms = wall();
	w.result.date_wall_ms = (w.true_ms + 20) / 1000 * 1000;
	serve(request);
	return (struct http_call *)&w;
}

void http_cancel(struct http *http, struct http_call *call)
{
	(void)http;
	if (call != NULL)
		w.pending = false;
}

/* cloud_creds.h */

const struct creds *creds_get(const struct creds_store *store)
{
	(void)store;
	return w.have_creds ? &w.creds : NULL;
}

void creds_accepted(struct creds_store *store)
{
	(void)store;
}

void creds_refused(struct creds_store *store, int64_t now_ms, const char *why)
{
	(void)store;
	assert_int_equal(now_ms, w.now_ms);
	assert_true(why[0] != '\0');
	w.refused_calls++;
}

/* worker.h */

void worker_fact(const struct worker *worker, enum fact_id id, int64_t value, const char *text,
                 const char *why)
{
	assert_ptr_equal(worker, &w.worker);
	w.fact_value[id] = value;
	w.fact_count[id]++;
	snprintf(w.fact_text[id], LIMIT_FACT_TEXT, "%s", text != NULL ? text : "");
	snprintf(w.fact_why[id], LIMIT_FACT_WHY, "%s", why != NULL ? why : "");
	/* AWS's error messages may quote the signed request with its token: no fact has it. */
	assert_null(strstr(w.fact_why[id], "SECRETTOKEN"));
}

void worker_trend(const struct worker *worker, enum fact_id id, struct trend *trend, int64_t now_ms,
                  int64_t value)
{
	char why[LIMIT_FACT_WHY];

	if (!trend_add(trend, now_ms, value))
		return;
	trend_text(trend, why);
	worker_fact(worker, id, trend->minute - 1, NULL, why);
}

void worker_say(const struct worker *worker, const struct msg *msg)
{
	worker_fact(worker, (enum fact_id)msg->id, msg->value, msg->text, msg->why);
	w.retry_ms[msg->id] = msg->more[RETRY_AT_MS];
}

int worker_write_file(const char *dir, const char *name, const char *data, size_t len)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	return 0;
}

#endif
