/* A queue in a folder of its own. */
#ifndef TEST_QUEUE_WORLD_H
#define TEST_QUEUE_WORLD_H

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

#define UNUSED __attribute__((unused))

static char dir[64], file[96];
static struct queue *queue;

enum { MAX = 1000, CLOCK_MS = 1000 * 1000 };

static void open_queue(int64_t max)
{
	queue = queue_open(dir, max, 0);
	assert_non_null(queue);
}

UNUSED static void reopen(void)
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

UNUSED static void limit_files(rlim_t bytes)
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
		.clock_ms = CLOCK_MS,
		.at_ms = at_s * 1000,
		.space = "Web",
		.datum = "{\"MetricName\":\"CPU\"}",
	};
}

UNUSED static void add(int64_t at_s)
{
	struct queue_entry e = entry(at_s);

	queue_add(queue, &e, 1);
}

struct seen {
	int64_t id[64], at_s[64];
	size_t count, stop;
};

UNUSED static bool see(void *arg, const struct queue_entry *e)
{
	struct seen *seen = arg;

	assert_true(seen->count < 64);
	assert_string_equal(e->space, "Web");
	assert_string_equal(e->datum, "{\"MetricName\":\"CPU\"}");
	seen->id[seen->count] = e->id;
	seen->at_s[seen->count++] = e->at_ms / 1000;
	return seen->stop == 0 || seen->count < seen->stop;
}

UNUSED static struct seen newest(size_t limit)
{
	struct seen seen = { 0 };

	queue_newest(queue, limit, see, &seen);
	return seen;
}

UNUSED static int64_t lost(void)
{
	const char *why;
	int64_t count = queue_lost(queue, &why);

	assert_int_equal(count > 0, why[0] != '\0');
	return count;
}

#define queue_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
