/*
 * A world for push in virtual time: two clocks, a /proc/stat that ticks, and a
 * CloudWatch that answers as the test says and remembers what it accepted. The
 * functions of cloud_http.h, cloud_creds.h and worker.h that push uses are replaced here, at
 * link time. An hour takes milliseconds.
 */
#ifndef TEST_PUSH_WORLD_H
#define TEST_PUSH_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cloud_creds.h"
#include "cloud_push.h"
#include "conf.h"
#include "log.h"
#include "worker.h"

#define UNUSED __attribute__((unused))

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

enum mode {
	ANSWER_OK,
	ANSWER_SILENCE,   /* curl's time-out */
	ANSWER_THROTTLED, /* as HTTP 400 */
	ANSWER_5XX,
	ANSWER_DENIED,
	ANSWER_HTML_200,
	ANSWER_HTML_403,
	ANSWER_BROKEN_JSON,
	ANSWER_UNKNOWN_CODE,
	ANSWER_WRONG_SECRET,
};

struct taken {
	int64_t at_s;
	bool group; /* AutoScalingGroupName */
	double samples;
	double mean;
	int64_t when_ms; /* monotonic, when it was accepted */
	unsigned request;
};

enum { TAKEN_MAX = 20000, FACTS = FACT_MAX };

static struct world {
	uint64_t random;
	int64_t now_ms, true_ms; /* true_ms: what AWS's clock says */
	int64_t error_ms;        /* the machine's wall clock less the true one */
	struct conf conf;
	struct worker worker;
	struct identity identity;
	struct creds creds;
	bool have_creds;
	struct push *push;
	int64_t due_ms; /* when push wants its next turn */
	char dir[64], stat_path[96];
	int stat_fd;
	uint64_t busy, idle;
	unsigned busy_percent;
	/* CloudWatch */
	enum mode mode;
	char good_key[129]; /* others are refused; empty: any */
	int64_t bad_at_s;   /* a datum with this timestamp is refused */
	bool all_bad;       /* any datum is */
	bool strict_clock;  /* refuse what is signed 5 minutes off */
	size_t max_data;    /* 413 above; 0 = any */
	bool none_fits;     /* 413 to all */
	unsigned requests, refusals;
	struct taken taken[TAKEN_MAX];
	size_t taken_count;
	char url[512], authorization[2048], date[64];
	bool token_seen;
	/* the request under way */
	bool pending;
	int64_t takes_ms; /* until the answer; 0 = 40 */
	int64_t answer_at_ms;
	struct http_result result;
	char body[1024];
	http_done *done;
	void *done_arg;
	/* what was told */
	int64_t fact_value[FACTS];
	char fact_text[FACTS][LIMIT_FACT_TEXT], fact_why[FACTS][LIMIT_FACT_WHY];
	unsigned fact_count[FACTS];
	unsigned refused_calls;
} w;

static int64_t wall(void)
{
	return w.true_ms + w.error_ms;
}

/* Jitter and eras are drawn from here, so that a run can be had again:
 * WNA_TEST_SEED=n. */
ssize_t getrandom(void *ret, size_t size, unsigned flags)
{
	uint8_t *byte = ret;

	(void)flags;
	for (size_t i = 0; i < size; i++) {
		w.random = w.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		byte[i] = (uint8_t)(w.random >> 56);
	}
	return (ssize_t)size;
}

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
	/* What AWS quotes back of a signed request never gets this far. */
	assert_null(strstr(w.fact_why[id], "SECRETTOKEN"));
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

/* The machine. */

static void write_stat(void)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
	                 "cpu  %llu 0 0 %llu 0 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n",
	                 (unsigned long long)w.busy, (unsigned long long)w.idle);

	assert_int_equal(pwrite(w.stat_fd, text, (size_t)n, 0), n);
}

static void advance(int64_t to_ms)
{
	int64_t ticks;

	assert_true(to_ms >= w.now_ms);
	ticks = to_ms / 10 - w.now_ms / 10;
	w.busy += (uint64_t)ticks * w.busy_percent;
	w.idle += (uint64_t)ticks * (100 - w.busy_percent);
	w.true_ms += to_ms - w.now_ms;
	w.now_ms = to_ms;
	write_stat();
}

static void begin(void)
{
	const struct push_deps deps = { .worker = &w.worker,
		                        .proc_stat = w.stat_path,
		                        .identity = &w.identity };

	w.push = push_new(&deps, w.now_ms, wall());
	assert_non_null(w.push);
	w.due_ms = push_turn(w.push, w.now_ms, wall());
}

UNUSED static void begin_healthy(void)
{
	begin();
	push_healthy(w.push);
}

static void finish(void)
{
	push_free(w.push, w.now_ms);
	w.push = NULL;
	assert_false(w.pending);
}

static void turn(void)
{
	if (w.pending && w.now_ms >= w.answer_at_ms) {
		w.pending = false;
		w.result.body = w.body;
		w.result.body_len = strlen(w.body);
		w.result.took_ms = 40;
		w.result.done_ms = w.now_ms;
		w.done(w.done_arg, &w.result);
	}
	w.due_ms = push_turn(w.push, w.now_ms, wall());
}

/* Lets time go by, waking push exactly when it asks for it, a few ms late. */
static void run_for(int64_t span_ms)
{
	int64_t end = w.now_ms + span_ms;

	while (w.now_ms < end) {
		int64_t next = w.due_ms < INT64_MAX ? w.due_ms + 3 : end;

		if (w.pending && w.answer_at_ms < next)
			next = w.answer_at_ms;
		if (next > end)
			next = end;
		if (next > w.now_ms)
			advance(next);
		turn();
	}
}

/* Until what is queued and under way has arrived. */
UNUSED static void settle(void)
{
	for (int i = 0; i < 200 && (w.pending || w.fact_value[FACT_PUSH_QUEUED] > 0); i++)
		run_for(50);
	assert_int_equal(w.fact_value[FACT_PUSH_QUEUED], 0);
}

/* A node of a group, in service, with everything well; not healthy yet. */
static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.random =
	        getenv("WNA_TEST_SEED") != NULL ? strtoull(getenv("WNA_TEST_SEED"), NULL, 10) : 1;
	snprintf(w.dir, sizeof(w.dir), "/tmp/wna-push-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.stat_path, sizeof(w.stat_path), "%s/stat", w.dir);
	w.stat_fd = open(w.stat_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(w.stat_fd >= 0);
	w.worker.run_dir = w.worker.state_dir = w.dir;
	w.worker.conf = &w.conf;
	w.now_ms = 123456;
	w.true_ms = INT64_C(1795420801234); /* 2026-11-23 08:00:01.234 */
	w.busy_percent = 30;
	write_stat();
	w.conf.metrics = (struct conf_metrics){
		.enabled = true,
		.space = "WebNodeAgent",
		.name = "CPUUtilization",
		.push_ms = 10 * SECOND,
		.resolution = 1,
		.queue_max = 20000,
		.queue_age_ms = 13 * 24 * (int64_t)HOUR,
		.timeout_ms = 10 * SECOND,
		.retry_max_ms = MINUTE,
		.max_age_ms = 2 * MINUTE,
	};
	w.identity = (struct identity){
		.known = true,
		.instance_id = "i-0123456789abcdef0",
		.region = "ap-northeast-2",
		.domain = "amazonaws.com",
		.asg = "web",
		.target_state = "InService",
	};
	w.creds = (struct creds){ .access_key = "AKIDONE", .secret_key = "one", .token = "tok" };
	w.have_creds = true;
	w.strict_clock = true;
	unsetenv("AWS_REGION");
	unsetenv("AWS_DEFAULT_REGION");
	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("AWS_ENDPOINT_URL_CLOUDWATCH");
	log_init("test", LOG_LEVEL_ERROR);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	if (w.push != NULL)
		finish();
	close(w.stat_fd);
	snprintf(command, sizeof(command), "rm -rf %s", w.dir);
	return system(command);
}

/* What the tests ask of what CloudWatch has. */

UNUSED static double samples_of(bool group)
{
	double sum = 0;

	for (size_t i = 0; i < w.taken_count; i++)
		sum += w.taken[i].group == group ? w.taken[i].samples : 0;
	return sum;
}

UNUSED static size_t data_of(bool group)
{
	size_t count = 0;

	for (size_t i = 0; i < w.taken_count; i++)
		count += w.taken[i].group == group;
	return count;
}

/* Every window between the two true times (ms) has data of the group, with about
 * the seconds it has. `gaps` windows may lack. */
UNUSED static void assert_windows(int64_t from_ms, int64_t to_ms, unsigned gaps)
{
	int64_t push_s = w.conf.metrics.push_ms / 1000;
	unsigned missing = 0;

	for (int64_t at = from_ms / 1000 / push_s * push_s + push_s; (at + push_s) * 1000 < to_ms;
	     at += push_s) {
		double samples = 0;

		for (size_t i = 0; i < w.taken_count; i++)
			samples +=
			        w.taken[i].group && w.taken[i].at_s == at ? w.taken[i].samples : 0;
		if (samples < (double)push_s - 1)
			missing++;
		else if (samples > (double)push_s + 1)
			fail_msg("the window at %lld has %.0f samples", (long long)at, samples);
	}
	if (missing > gaps)
		fail_msg("%u windows are missing, %u may", missing, gaps);
}

#define push_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
