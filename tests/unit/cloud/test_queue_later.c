/*
 * A downgrade: the queue's file is of a later version. It is kept, and the agent that
 * can read it takes it in again. What that is, is played here by setting the version
 * in the file: 2 is nobody's yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "queue.h"

static char dir[64], file[96], aside[360];
static struct queue *queue;

static void open_queue(int64_t wall_s)
{
	queue = queue_open(dir, 1000, 0, wall_s * 1000);
	assert_non_null(queue);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/wna-later-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/queue.db", dir);
	log_init("test", LOG_LEVEL_ERROR);
	open_queue(1700000000);
	queue_claim(queue, "i-1");
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	queue_close(queue);
	queue = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void add(int64_t at_s)
{
	struct queue_entry entry = {
		.era = 7,
		.series = { "Web", "CPU", CWATCH_ASG, "web", 1 },
		.datum = { .at_ms = at_s * 1000, .count = 1, .value = { { 10, 4 } } },
	};

	queue_add(queue, &entry, 1);
}

static void change(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void set_version(const char *path, int version)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
	change(path, sql);
}

/* How many lie aside; `aside` is one of them. */
static int asides(void)
{
	const struct dirent *item;
	DIR *folder = opendir(dir);
	int count = 0;

	assert_non_null(folder);
	while ((item = readdir(folder)) != NULL) {
		if (strncmp(item->d_name, "queue.db.later-", 15) != 0 ||
		    strstr(item->d_name, "-wal") != NULL)
			continue;
		snprintf(aside, sizeof(aside), "%s/%s", dir, item->d_name);
		count++;
	}
	closedir(folder);
	return count;
}

static bool count_them(void *arg, const struct queue_entry *entry)
{
	*(int64_t *)arg += entry->datum.at_ms / 1000;
	return true;
}

/* Their times added up: which they are. */
static int64_t sum(void)
{
	int64_t total = 0;

	queue_newest(queue, 100, count_them, &total);
	return total;
}

static const char *why;

static int64_t lost(void)
{
	return queue_lost(queue, &why);
}

static void test_kept_and_taken_in_again(void **state)
{
	(void)state;
	add(1);
	add(2);
	queue_close(queue);
	set_version(file, 2);
	open_queue(1700000001);
	assert_int_equal(lost(), 0);
	assert_int_equal(queue_count(queue), 0);
	assert_string_equal(queue_trouble(queue), "");
	queue_claim(queue, "i-1");
	add(40);
	assert_int_equal(sum(), 40);
	assert_int_equal(asides(), 1);
	/* As long as it is not understood it stays, whatever starts. */
	queue_close(queue);
	open_queue(1700000002);
	queue_claim(queue, "i-1");
	assert_int_equal(sum(), 40);
	assert_int_equal(asides(), 1);
	queue_close(queue);
	set_version(aside, 1);
	open_queue(1700000003);
	queue_claim(queue, "i-1");
	assert_int_equal(sum(), 43);
	assert_int_equal(queue_count(queue), 3);
	assert_int_equal(asides(), 0);
	assert_int_equal(lost(), 0);
}

/* Killed, it has left its data in the log: that goes along. */
static void test_with_its_log(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	add(1);
	queue_close(queue);
	queue = NULL;
	set_version(file, 2);
	pid = fork();
	if (pid == 0) {
		sqlite3 *db;

		if (sqlite3_open(file, &db) != SQLITE_OK ||
		    sqlite3_exec(db,
		                 "PRAGMA locking_mode = EXCLUSIVE;"
		                 "INSERT INTO datum SELECT 99, 5000, era, space, name, dimension,"
		                 " who, resolution, samples FROM datum",
		                 NULL, NULL, NULL) != SQLITE_OK)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_queue(1700000001);
	assert_int_equal(asides(), 1);
	queue_close(queue);
	set_version(aside, 1);
	open_queue(1700000002);
	queue_claim(queue, "i-1");
	assert_int_equal(sum(), 6);
	assert_int_equal(asides(), 0);
}

/* Twice there and back, with a clock that was set back in between. */
static void test_one_never_covers_another(void **state)
{
	(void)state;
	add(1);
	queue_close(queue);
	set_version(file, 2);
	open_queue(1700000001);
	queue_claim(queue, "i-1");
	add(2);
	queue_close(queue);
	set_version(file, 2);
	open_queue(1700000001);
	queue_claim(queue, "i-1");
	assert_int_equal(asides(), 2);
	assert_int_equal(lost(), 0);
	queue_close(queue);
	while (asides() > 0) {
		set_version(aside, 1);
		open_queue(1700000002);
		queue_claim(queue, "i-1");
		queue_close(queue);
	}
	open_queue(1700000003);
	assert_int_equal(sum(), 3);
}

/* An image of a node that was downgraded: its clones do not send its data. */
static void test_anothers(void **state)
{
	(void)state;
	add(1);
	queue_close(queue);
	set_version(file, 2);
	open_queue(1700000001);
	queue_close(queue);
	assert_int_equal(asides(), 1);
	set_version(aside, 1);
	open_queue(1700000002);
	queue_claim(queue, "i-2");
	assert_int_equal(queue_count(queue), 0);
	assert_int_equal(lost(), 1);
	assert_string_equal(why, "the queue was another instance's");
	assert_int_equal(asides(), 0);
}

/* One that lies aside and is damaged harms the good one in no way. */
static void test_damaged_aside(void **state)
{
	char path[128];
	FILE *out;

	(void)state;
	add(1);
	queue_close(queue);
	snprintf(path, sizeof(path), "%s/queue.db.later-17", dir);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs("not a database at all", out);
	fclose(out);
	open_queue(1700000001);
	queue_claim(queue, "i-1");
	assert_int_equal(sum(), 1);
	assert_string_equal(queue_trouble(queue), "");
	assert_int_equal(asides(), 1);
}

/* More rows that make no sense than are moved at once, before, among and after good ones:
 * these are taken in, those are counted. */
static void test_bad_rows_aside(void **state)
{
	(void)state;
	for (int i = 1; i <= 60; i++)
		add(i);
	queue_close(queue);
	set_version(file, 2);
	open_queue(1700000001);
	queue_close(queue);
	assert_int_equal(asides(), 1);
	set_version(aside, 1);
	change(aside, "UPDATE datum SET resolution = 10"
	              " WHERE at_ms > 20000 AND at_ms NOT IN (30000, 55000)");
	open_queue(1700000002);
	queue_claim(queue, "i-1");
	assert_int_equal(queue_count(queue), 22);
	assert_int_equal(sum(), 20 * 21 / 2 + 30 + 55);
	assert_int_equal(lost(), 38);
	assert_string_equal(why, "a datum in a queue that was set aside was damaged");
	assert_int_equal(asides(), 0);
}

/* Rows that do not go are taken in once a start, not for ever, and their file is kept. */
static void test_stubborn_rows_aside(void **state)
{
	(void)state;
	add(1);
	queue_close(queue);
	set_version(file, 2);
	open_queue(1700000001);
	queue_close(queue);
	assert_int_equal(asides(), 1);
	set_version(aside, 1);
	/* As a view the table has a row and removes none. */
	change(aside, "DROP INDEX datum_at; ALTER TABLE datum RENAME TO kept;"
	              "CREATE VIEW datum AS SELECT * FROM kept;"
	              "CREATE TRIGGER stays INSTEAD OF DELETE ON datum BEGIN SELECT 1; END");
	open_queue(1700000002);
	queue_claim(queue, "i-1");
	assert_int_equal(asides(), 1);
	assert_int_equal(queue_count(queue), 1);
	assert_string_equal(queue_trouble(queue), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept_and_taken_in_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_with_its_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_never_covers_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_anothers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_rows_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stubborn_rows_aside, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
