/* What wna-rds keeps for the next process, in a /run of the test's own. */
#include "watch_lab.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rds.h"

#define STATE RDS_DIR "/state.env"

static struct memory memory;

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	       mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
	       mkdir(CONF_RUN_DIR, 0755) < 0 || mkdir(RDS_DIR, 0755) < 0;
}

static int forget(void **state)
{
	(void)state;
	unlink(STATE);
	return 0;
}

/* wna-rds starts, with this endpoint, `later_ms` after the end of the last process. */
static void start(const char *endpoint, int64_t later_ms)
{
	int64_t before = now;

	setup(NULL);
	if (before > now)
		now = before;
	now += later_ms;
	watch_init(&watch, &conf, now);
	str_copy(conf.endpoint, sizeof conf.endpoint, endpoint);
	memory_restore(&memory, &watch, now);
}

/* A lost session alone proves nothing: a second look at the name. */
static void tells_twice(const struct net_addr *addr)
{
	for (int i = 0; i < 2; i++) {
		now += 5000;
		resolved_to(addr, 5);
		stale_answered(&watch, now);
	}
}

/* Listeners act on a number once: it must neither repeat nor go back. */
static void events_are_counted_on(void **state)
{
	struct stale stale;

	(void)state;
	start("db.test", 0);
	assert_int_equal(watch.outage.changes, 0);
	start_at(&a);
	fails(TROUBLE_LOST, 1);
	memory_save(&memory, &watch);
	/* A failover between the end of one process and the start of the next is detected. */
	start("db.test", 5000);
	start_at(&b);
	assert_true(moved());
	assert_int_equal(watch.outage.changes, 1);
	tells_twice(&b);
	stale = watch.stale;
	assert_int_equal(stale.number, 1);
	memory_save(&memory, &watch);
	/* The next process knows it; the same writer is no change. */
	start("db.test", 5000);
	assert_int_equal(watch.outage.changes, 1);
	assert_memory_equal(&watch.outage.moved, &change, sizeof change);
	start_at(&b);
	assert_false(changed);
	stale_answered(&watch, now);
	assert_int_equal(watch.stale.number, 1);
	assert_int_equal(watch.stale.at_ms, stale.at_ms);
	assert_true(net_addr_equal(&watch.stale.addr, &a));
	memory_save(&memory, &watch);
	/* The first writer of another endpoint is no change; the number goes on. */
	start("other.test", 0);
	assert_int_equal(watch.outage.moved.to.family, 0);
	start_at(&a);
	assert_false(changed);
	stale_answered(&watch, now);
	assert_int_equal(watch.stale.number, 1);
	fails(TROUBLE_LOST, 1);
	memory_save(&memory, &watch);
	start("other.test", 0);
	start_at(&b);
	assert_int_equal(watch.outage.changes, 2);
	tells_twice(&b);
	assert_int_equal(watch.stale.number, 2);
}

/* A process ends during a failover, and the next one measures the outage from its beginning. */
static void an_outage_is_measured_across_a_restart(void **state)
{
	int64_t good_ms, bad_ms;

	(void)state;
	start("db.test", 0);
	start_at(&a);
	memory_save(&memory, &watch);
	good_ms = watch.outage.good_ms;
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 3000);
	memory_save(&memory, &watch);
	bad_ms = now;
	start("db.test", 4000);
	resolved_to(&a, 5);
	fails(TROUBLE_NETWORK, 1);
	assert_int_equal(watch.outage.bad_first_ms, bad_ms);
	resolved_to(&b, 5);
	connects_to(&b);
	answers(false);
	assert_true(moved());
	assert_int_equal(change.min_ms, watch.outage.moved.min_ms);
	assert_in_range(change.min_ms, 4000, 4010);
	assert_int_equal(change.max_ms, now - good_ms);
	assert_int_equal(change.last_good_wall_ms, WALL_MS + good_ms);
}

/* wna-rds is restarted between the events of one outage: none is told again, none is lost. */
static void down_and_up_survive_a_restart(void **state)
{
	int64_t up[RDS_UP_WRITABLE_MS + 1];

	(void)state;
	start("db.test", 0);
	start_at(&a);
	now = watch.ask_ms;
	fails(TROUBLE_LOST, 3000);
	memory_save(&memory, &watch);
	start("db.test", 1000);
	resolved_to(&b, 5);
	fails(TROUBLE_NETWORK, 1);
	assert_int_equal(watch.outage.downs, 1);
	memory_save(&memory, &watch);
	start("db.test", 1000);
	resolved_to(&b, 5);
	fails(TROUBLE_NETWORK, 1);
	assert_int_equal(watch.outage.downs, 1);
	connects_to(&b);
	answers(false);
	assert_int_equal(watch.outage.ups, 1);
	memcpy(up, watch.outage.up, sizeof up);
	assert_true(up[RDS_UP_NAMED_MS] < up[RDS_UP_WRITABLE_MS] - 1000);
	memory_save(&memory, &watch);
	start("db.test", 0);
	assert_int_equal(watch.outage.downs, 1);
	assert_true(net_addr_equal(&watch.outage.down_addr, &a));
	assert_int_equal(watch.outage.ups, 1);
	assert_memory_equal(watch.outage.up, up, sizeof up);
}

/* A file with one wrong value is not used at all. */
static void a_wrong_value_spoils_the_file(void **state)
{
	static const char *const bad[] = { "=x\n", "=\n", "=-2\n", "=99999999999999999999\n" };
	char text[sizeof memory.text], twisted[sizeof text + 100];
	FILE *file;
	size_t len;

	(void)state;
	start("db.test", 0);
	start_at(&a);
	memory_save(&memory, &watch);
	file = fopen(STATE, "re");
	assert_non_null(file);
	len = fread(text, 1, sizeof text - 1, file);
	assert_true(feof(file));
	text[len] = '\0';
	fclose(file);
	for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t key = strcspn(line, "=");

		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			if (strncmp(line, "REFUSED_FILE", key) == 0 ||
			    strncmp(line, "ENDPOINT", key) == 0)
				continue; /* any text is valid */
			snprintf(twisted, sizeof twisted, "%.*s%s%s", (int)(line - text + key),
			         text, bad[i], line + strcspn(line, "\n") + 1);
			file = fopen(STATE, "we");
			assert_non_null(file);
			assert_true(fputs(twisted, file) >= 0);
			assert_int_equal(fclose(file), 0);
			start("db.test", 0);
			assert_int_equal(watch.outage.writer.family, 0);
		}
	}
}

/* Good answers alone cause one write in ten seconds. */
static void good_answers_are_written_seldom(void **state)
{
	struct stat first, second;

	(void)state;
	start("db.test", 0);
	start_at(&a);
	memory_save(&memory, &watch);
	assert_int_equal(stat(STATE, &first), 0);
	for (int i = 0; i < 4; i++) {
		now += 2000;
		answers(false);
		memory_save(&memory, &watch);
	}
	assert_int_equal(stat(STATE, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	now += 4000;
	answers(false);
	memory_save(&memory, &watch);
	start("db.test", 0);
	assert_int_equal(watch.outage.good_ms, now - 2);
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
		cmocka_unit_test_setup(events_are_counted_on, forget),
		cmocka_unit_test_setup(an_outage_is_measured_across_a_restart, forget),
		cmocka_unit_test_setup(down_and_up_survive_a_restart, forget),
		cmocka_unit_test_setup(a_wrong_value_spoils_the_file, forget),
		cmocka_unit_test_setup(good_answers_are_written_seldom, forget),
	};

	if (geteuid() != 0)
		return cmocka_run_group_tests(unprivileged, NULL, NULL);
	return cmocka_run_group_tests(tests, own_run, NULL);
}
