/* push when all is well: what is pushed, when, and what the core is told. */
#include "push_world.h"

static void test_steady(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	begin();
	push_healthy(w.push);
	run_for(10 * MINUTE);
	settle();
	assert_windows(start, w.true_ms - 4 * SECOND, 0);
	assert_int_equal(data_of(false), 0);
	/* One datum more than windows: the first window is closed early and has two. */
	assert_in_range(data_of(true), 59, 63);
	assert_in_range((int)samples_of(true), 590, 601);
	for (size_t i = 0; i < w.taken_count; i++) {
		assert_int_equal(w.taken[i].at_s % 10, 0);
		assert_true(fabs(w.taken[i].mean - 30) < 0.6);
	}
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_string_equal(w.fact_text[FACT_PUSH], "AutoScalingGroupName=web");
	assert_int_equal(w.fact_value[FACT_PUSH_SENT], (int)w.taken_count);
	assert_int_equal(w.fact_value[FACT_PUSH_QUEUED], 0);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
	assert_int_equal(w.fact_value[FACT_SKEW], 0);
	assert_true(llabs(w.fact_value[FACT_PUSH_AT] - wall()) < 12 * SECOND);
	assert_true(w.fact_value[FACT_CPU] >= 290 && w.fact_value[FACT_CPU] <= 310);
	assert_in_range(w.fact_count[FACT_CPU], 590, 602);
	/* and of each whole minute a point of the trend */
	assert_in_range(w.fact_count[FACT_CPU_HOUR], 9, 10);
	assert_string_equal(w.url, "https://monitoring.ap-northeast-2.amazonaws.com/");
	assert_true(w.token_seen);
	assert_non_null(strstr(w.authorization,
	                       "/ap-northeast-2/monitoring/aws4_request, SignedHeaders="
	                       "content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
	                       "Signature="));
}

static void test_first_datum_at_once(void **state)
{
	(void)state;
	begin();
	push_healthy(w.push);
	turn();
	run_for(1350);
	assert_int_equal(w.taken_count, 1);
	assert_true(w.taken[0].samples == 1);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
}

/* Once each, whatever is restarted; none from before the start, and none of a node that is held. */
static void test_outages_of_the_database(void **state)
{
	struct msg up = { .id = FACT_RDS_UP };
	int64_t at_s;

	(void)state;
	begin();
	/* None yet: told once, while the node is held. */
	push_outage(w.push, &up, w.now_ms);
	push_healthy(w.push);
	turn();
	run_for(MINUTE);
	up.value = 1;
	up.more[RDS_UP_WRITABLE_MS] = wall();
	up.more[RDS_UP_DETECTED_MS] = wall() - 4100;
	up.more[RDS_UP_IMPACT_MS] = wall() - 7200;
	at_s = w.true_ms / 1000;
	for (int i = 0; i < 3; i++) {
		char expected[sizeof w.durations];

		push_outage(w.push, &up, w.now_ms);
		run_for(MINUTE);
		settle();
		snprintf(expected, sizeof expected,
		         "DatabaseOutageSeconds=7.2 at %lld; DatabaseDetectSeconds=3.1 at %lld; ",
		         (long long)at_s, (long long)at_s);
		assert_string_equal(w.durations, expected);
		if (i == 1) {
			finish();
			begin();
			turn();
		}
	}
	/* An outage without a known beginning has no length. */
	up.value = 2;
	up.more[RDS_UP_IMPACT_MS] = -1;
	w.durations[0] = '\0';
	push_outage(w.push, &up, w.now_ms);
	run_for(MINUTE);
	assert_string_equal(w.durations, "");
}

static void test_held_until_healthy(void **state)
{
	(void)state;
	w.busy_percent = 100; /* booting */
	begin();
	run_for(5 * MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_HELD);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "/healthz"));
	w.busy_percent = 20;
	push_healthy(w.push);
	run_for(MINUTE);
	assert_true(data_of(true) >= 5);
	for (size_t i = 0; i < w.taken_count; i++)
		assert_true(w.taken[i].mean < 21); /* nothing of the boot is in it */
}

static void test_healthy_outlives_the_process(void **state)
{
	(void)state;
	begin();
	push_healthy(w.push);
	run_for(3 * SECOND);
	finish();
	w.taken_count = 0;
	begin();
	run_for(3 * SECOND);
	assert_true(w.taken_count >= 1);
}

static void stop_at(const char *target)
{
	size_t before;

	w.identity.target_state = "InService";
	run_for(MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	w.identity.target_state = target;
	run_for(5 * SECOND); /* what was sampled in service still goes out */
	before = w.taken_count;
	run_for(10 * MINUTE);
	assert_int_equal(w.taken_count, before);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_HELD);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], target));
	assert_string_equal(w.fact_text[FACT_PUSH], "");
}

static void test_stops_out_of_service(void **state)
{
	(void)state;
	begin();
	push_healthy(w.push);
	stop_at("Standby");
	stop_at("Detached");
	stop_at("Terminated");
	stop_at("Warmed:Stopped");
	stop_at("Warmed:Running");
}

static void test_no_target_state(void **state)
{
	(void)state;
	w.identity.target_state = NULL;
	begin();
	push_healthy(w.push);
	run_for(MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_STARTING);
	w.identity.target_state = ""; /* a 404 */
	run_for(MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_HELD);
	w.identity.target_state = "InService";
	run_for(MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
}

static void test_no_group(void **state)
{
	(void)state;
	w.identity.asg = "";
	w.identity.target_state = ""; /* neither has been seen */
	begin();
	run_for(2 * MINUTE); /* outside of a group a push does not wait for health */
	assert_int_equal(data_of(true), 0);
	assert_in_range(data_of(false), 11, 14);
	assert_string_equal(w.fact_text[FACT_PUSH], "InstanceId=i-0123456789abcdef0");
}

/* A target state without a tag: there is a group of unknown name, and no other series is pushed. */
static void test_group_without_a_name(void **state)
{
	(void)state;
	w.identity.asg = "";
	begin();
	push_healthy(w.push);
	run_for(2 * MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_STARTING);
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "InstanceMetadataTags"));
	assert_non_null(strstr(w.fact_why[FACT_PUSH], "imds.auto_scaling_group"));
	w.identity.target_state = "Detached"; /* held on purpose */
	run_for(MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_HELD);
	w.identity.target_state = "InService";
	w.identity.asg = "web"; /* the tag was only late */
	run_for(MINUTE);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_int_equal(data_of(false), 0);
	assert_true(data_of(true) >= 5);
}

/* Nothing is pushed while it is not known whether there is a target state. */
static void test_no_tag_and_no_word(void **state)
{
	(void)state;
	w.identity.asg = "";
	w.identity.target_state = NULL;
	begin();
	run_for(MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_STARTING);
}

static void test_per_instance(void **state)
{
	(void)state;
	w.conf.metrics.per_instance = true;
	begin();
	run_for(2 * MINUTE);
	assert_int_equal(data_of(true), 0);
	assert_true(data_of(false) >= 11);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_HELD);
	assert_string_equal(w.fact_text[FACT_PUSH], "InstanceId=i-0123456789abcdef0");
	push_healthy(w.push);
	run_for(2 * MINUTE);
	assert_true(data_of(true) >= 11);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OK);
	assert_string_equal(w.fact_text[FACT_PUSH],
	                    "AutoScalingGroupName=web, InstanceId=i-0123456789abcdef0");
	assert_in_range((int)samples_of(false), 230, 241);
}

static void test_not_identified(void **state)
{
	(void)state;
	w.identity.known = false;
	begin();
	push_healthy(w.push);
	run_for(MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_STARTING);
	w.identity.known = true;
	run_for(2 * SECOND);
	assert_int_equal(w.taken_count, 1);
}

static void test_off(void **state)
{
	char path[128];

	(void)state;
	w.conf.metrics.enabled = false;
	begin();
	push_healthy(w.push);
	run_for(MINUTE);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.fact_value[FACT_PUSH], PUSH_OFF);
	assert_true(w.fact_count[FACT_CPU] >= 58);
	snprintf(path, sizeof(path), "%s/" QUEUE_FILE, w.dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_minute_windows(void **state)
{
	int64_t start = w.true_ms;

	(void)state;
	w.conf.metrics.push_ms = MINUTE;
	begin();
	push_healthy(w.push);
	run_for(HOUR);
	assert_windows(start, w.true_ms - 20 * SECOND, 0);
	assert_in_range(data_of(true), 59, 63);
}

/* A process that was stopped, or starved, for a while. */
static void test_late_sample(void **state)
{
	double before;

	(void)state;
	begin();
	push_healthy(w.push);
	run_for(30 * SECOND);
	w.busy_percent = 90;
	before = samples_of(true);
	advance(w.now_ms + 5 * SECOND);
	turn();
	run_for(30 * SECOND);
	assert_in_range((int)(samples_of(true) - before), 30, 41);
	w.busy_percent = 10;
	advance(w.now_ms + HOUR);
	turn();
	run_for(15 * SECOND);
	for (size_t i = 0; i < w.taken_count; i++)
		assert_true(w.taken[i].samples <= 20); /* an hour counts as one window */
}

static void test_proc_stat_lost(void **state)
{
	(void)state;
	begin();
	push_healthy(w.push);
	run_for(20 * SECOND);
	assert_int_equal(ftruncate(w.stat_fd, 0), 0);
	assert_int_equal(pwrite(w.stat_fd, "cpu  garbage\n", 13, 0), 13);
	w.now_ms += SECOND; /* without advance(), which would repair it */
	w.true_ms += SECOND;
	turn();
	assert_int_equal(w.fact_value[FACT_CPU], -1);
	assert_true(w.fact_why[FACT_CPU][0] != '\0');
	run_for(20 * SECOND);
	assert_true(w.fact_value[FACT_CPU] > 0);
	assert_string_equal(w.fact_why[FACT_CPU], "");
}

/* A thousand nodes do not push in the same moment: each has its own. */
static void test_spread(void **state)
{
	int64_t earliest = INT64_MAX, latest = 0;
	static char id[16];

	(void)state;
	for (int node = 0; node < 8; node++) {
		if (node > 0) {
			tear_down(NULL);
			set_up(NULL);
		}
		snprintf(id, sizeof(id), "i-%08x", (unsigned)(node * 2654435761u));
		w.identity.instance_id = id;
		begin();
		push_healthy(w.push);
		run_for(55 * SECOND);
		const struct taken *last = &w.taken[w.taken_count - 1];
		int64_t when = (w.true_ms - (w.now_ms - last->when_ms)) % (10 * SECOND);
		when = when > 9 * SECOND ? when - 10 * SECOND : when;
		earliest = when < earliest ? when : earliest;
		latest = when > latest ? when : latest;
	}
	assert_true(latest - earliest > 500);
	assert_true(earliest > -600 && latest < 2 * SECOND + 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		push_test(test_steady),
		push_test(test_first_datum_at_once),
		push_test(test_outages_of_the_database),
		push_test(test_held_until_healthy),
		push_test(test_healthy_outlives_the_process),
		push_test(test_stops_out_of_service),
		push_test(test_no_target_state),
		push_test(test_no_group),
		push_test(test_group_without_a_name),
		push_test(test_no_tag_and_no_word),
		push_test(test_per_instance),
		push_test(test_not_identified),
		push_test(test_off),
		push_test(test_minute_windows),
		push_test(test_late_sample),
		push_test(test_proc_stat_lost),
		push_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
