/* push when CloudWatch, or a proxy before it, does not accept: no data is lost without need,
 * the facts are true, and the newest data goes first. */
#include "push_world.h"

/* The outage of an hour: each point arrives, with its own timestamp, once. */
static void test_outage_of_an_hour(void **state)
{
	int64_t start = w.true_ms, back;
	size_t before;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_SILENCE;
	run_for(HOUR);
	before = w.taken_count;
	assert_in_range(w.fact_value[FACT_PUSH_QUEUED], 358, 362);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_RETRYING);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "no answer"));
	w.mode = ANSWER_OK;
	back = w.now_ms;
	run_for(3 * MINUTE);
	settle();
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_in_range((int)samples_of(true), 3830, 3851); /* nothing twice */
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_int_equal(w.fact_value[FACT_PUSH_QUEUED], 0);
	/* The first datum that was accepted was the newest. */
	assert_true(w.taken[before].at_s * 1000 > w.true_ms - (w.now_ms - back) - 25 * SECOND ||
	            w.taken[before].when_ms - back > 30 * SECOND);
	for (size_t i = before + 1; i < w.taken_count; i++) {
		if (w.taken[i].request == w.taken[i - 1].request)
			assert_true(w.taken[i].at_s < w.taken[i - 1].at_s);
	}
	/* While the backlog is sent, new windows are not late. */
	for (size_t i = before; i < w.taken_count; i++) {
		int64_t when = w.true_ms - (w.now_ms - w.taken[i].when_ms);

		if (w.taken[i].at_s * 1000 > w.true_ms - 2 * MINUTE)
			assert_true(when - w.taken[i].at_s * 1000 < 15 * SECOND);
	}
}

static void test_retry(void **state)
{
	(void)state;
	begin_healthy();
	w.mode = ANSWER_DENIED;
	run_for(HOUR);
	assert_int_equal(w.retry_ms[FACT_PUSH], w.push->send.due_ms);
	assert_in_range(w.retry_ms[FACT_PUSH], w.now_ms, w.now_ms + PUSH_DENIED_MAX_MS);
	w.mode = ANSWER_OK;
	push_retry(w.push, w.now_ms);
	run_for(SECOND);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
}

static void survive(enum mode mode, enum push_state told)
{
	int64_t start = w.true_ms;
	unsigned before;

	begin_healthy();
	run_for(MINUTE);
	before = w.requests;
	w.mode = mode;
	run_for(10 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], told);
	assert_true(w.fact_why[FACT_PUSH][0] != '\0');
	assert_true(w.requests - before < 30); /* backs off */
	assert_true(w.requests - before > 3);  /* and goes on trying */
	w.mode = ANSWER_OK;
	run_for(15 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_in_range((int)samples_of(true), 1550, 1561);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_throttled(void **state)
{
	(void)state;
	survive(ANSWER_THROTTLED, PUSH_RETRYING);
	assert_int_equal(w.refused_calls, 0);
}

static void test_5xx(void **state)
{
	(void)state;
	survive(ANSWER_5XX, PUSH_RETRYING);
}

static void test_denied(void **state)
{
	(void)state;
	survive(ANSWER_DENIED, PUSH_DENIED);
}

/* A captive portal says 200 to everything: no datum is given up for that. */
static void test_html_200(void **state)
{
	(void)state;
	survive(ANSWER_HTML_200, PUSH_DENIED);
}

static void test_html_403(void **state)
{
	(void)state;
	survive(ANSWER_HTML_403, PUSH_DENIED);
}

static void test_broken_json(void **state)
{
	(void)state;
	survive(ANSWER_BROKEN_JSON, PUSH_DENIED);
}

static void test_unknown_code(void **state)
{
	(void)state;
	survive(ANSWER_UNKNOWN_CODE, PUSH_DENIED);
}

static void test_expired_token(void **state)
{
	int64_t start = w.true_ms, renewed;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	strcpy(w.good_key, "AKIDTWO");
	run_for(5 * MINUTE);
	assert_true(w.refused_calls > 1);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_RETRYING);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "ExpiredToken"));
	strcpy(w.creds.access_key, "AKIDTWO");
	renewed = w.now_ms;
	run_for(2 * SECOND); /* other keys are tried at once */
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_true(w.taken[w.taken_count - 1].when_ms - renewed < 2 * SECOND);
	run_for(MINUTE);
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_no_credentials(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	w.have_creds = false;
	begin_healthy();
	run_for(5 * MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_RETRYING);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "no credentials"));
	w.have_creds = true;
	run_for(MINUTE);
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
}

static void test_bad_datum(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_5XX;
	run_for(20 * MINUTE);
	w.bad_at_s = w.true_ms / 1000 / 10 * 10 - 600;
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 1);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_LOST], "InvalidParameterValue"));
	assert_windows(start, w.true_ms - 4 * SECOND, 1); /* only the bad datum is missing */
	assert_true(w.refusals < 20);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
}

static void test_too_large(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_5XX;
	run_for(20 * MINUTE);
	w.max_data = 7;
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

/* If all data are refused, the data are not the cause, whatever AWS says. */
static void nothing_is_good_enough(bool *cause, int64_t lost)
{
	int64_t start = w.true_ms;
	unsigned before;

	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_SILENCE;
	run_for(20 * MINUTE);
	w.mode = ANSWER_OK;
	*cause = true;
	run_for(10 * MINUTE);
	before = w.requests;
	run_for(HOUR);
	assert_in_range(w.requests - before, 4, 20);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_DENIED);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], lost);
	*cause = false;
	run_for(15 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_windows(start, w.true_ms - 4 * SECOND, (unsigned)lost);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], lost);
}

static void test_all_data_refused(void **state)
{
	(void)state;
	nothing_is_good_enough(&w.all_bad, 3);
}

static void test_nothing_fits(void **state)
{
	(void)state;
	nothing_is_good_enough(&w.none_fits, 0);
}

static void test_too_old(void **state)
{
	(void)state;
	w.conf.metrics.queue_age_ms = 10 * MINUTE;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_5XX;
	run_for(30 * MINUTE);
	assert_in_range(w.fact_value[FACT_PUSH_LOST], 100, 130);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_LOST], "too old"));
	w.mode = ANSWER_OK;
	run_for(3 * MINUTE);
	assert_windows(w.true_ms - 12 * MINUTE, w.true_ms - 4 * SECOND, 0);
}

static void test_wrong_secret(void **state)
{
	(void)state;
	w.mode = ANSWER_WRONG_SECRET;
	begin_healthy();
	run_for(5 * MINUTE);
	assert_in_range(w.refused_calls, 3, 20);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_RETRYING);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "SignatureDoesNotMatch"));
	assert_int_equal(w.fact_value[FACT_SKEW], 0);
	w.mode = ANSWER_OK;
	run_for(2 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_bad_endpoint(void **state)
{
	(void)state;
	strcpy(w.conf.metrics.endpoint, "http://192.0.2.1/");
	begin_healthy();
	run_for(MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_DENIED);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "http://"));
	w.conf.metrics.allow_http = true;
	run_for(5 * SECOND);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		push_test(test_outage_of_an_hour),
		push_test(test_retry),
		push_test(test_throttled),
		push_test(test_5xx),
		push_test(test_denied),
		push_test(test_html_200),
		push_test(test_html_403),
		push_test(test_broken_json),
		push_test(test_unknown_code),
		push_test(test_expired_token),
		push_test(test_no_credentials),
		push_test(test_bad_datum),
		push_test(test_too_large),
		push_test(test_all_data_refused),
		push_test(test_nothing_fits),
		push_test(test_too_old),
		push_test(test_wrong_secret),
		push_test(test_bad_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
