/* push when things go wrong: nothing is lost that need not be, nothing is claimed
 * that is not true, and the newest goes first. */
#include "push_world.h"

#include <signal.h>
#include <sys/resource.h>

static void begin_healthy(void)
{
	begin();
	push_healthy(w.push);
}

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
	/* The first that got through was the newest. */
	assert_true(w.taken[before].at_s * 1000 > w.true_ms - (w.now_ms - back) - 25 * SECOND ||
	            w.taken[before].when_ms - back > 30 * SECOND);
	for (size_t i = before + 1; i < w.taken_count; i++) {
		if (w.taken[i].request == w.taken[i - 1].request)
			assert_true(w.taken[i].at_s < w.taken[i - 1].at_s);
	}
	/* Drained in bounded requests, and the windows of these minutes in time. */
	for (size_t i = before; i < w.taken_count; i++) {
		int64_t when = w.true_ms - (w.now_ms - w.taken[i].when_ms);

		if (w.taken[i].at_s * 1000 > w.true_ms - 2 * MINUTE)
			assert_true(when - w.taken[i].at_s * 1000 < 15 * SECOND);
	}
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
	assert_windows(start, w.true_ms - 4 * SECOND, 1); /* it, and nothing else */
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

/* Refused one after the other: not the data's fault, whatever AWS says. */
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

static void test_queue_bound(void **state)
{
	(void)state;
	w.conf.metrics.queue_max = 50;
	begin_healthy();
	w.mode = ANSWER_5XX;
	run_for(30 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH_QUEUED], 50);
	assert_in_range(w.fact_value[FACT_PUSH_LOST], 129, 132);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_LOST], "queue_max"));
	w.mode = ANSWER_OK;
	run_for(3 * MINUTE);
	assert_windows(w.true_ms - 10 * MINUTE, w.true_ms - 4 * SECOND, 0);
}

static void test_restart_keeps_the_queue(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_SILENCE;
	for (int i = 0; i < 5; i++) {
		run_for(4 * MINUTE + 3700);
		finish();
		begin();
	}
	w.mode = ANSWER_OK;
	run_for(3 * MINUTE);
	/* A restart costs a second or two of its window, never a point before. */
	assert_windows(start, w.true_ms - 4 * SECOND, 5);
	assert_in_range((int)samples_of(true), 1440, 1465);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

/* Every timestamp is true although the clock is not. */
static void assert_true_timestamps(int64_t start)
{
	for (size_t i = 0; i < w.taken_count; i++) {
		assert_true(w.taken[i].at_s * 1000 >= start - 10 * SECOND);
		assert_true(w.taken[i].at_s * 1000 <= w.true_ms);
	}
}

static void wrong_at_boot(int64_t error_ms)
{
	int64_t start = w.true_ms;

	w.error_ms = error_ms;
	w.mode = ANSWER_SILENCE; /* and AWS is out of reach for a while */
	begin_healthy();
	run_for(5 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true(llabs(w.fact_value[FACT_SKEW] + error_ms) < 2 * SECOND);
	assert_non_null(strstr(w.fact_why[FACT_SKEW], error_ms > 0 ? "ahead" : "behind"));
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 2);
	assert_int_equal(w.refused_calls, 0); /* the keys were never at fault */
	/* chrony comes up and sets it right. */
	w.error_ms = 0;
	run_for(5 * MINUTE);
	assert_int_equal(w.fact_value[FACT_SKEW], 0);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
	assert_in_range((int)samples_of(true), 890, 901);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_clock_ahead_at_boot(void **state)
{
	(void)state;
	wrong_at_boot(HOUR);
}

static void test_clock_behind_at_boot(void **state)
{
	(void)state;
	wrong_at_boot(-HOUR);
}

/* The clock is set right before AWS has said a word: what waits goes along. */
static void set_right_first(int64_t error_ms)
{
	int64_t start = w.true_ms;

	w.error_ms = error_ms;
	w.mode = ANSWER_SILENCE;
	begin_healthy();
	run_for(5 * MINUTE);
	w.error_ms = 0;
	run_for(MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 2);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_set_right_first_behind(void **state)
{
	(void)state;
	set_right_first(-HOUR);
}

static void test_set_right_first_ahead(void **state)
{
	(void)state;
	set_right_first(HOUR);
}

static void test_set_right_first_far_ahead(void **state)
{
	(void)state;
	set_right_first(3 * HOUR);
}

static void test_set_right_first_far_behind(void **state)
{
	(void)state;
	set_right_first(-20 * 24 * (int64_t)HOUR);
}

/* Set wrong before AWS has said a word, twice: its word moves all of it back. */
static void test_set_wrong_first(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	w.mode = ANSWER_SILENCE;
	begin_healthy();
	run_for(5 * MINUTE);
	w.error_ms = 3 * HOUR;
	run_for(5 * MINUTE);
	w.error_ms = -HOUR;
	run_for(5 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void stepped_wrong(int64_t error_ms)
{
	int64_t start = w.true_ms;

	begin_healthy();
	run_for(5 * MINUTE);
	w.error_ms = error_ms;
	run_for(5 * MINUTE);
	assert_true(llabs(w.fact_value[FACT_SKEW] + error_ms) < 2 * SECOND);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 3);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_int_equal(w.refused_calls, 0);
}

static void test_clock_set_ahead(void **state)
{
	(void)state;
	stepped_wrong(HOUR);
}

static void test_clock_set_back(void **state)
{
	(void)state;
	stepped_wrong(-HOUR);
}

/* A wrong clock and a full queue: only AWS's word may cost data. */
static void test_wrong_clock_costs_nothing(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_SILENCE;
	run_for(10 * MINUTE);
	w.error_ms = 40 * 24 * (int64_t)HOUR; /* a month ahead, after a restart */
	finish();
	begin();
	run_for(10 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(5 * MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_true_timestamps(start);
	assert_windows(start, w.true_ms - 4 * SECOND, 4);
}

/* The right time and a signature that is refused all the same: the secret. */
static void test_small_skew_is_not_corrected(void **state)
{
	(void)state;
	w.error_ms = 1200;
	begin_healthy();
	run_for(2 * MINUTE);
	assert_int_equal(w.fact_value[FACT_SKEW], 0);
	w.error_ms = -30 * SECOND;
	run_for(2 * MINUTE);
	assert_true(llabs(w.fact_value[FACT_SKEW] - 30 * SECOND) < 2 * SECOND);
}

static void test_image_of_a_running_node(void **state)
{
	(void)state;
	begin_healthy();
	w.mode = ANSWER_SILENCE;
	run_for(10 * MINUTE);
	assert_int_equal(w.taken_count, 0);
	finish();
	strcpy(w.identity.instance_id, "i-clone");
	w.mode = ANSWER_OK;
	begin();
	run_for(MINUTE);
	assert_in_range(data_of(true), 5, 8);
	assert_true(w.fact_value[FACT_PUSH_LOST] >= 59);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_LOST], "another instance"));
}

static void test_no_disk(void **state)
{
	int64_t start = w.true_ms;
	char dir[64];

	(void)state;
	strcpy(dir, w.dir);
	strcat(w.dir, "/not/there");
	begin();
	strcpy(w.dir, dir);
	push_healthy(w.push);
	w.mode = ANSWER_SILENCE;
	run_for(10 * MINUTE);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_QUEUED], "in memory"));
	assert_in_range(w.fact_value[FACT_PUSH_QUEUED], 59, 62);
	w.mode = ANSWER_OK;
	run_for(3 * MINUTE);
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk fills up while a backlog lies on it: the windows of now still go out in
 * time, and the backlog when there is room again. */
static void test_disk_full_with_backlog(void **state)
{
	int64_t start = w.true_ms;
	size_t before;

	(void)state;
	begin_healthy();
	w.mode = ANSWER_SILENCE;
	run_for(20 * MINUTE);
	limit_files(256); /* enough for the stand-in of /proc/stat */
	w.mode = ANSWER_OK;
	run_for(2 * MINUTE);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_QUEUED], "in memory"));
	before = w.taken_count;
	run_for(10 * MINUTE);
	assert_in_range(w.taken_count - before, 59, 61);
	for (size_t i = before; i < w.taken_count; i++)
		assert_true(w.true_ms - (w.now_ms - w.taken[i].when_ms) - w.taken[i].at_s * 1000 <
		            14 * SECOND);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	limit_files(RLIM_INFINITY);
	run_for(5 * MINUTE);
	settle();
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_string_equal(w.fact_why[FACT_PUSH_QUEUED], "");
}

/* There is room again while a request is under way: what waited in memory is then
 * not put to the disk under another name, which the answer would not remove. */
static void test_disk_mended_during_a_request(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin_healthy();
	run_for(MINUTE);
	limit_files(256);
	w.takes_ms = 8 * SECOND;
	run_for(3 * MINUTE);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_QUEUED], "in memory"));
	limit_files(RLIM_INFINITY);
	run_for(5 * MINUTE);
	assert_string_equal(w.fact_why[FACT_PUSH_QUEUED], "");
	w.takes_ms = 0;
	run_for(30 * SECOND);
	settle();
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_queue_damaged_meanwhile(void **state)
{
	char path[128];
	int fd;

	(void)state;
	begin_healthy();
	w.mode = ANSWER_SILENCE;
	run_for(10 * MINUTE);
	finish();
	snprintf(path, sizeof(path), "%s/queue.db", w.dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(pwrite(fd, "garbage all over the place......", 32, i * 512), 32);
	close(fd);
	begin();
	w.mode = ANSWER_OK;
	run_for(MINUTE);
	assert_true(w.fact_value[FACT_PUSH_LOST] >= 1);
	assert_non_null(strstr(w.fact_why[FACT_PUSH_LOST], "damaged"));
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_true(w.taken_count >= 5);
}

/* A stand-in that unpacks bodies before it checks signatures over them. */
static void test_unpacking_stand_in(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	w.unpacks = true;
	begin_healthy();
	run_for(MINUTE);
	w.mode = ANSWER_5XX;
	run_for(30 * MINUTE);
	w.mode = ANSWER_OK;
	run_for(3 * MINUTE);
	settle();
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(w.refused_calls, 0); /* the keys are not blamed */
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
		push_test(test_queue_bound),
		push_test(test_restart_keeps_the_queue),
		push_test(test_clock_ahead_at_boot),
		push_test(test_clock_behind_at_boot),
		push_test(test_set_right_first_behind),
		push_test(test_set_right_first_ahead),
		push_test(test_set_right_first_far_ahead),
		push_test(test_set_right_first_far_behind),
		push_test(test_set_wrong_first),
		push_test(test_clock_set_ahead),
		push_test(test_clock_set_back),
		push_test(test_wrong_clock_costs_nothing),
		push_test(test_small_skew_is_not_corrected),
		push_test(test_image_of_a_running_node),
		push_test(test_no_disk),
		push_test(test_disk_full_with_backlog),
		push_test(test_disk_mended_during_a_request),
		push_test(test_queue_damaged_meanwhile),
		push_test(test_unpacking_stand_in),
		push_test(test_wrong_secret),
		push_test(test_bad_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
