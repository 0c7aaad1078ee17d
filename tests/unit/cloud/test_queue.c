/* The queue on disk, and what becomes of it when the disk is in trouble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cloud_push.h"
#include "log.h"

static char dir[64], file[96];
static struct queue *queue;

enum { MAX = 1000 };

static void open_queue(int64_t max)
{
	queue = queue_open(dir, max, 0);
	assert_non_null(queue);
}

static void reopen(void)
{
	queue_close(queue);
	open_queue(MAX);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/wna-queue-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/" QUEUE_FILE, dir);
	log_init("test", LOG_LEVEL_ERROR);
	signal(SIGXFSZ, SIG_IGN);
	open_queue(MAX);
	return 0;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	limit_files(RLIM_INFINITY);
	queue_close(queue);
	queue = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct queue_entry entry(int64_t at_s)
{
	return (struct queue_entry){
		.unsure = true,
		.at_ms = at_s * 1000,
		.space = "Web",
		.datum = "{\"MetricName\":\"CPU\"}",
	};
}

static void add(int64_t at_s)
{
	struct queue_entry e = entry(at_s);

	queue_add(queue, &e, 1);
}

struct seen {
	int64_t id[64], at_s[64];
	size_t count, stop;
};

static bool see(void *arg, const struct queue_entry *e)
{
	struct seen *seen = arg;

	assert_true(seen->count < 64);
	assert_string_equal(e->space, "Web");
	assert_string_equal(e->datum, "{\"MetricName\":\"CPU\"}");
	seen->id[seen->count] = e->id;
	seen->at_s[seen->count++] = e->at_ms / 1000;
	return seen->stop == 0 || seen->count < seen->stop;
}

static struct seen newest(size_t limit)
{
	struct seen seen = { 0 };

	queue_newest(queue, limit, see, &seen);
	return seen;
}

static int64_t lost(void)
{
	const char *why;
	int64_t count = queue_lost(queue, &why);

	assert_int_equal(count > 0, why[0] != '\0');
	return count;
}

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
	/* Ids never come back: what was noted about one stays true. */
	struct seen seen = newest(9);
	queue_remove(queue, seen.id, 2);
	reopen();
	add(3);
	assert_true(newest(9).id[0] > seen.id[0]);
}

/* A process that is killed leaves what it queued, and no lock. */
static void test_killed(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	queue_close(queue);
	queue = NULL;
	pid = fork();
	if (pid == 0) {
		queue = queue_open(dir, MAX, 0);
		for (int i = 1; i <= 100; i++)
			add(i);
		raise(SIGKILL);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	open_queue(MAX);
	assert_string_equal(queue_trouble(queue), "");
	assert_int_equal(queue_count(queue), 100);
	assert_int_equal(newest(1).at_s[0], 100);
	assert_int_equal(lost(), 0);
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

static void test_bound(void **state)
{
	const char *why;

	(void)state;
	queue_close(queue);
	open_queue(10);
	for (int i = 1; i <= 25; i++)
		add(i);
	assert_int_equal(queue_count(queue), 10);
	assert_int_equal(queue_lost(queue, &why), 15);
	assert_non_null(strstr(why, "queue_max"));
	assert_int_equal(newest(20).at_s[9], 16);
	/* A smaller bound than last time. */
	queue_close(queue);
	open_queue(3);
	add(26);
	assert_int_equal(queue_count(queue), 3);
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
	struct queue_entry sure = entry(100);

	(void)state;
	add(50);
	sure.unsure = false;
	queue_add(queue, &sure, 1);
	queue_shift(queue, 3600 * 1000, false);
	assert_int_equal(newest(9).at_s[0], 3650);
	assert_int_equal(newest(9).at_s[1], 100);
	queue_shift(queue, -3600 * 1000, true);
	assert_int_equal(newest(9).at_s[1], 50);
	queue_shift(queue, 3600 * 1000, true);
	assert_int_equal(newest(9).at_s[0], 100);
}

static void test_claim(void **state)
{
	const char *why;

	(void)state;
	queue_claim(queue, "i-one");
	add(1);
	reopen();
	queue_claim(queue, "i-one");
	assert_int_equal(queue_count(queue), 1);
	reopen();
	queue_claim(queue, "i-two");
	assert_int_equal(queue_count(queue), 0);
	assert_int_equal(queue_lost(queue, &why), 1);
	assert_non_null(strstr(why, "another instance"));
	add(2);
	reopen();
	queue_claim(queue, "i-two");
	assert_int_equal(queue_count(queue), 1);
}

static void scribble(long at, const char *text, size_t len)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, len, at), len);
	close(fd);
}

/* How many files lie in the folder beside the queue's own and its log. */
static size_t set_asides(void)
{
	DIR *d = opendir(dir);
	const struct dirent *item;
	size_t count = 0;

	assert_non_null(d);
	while ((item = readdir(d)) != NULL)
		count += item->d_name[0] != '.' && strcmp(item->d_name, QUEUE_FILE) != 0 &&
		         strcmp(item->d_name, QUEUE_FILE "-wal") != 0;
	closedir(d);
	return count;
}

static void test_damaged_header(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		add(1);
		queue_close(queue);
		scribble(0, "not a database at all", 21);
		open_queue(MAX);
		assert_int_equal(queue_count(queue), 0);
		assert_int_equal(lost(), 1);
		assert_int_equal(set_asides(), 1); /* only the latest is kept */
		assert_string_equal(queue_trouble(queue), "");
	}
	add(2);
	reopen();
	assert_int_equal(queue_count(queue), 1);
}

static void test_damaged_pages(void **state)
{
	char garbage[1024];
	struct stat st;

	(void)state;
	for (int i = 0; i < 200; i++)
		add(i);
	queue_close(queue);
	assert_int_equal(stat(file, &st), 0);
	memset(garbage, 0xa5, sizeof(garbage));
	for (long at = 1024; at < st.st_size; at += 1024)
		scribble(at, garbage, sizeof(garbage));
	open_queue(MAX);
	newest(10); /* found here at the latest */
	add(500);
	assert_int_equal(newest(10).count, 1);
	assert_true(lost() >= 1);
	assert_int_equal(set_asides(), 1);
}

static void test_truncated(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		add(i);
	queue_close(queue);
	assert_int_equal(truncate(file, 2048), 0);
	open_queue(MAX);
	newest(60);
	add(500);
	assert_int_equal(newest(60).at_s[0], 500);
	assert_true(lost() >= 1);
}

/* A database of another program's, or of an agent of another format. */
static void test_not_ours(void **state)
{
	sqlite3 *db;

	(void)state;
	queue_close(queue);
	unlink(file);
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE datum(y)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_queue(MAX);
	assert_int_equal(set_asides(), 1);
	add(1);
	assert_int_equal(queue_count(queue), 1);
	assert_int_equal(lost(), 1);
}

/* One row that makes no sense goes alone. */
static void test_damaged_row(void **state)
{
	static const char *const sql[] = {
		"UPDATE datum SET datum = '' WHERE at_ms = 2000",
		"UPDATE datum SET datum = '{}' WHERE at_ms = 3000",
		"UPDATE datum SET datum = '{\"Metric' WHERE at_ms = 4000",
		"UPDATE datum SET datum = x'7b22613a80227d' WHERE at_ms = 5000",
		"UPDATE datum SET space = '' WHERE at_ms = 6000",
		"UPDATE datum SET at_ms = -5 WHERE at_ms = 7000",
		"UPDATE datum SET space = printf('%.400c', 'x') WHERE at_ms = 8000",
	};
	sqlite3 *db;

	(void)state;
	for (int i = 1; i <= 9; i++)
		add(i);
	queue_close(queue);
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++)
		assert_int_equal(sqlite3_exec(db, sql[i], NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_queue(MAX);
	/* One at each visit. */
	for (int i = 0; i < 7; i++)
		newest(20);
	struct seen seen = newest(20);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.at_s[0], 9);
	assert_int_equal(seen.at_s[1], 1);
	assert_int_equal(lost(), 7);
	assert_int_equal(queue_count(queue), 2);
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

/* A disk that is full from the beginning: nothing is damaged, nothing set aside. */
static void test_full_at_start(void **state)
{
	(void)state;
	queue_close(queue);
	unlink(file);
	limit_files(0);
	open_queue(MAX);
	add(1);
	assert_string_not_equal(queue_trouble(queue), "");
	assert_int_equal(newest(9).count, 1);
	limit_files(RLIM_INFINITY);
	queue_turn(queue, QUEUE_RETRY_MS);
	assert_string_equal(queue_trouble(queue), "");
	reopen();
	assert_int_equal(newest(9).count, 1);
	assert_int_equal(set_asides(), 0);
	assert_int_equal(lost(), 0);
}

/* Accepted by CloudWatch, but the disk does not record it: nothing is read while that lasts,
 * so it is sent a second time and not again and again. */
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
	assert_int_equal(seen.count, 3);
	queue_remove(queue, seen.id, 3);
	assert_int_equal(queue_count(queue), 0);
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

#define queue_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		queue_test(test_newest_first),
		queue_test(test_remove),
		queue_test(test_outlives_the_process),
		queue_test(test_killed),
		queue_test(test_busy),
		queue_test(test_bound),
		queue_test(test_expire),
		queue_test(test_shift),
		queue_test(test_claim),
		queue_test(test_damaged_header),
		queue_test(test_damaged_pages),
		queue_test(test_truncated),
		queue_test(test_not_ours),
		queue_test(test_damaged_row),
		queue_test(test_disk_full),
		queue_test(test_full_at_start),
		queue_test(test_full_when_removing),
		queue_test(test_no_folder),
		queue_test(test_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
