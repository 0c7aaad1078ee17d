/* What wna-rds knows of its predecessor: in a /run of the test's own. */
#include "watch_lab.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rds_memory.h"
#include "rds_report.h"

static struct memory memory;

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	       mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
	       mkdir(CONF_RUN_DIR, 0755) < 0 || mkdir(RDS_DIR, 0755) < 0;
}

/* wna-rds starts, for this endpoint. */
static void start(const char *endpoint)
{
	setup(NULL);
	str_copy(conf.endpoint, sizeof conf.endpoint, endpoint);
	memory_restore(&memory, &watch, now, 0);
}

static void write_state(const char *text)
{
	FILE *file = fopen(RDS_DIR "/state.env", "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Listeners act on a number once: it may neither come again nor go back. */
static void events_are_counted_on(void **state)
{
	(void)state;
	start("db.test");
	assert_int_equal(watch.outage.changes, 0);
	start_at(&a);
	memory_save(&memory, &watch, now);
	/* A failover between two lives is one. */
	start("db.test");
	start_at(&b);
	assert_int_equal(end, OUTAGE_MOVED);
	assert_int_equal(watch.outage.changes, 1);
	memory_save(&memory, &watch, now);
	/* The same writer in the next life is none. */
	start("db.test");
	assert_int_equal(watch.outage.changes, 1);
	start_at(&b);
	assert_int_equal(end, OUTAGE_NONE);
	assert_int_equal(watch.outage.changes, 1);
	memory_save(&memory, &watch, now);
	/* Nor is the first writer of another endpoint; its changes are counted on. */
	start("other.test");
	start_at(&a);
	assert_int_equal(end, OUTAGE_FIRST);
	memory_save(&memory, &watch, now);
	start("other.test");
	start_at(&b);
	assert_int_equal(watch.outage.changes, 2);
}

static void what_is_no_number_is_none(void **state)
{
	static const char *const texts[] = { "", "CHANGES=\n", "CHANGES=-1\n", "CHANGES=x\n",
		                             "CHANGES=99999999999\n" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		write_state(texts[i]);
		start("db.test");
		assert_int_equal(watch.outage.changes, 0);
	}
	write_state("CHANGES=7\n");
	start("db.test");
	assert_int_equal(watch.outage.changes, 7);
}

static void needs_root(void **state)
{
	(void)state;
	print_message("a mount namespace needs root\n");
	skip();
}

int main(void)
{
	const struct CMUnitTest unprivileged[] = { cmocka_unit_test(needs_root) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_counted_on),
		cmocka_unit_test(what_is_no_number_is_none),
	};

	if (geteuid() != 0)
		return cmocka_run_group_tests(unprivileged, NULL, NULL);
	return cmocka_run_group_tests(tests, own_run, NULL);
}
