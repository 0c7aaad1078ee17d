/*
 * A world for push in virtual time: two clocks, a /proc/stat that ticks, and a
 * CloudWatch that answers as the test says and remembers what it accepted. The
 * functions of cloud_http.h, cloud_creds.h and worker.h that push uses are replaced here, at
 * link time. An hour takes milliseconds.
 */
#ifndef TEST_PUSH_WORLD_H
#define TEST_PUSH_WORLD_H

#include "push_aws.h"

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

/* Runs until all queued data has arrived. */
UNUSED static void settle(void)
{
	for (int i = 0; i < 200 && (w.pending || w.fact_value[FACT_PUSH_QUEUED] > 0); i++)
		run_for(50);
	assert_int_equal(w.fact_value[FACT_PUSH_QUEUED], 0);
}

/* A node of a group, in service, without any failure; not healthy yet. */
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

/* Questions about the data that CloudWatch has accepted. */

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

/* Every window between the two true times (ms) has data of the group, with about as many
 * samples as it has seconds. `gaps` windows may be without. */
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
