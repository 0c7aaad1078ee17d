/* The queue on disk, and while the disk is in trouble. */
#include "queue_world.h"

static void test_newest_first(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(queue_count(queue), 0);
	add(20);
	add(40);
	add(10);
	add(30);
	assert_int_equal(queue_count(queue), 4);
	seen = newest(3);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.at_s[0], 40);
	assert_int_equal(seen.at_s[1], 30);
	assert_int_equal(seen.at_s[2], 20);
	seen = (struct seen){ .stop = 1 };
	queue_newest(queue, 10, see, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(newest(0).count, 0);
	assert_string_equal(queue_trouble(queue), "");
}

static void test_remove(void **state)
{
	struct seen seen;

	(void)state;
	for (int i = 1; i <= 5; i++)
		add(i);
	seen = newest(3);
	queue_remove(queue, seen.id, 3);
	assert_int_equal(queue_count(queue), 2);
	queue_remove(queue, seen.id, 3); /* gone already */
	assert_int_equal(queue_count(queue), 2);
	seen = newest(9);
	assert_int_equal(seen.at_s[0], 2);
	assert_int_equal(lost(), 0);
	queue_drop(queue, seen.id[0], "refused");
	assert_int_equal(lost(), 1);
	assert_int_equal(queue_count(queue), 1);
}

static void test_outlives_the_process(void **state)
{
	(void)state;
	add(1);
	add(2);
	reopen();
	assert_int_equal(queue_count(queue), 2);
	assert_int_equal(newest(9).at_s[0], 2);
	/* Ids are never used again: an answer removes only the data that was sent. */
	struct seen seen = newest(9);
	queue_remove(queue, seen.id, 2);
	reopen();
	add(3);
	assert_true(newest(9).id[0] > seen.id[0]);
}

/* Another process has the file: it is left alone. */
static void test_busy(void **state)
{
	struct queue *second;

	(void)state;
	add(1);
	second = queue_open(dir, MAX, 0);
	assert_non_null(second);
	assert_string_not_equal(queue_trouble(second), "");
	queue_close(second);
	assert_int_equal(newest(9).count, 1);
	assert_int_equal(lost(), 0);
}

static void test_expire(void **state)
{
	(void)state;
	for (int i = 1; i <= 9; i++)
		add(i);
	queue_expire(queue, 3000, 7000);
	assert_int_equal(queue_count(queue), 5);
	assert_int_equal(newest(9).at_s[0], 7);
	assert_int_equal(newest(9).at_s[4], 3);
	assert_int_equal(lost(), 4);
	queue_expire(queue, 3000, 7000);
	assert_int_equal(lost(), 4);
}

static void test_shift(void **state)
{
	struct queue_entry sure = entry(100), other = entry(10);
	int64_t hour = 3600 * 1000, set = CLOCK_MS + hour;

	(void)state;
	add(50);
	sure.clock_ms = 0;
	queue_add(queue, &sure, 1);
	other.clock_ms = CLOCK_MS - SKEW_STEP_MS;
	queue_add(queue, &other, 1);
	queue_shift(queue, CLOCK_MS + SKEW_STEP_MS - 1, hour, set);
	assert_int_equal(newest(9).at_s[0], 3650);
	assert_int_equal(newest(9).at_s[1], 100);
	assert_int_equal(newest(9).at_s[2], 10);
	queue_shift(queue, CLOCK_MS + SKEW_STEP_MS, hour, set); /* none is of this clock */
	assert_int_equal(newest(9).at_s[0], 3650);
	queue_shift(queue, set, -hour, 0);
	assert_int_equal(newest(9).at_s[1], 50);
	queue_shift(queue, set, hour, 0);
	queue_shift(queue, 0, hour, 0);
	assert_int_equal(newest(9).at_s[0], 100);
}

/* Data from before the instance id was known is kept, another instance's is dropped. */
static void test_claim(void **state)
{
	(void)state;
	add(1);
	queue_claim(queue, "i-one");
	add(2);
	reopen();
	assert_int_equal(queue_count(queue), 2);
	queue_claim(queue, "i-one");
	assert_int_equal(queue_count(queue), 2);
	assert_int_equal(lost(), 0);
	queue_claim(queue, "i-two");
	assert_int_equal(queue_count(queue), 0);
	assert_int_equal(lost(), 2);
}

/* Nothing can be written for a while: memory takes it, disk gets it later. */
static void test_disk_full(void **state)
{
	int64_t now = 0;

	(void)state;
	add(1);
	add(2);
	limit_files(0);
	add(3);
	add(4);
	assert_string_not_equal(queue_trouble(queue), "");
	assert_int_equal(queue_count(queue), 4);
	assert_int_equal(newest(9).at_s[0], 4);
	queue_turn(queue, now += QUEUE_RETRY_MS); /* still full */
	assert_string_not_equal(queue_trouble(queue), "");
	limit_files(RLIM_INFINITY);
	queue_turn(queue, now + 1000); /* too early to look again */
	assert_string_not_equal(queue_trouble(queue), "");
	queue_turn(queue, now += QUEUE_RETRY_MS);
	assert_string_equal(queue_trouble(queue), "");
	struct seen seen = newest(9);
	assert_int_equal(seen.count, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(seen.at_s[i], 4 - i);
	reopen();
	assert_int_equal(queue_count(queue), 4);
	assert_int_equal(lost(), 0);
}

/* Accepted by CloudWatch, but the disk does not record it: nothing is read while that lasts, and
 * the data is removed before anything else. */
static void test_full_when_removing(void **state)
{
	struct seen seen;

	(void)state;
	for (int i = 1; i <= 3; i++)
		add(i);
	seen = newest(2);
	limit_files(0);
	queue_remove(queue, seen.id, 2);
	assert_string_not_equal(queue_trouble(queue), "");
	assert_int_equal(newest(9).count, 0);
	queue_turn(queue, QUEUE_RETRY_MS); /* nothing to move, and still full */
	assert_int_equal(newest(9).count, 0);
	limit_files(RLIM_INFINITY);
	queue_turn(queue, 2 * QUEUE_RETRY_MS);
	seen = newest(9);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.at_s[0], 1);
	queue_remove(queue, seen.id, 1);
	assert_int_equal(queue_count(queue), 0);
	assert_int_equal(lost(), 0);
}

/* The disk has room for a new datum and not for the removal of 60: with any room, no datum on the
 * disk is sent twice. */
static void test_nearly_full_when_removing(void **state)
{
	struct stat log;
	char path[128];
	int64_t now = 0;

	(void)state;
	for (int i = 1; i <= 600; i++)
		add(i * 1000 % 601);
	reopen();
	add(601);
	snprintf(path, sizeof(path), "%s-wal", file);
	assert_int_equal(stat(path, &log), 0);
	for (rlim_t room = 0; room < 16; room++) {
		struct seen first, again;

		limit_files(RLIM_INFINITY);
		queue_turn(queue, now += QUEUE_RETRY_MS);
		first = newest(60);
		assert_int_equal(stat(path, &log), 0);
		limit_files((rlim_t)log.st_size + room * 1024);
		queue_remove(queue, first.id, first.count);
		for (int i = 0; i < 3; i++) {
			queue_turn(queue, now += QUEUE_RETRY_MS);
			again = newest(60);
			for (size_t a = 0; a < again.count; a++)
				for (size_t f = 0; f < first.count; f++)
					assert_true(again.id[a] != first.id[f]);
		}
	}
	assert_int_equal(lost(), 0);
}

static void test_no_folder(void **state)
{
	char kept[64];
	int64_t now = 0;

	(void)state;
	queue_close(queue);
	strcpy(kept, dir);
	strcat(dir, "/later");
	open_queue(MAX);
	assert_string_not_equal(queue_trouble(queue), "");
	for (int i = 1; i <= QUEUE_MEMORY_MAX + 5; i++)
		add(i);
	assert_int_equal(queue_count(queue), QUEUE_MEMORY_MAX);
	assert_int_equal(lost(), 5); /* the oldest, and counted */
	assert_int_equal(mkdir(dir, 0700), 0);
	queue_turn(queue, now += QUEUE_RETRY_MS);
	assert_string_equal(queue_trouble(queue), "");
	assert_int_equal(queue_count(queue), QUEUE_MEMORY_MAX);
	reopen();
	assert_int_equal(queue_count(queue), QUEUE_MEMORY_MAX);
	assert_int_equal(newest(9).at_s[0], QUEUE_MEMORY_MAX + 5);
	queue_close(queue);
	queue = NULL;
	strcpy(dir, kept);
}

/* After an outage the file gives its pages back. */
static void test_shrinks(void **state)
{
	struct stat full, drained;

	(void)state;
	for (int i = 0; i < 900; i++)
		add(i);
	reopen(); /* closing writes the log back */
	assert_int_equal(stat(file, &full), 0);
	while (queue_count(queue) > 0) {
		struct seen seen = newest(60);

		queue_remove(queue, seen.id, seen.count);
	}
	reopen();
	assert_int_equal(stat(file, &drained), 0);
	assert_true(drained.st_size < full.st_size / 4);
	assert_int_equal(lost(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		queue_test(test_newest_first),
		queue_test(test_remove),
		queue_test(test_outlives_the_process),
		queue_test(test_busy),
		queue_test(test_expire),
		queue_test(test_shift),
		queue_test(test_claim),
		queue_test(test_disk_full),
		queue_test(test_full_when_removing),
		queue_test(test_nearly_full_when_removing),
		queue_test(test_no_folder),
		queue_test(test_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
