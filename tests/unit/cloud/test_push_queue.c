/* push and its queue: bounds, restarts, and a disk that fails. */
#include "push_world.h"

#include <signal.h>
#include <sys/resource.h>

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
	/* A restart costs a second or two of the open window, and no earlier data. */
	assert_windows(start, w.true_ms - 4 * SECOND, 5);
	assert_in_range((int)samples_of(true), 1440, 1465);
	assert_int_equal(w.fact_value[FACT_PUSH_LOST], 0);
}

static void test_image_of_a_running_node(void **state)
{
	(void)state;
	begin_healthy();
	w.mode = ANSWER_SILENCE;
	run_for(10 * MINUTE);
	assert_int_equal(w.taken_count, 0);
	finish();
	w.identity.instance_id = "i-clone";
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

/* The disk becomes full while it has a backlog: new windows are still sent in time, and the
 * backlog when there is room again. */
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

/* There is room again while a request is under way: data in memory does not move to the disk
 * meanwhile, since it would get other ids, and the answer would not remove it. */
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
	snprintf(path, sizeof(path), "%s/" QUEUE_FILE, w.dir);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		push_test(test_queue_bound),
		push_test(test_restart_keeps_the_queue),
		push_test(test_image_of_a_running_node),
		push_test(test_no_disk),
		push_test(test_disk_full_with_backlog),
		push_test(test_disk_mended_during_a_request),
		push_test(test_queue_damaged_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
