/* A queue whose file is damaged, or another program's. */
#include "queue_world.h"

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

/* Of several rows only the damaged one is removed. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		queue_test(test_damaged_header),
		queue_test(test_damaged_pages),
		queue_test(test_not_ours),
		queue_test(test_damaged_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
