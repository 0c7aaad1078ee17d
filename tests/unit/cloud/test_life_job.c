/* What is saved of the lifecycle, and for whom: processes and boots of one instance, and a clone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cloud_life.h"
#include "fake_worker.h"
#include "file.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

#define SPOT    "terminate at 2026-11-30T08:22:00Z"
#define ORDERED "ordered by wnactl drain"

static struct fake_worker fake;
static struct identity identity;
static struct life_job *job;
static struct life_saved saved; /* large */
static char dir[64], run_dir[80], state_dir[80], drain[96];
static int64_t now_ms, wall_ms;

static void metadata(const char *instance, const char *spot)
{
	identity = (struct identity){ .instance_id = instance,
		                      .target_state = instance ? "InService" : NULL,
		                      .spot_action = spot };
}

static int setup(void **state)
{
	(void)state;
	fake_worker_init(&fake);
	snprintf(dir, sizeof dir, "/tmp/wna-life-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(run_dir, sizeof run_dir, "%s/run", dir);
	snprintf(state_dir, sizeof state_dir, "%s/state", dir);
	snprintf(drain, sizeof drain, "%s/drain", state_dir);
	assert_int_equal(mkdir(run_dir, 0700), 0);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	fake.worker.run_dir = run_dir;
	fake.worker.state_dir = state_dir;
	fake.conf.life = (struct conf_life){ .web_port = 1,
		                             .drain_delay_ms = 5 * MINUTE,
		                             .drain_quiet_ms = 5 * MINUTE };
	now_ms = 100 * SECOND;
	wall_ms = INT64_C(1796083200000);
	metadata(NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	life_job_free(job);
	job = NULL;
	fake_worker_end(&fake);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static const struct msg *turn(int64_t after_ms)
{
	now_ms += after_ms;
	wall_ms += after_ms;
	life_job_turn(job, now_ms, wall_ms);
	fake_worker_take(&fake);
	return &fake.last[FACT_LIFECYCLE];
}

/* A new process: its first report, before the metadata have answered. */
static const struct msg *start(void)
{
	const struct life_deps deps = { .worker = &fake.worker, .identity = &identity };

	life_job_free(job);
	metadata(NULL, NULL);
	job = life_job_new(&deps, now_ms, wall_ms);
	assert_non_null(job);
	fake_worker_take(&fake);
	return &fake.last[FACT_LIFECYCLE];
}

static const struct msg *boot(void)
{
	char path[112];

	snprintf(path, sizeof path, "%s/lifecycle", run_dir);
	assert_int_equal(unlink(path), 0);
	return start();
}

static void drains(const struct msg *said, enum life_cause cause, const char *why)
{
	assert_int_equal(said->value, LIFE_DRAINING);
	assert_int_equal(said->more[LIFE_CAUSE], cause);
	assert_string_equal(said->why, why);
}

static void serves(const struct msg *said)
{
	assert_int_equal(said->more[LIFE_CAUSE], LIFE_SERVES);
	assert_string_equal(strstr(said->why, "reboot") ? said->why : "", "");
}

static void write_drain(const char *text)
{
	assert_int_equal(file_write(state_dir, "drain", text, strlen(text)), 0);
}

static void a_restart_knows_the_spot_notice(void **state)
{
	(void)state;
	start();
	metadata("i-0123456789abcdef0", SPOT);
	drains(turn(SECOND), LIFE_SPOT, "spot notice: " SPOT);
	/* Its ninety seconds do not begin anew. */
	now_ms += 80 * SECOND;
	drains(start(), LIFE_SPOT, "spot notice: " SPOT);
	assert_int_equal(turn(10 * SECOND)->value, LIFE_DRAINED);
	metadata("i-0123456789abcdef0", "");
	serves(turn(SECOND));
	serves(start());
}

static void an_order_is_of_its_instance(void **state)
{
	(void)state;
	start();
	metadata("i-0123456789abcdef0", NULL);
	turn(SECOND);
	life_job_order(job, true, now_ms);
	drains(turn(0), LIFE_ORDERED, ORDERED);
	drains(start(), LIFE_ORDERED, ORDERED);
	/* Over a reboot as well, and its delay goes on. */
	wall_ms += MINUTE;
	now_ms = SECOND;
	drains(boot(), LIFE_ORDERED, ORDERED);
	assert_non_null(strstr(fake.last[FACT_LIFECYCLE].text, "in 4 min 0 s"));
	metadata("i-0123456789abcdef0", NULL);
	drains(turn(SECOND), LIFE_ORDERED, ORDERED);
	/* A clone of the disk. */
	drains(boot(), LIFE_ORDERED, ORDERED);
	metadata("i-0123456789abcdef1", NULL);
	serves(turn(SECOND));
	assert_int_equal(access(drain, F_OK), -1);
	serves(boot());
}

static void an_order_repeated_on_a_clone(void **state)
{
	(void)state;
	write_drain("1796083200000 i-0123456789abcdef0\n");
	drains(start(), LIFE_ORDERED, ORDERED);
	life_job_order(job, true, now_ms);
	turn(SECOND);
	metadata("i-0123456789abcdef1", NULL);
	drains(turn(SECOND), LIFE_ORDERED, ORDERED);
}

static void an_order_on_an_unknown_instance(void **state)
{
	(void)state;
	start();
	life_job_order(job, true, now_ms);
	drains(turn(0), LIFE_ORDERED,
	       ORDERED "; a reboot forgets the order: the instance's ID is not known");
	assert_int_equal(access(drain, F_OK), -1);
	start();
	assert_int_equal(fake.last[FACT_LIFECYCLE].value, LIFE_DRAINING);
	metadata("i-0123456789abcdef0", NULL);
	drains(turn(SECOND), LIFE_ORDERED, ORDERED);
	assert_int_equal(access(drain, F_OK), 0);
}

static void a_damaged_order(void **state)
{
	static const char *const texts[] = {
		"", "1796083200000", "1796083200000 -\n", "yesterday i-0123456789abcdef0\n", "\n\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		write_drain(texts[i]);
		if (i == 0)
			serves(start());
		else
			serves(boot());
		assert_int_equal(access(drain, F_OK), -1);
	}
}

static void an_order_that_cannot_be_saved(void **state)
{
	(void)state;
	start();
	metadata("i-0123456789abcdef0", NULL);
	turn(SECOND);
	assert_int_equal(rmdir(state_dir), 0);
	life_job_order(job, true, now_ms);
	drains(turn(0), LIFE_ORDERED,
	       ORDERED "; a reboot forgets the order: No such file or directory");
	assert_int_equal(mkdir(state_dir, 0700), 0);
	turn(9 * SECOND);
	assert_int_equal(access(drain, F_OK), -1);
	drains(turn(SECOND), LIFE_ORDERED, ORDERED);
	assert_int_equal(access(drain, F_OK), 0);
	/* Or at once, if it is repeated. */
	life_job_order(job, false, now_ms);
	serves(turn(0));
	assert_int_equal(rmdir(state_dir), 0);
	life_job_order(job, true, now_ms);
	turn(0);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	life_job_order(job, true, now_ms);
	drains(turn(0), LIFE_ORDERED, ORDERED);
}

/* One process to the next. */
static void pass(struct life *life)
{
	life_save(run_dir, &fake.conf.life, life, &saved);
	memset(life, 0, sizeof *life);
	memset(&saved, 0, sizeof saved);
	now_ms += MINUTE;
	assert_true(life_load(run_dir, &fake.conf.life, now_ms, life, &saved));
}

static void a_restart_knows_the_launch(void **state)
{
	struct conf_life *conf = &fake.conf.life;
	struct cwatch_answer good = { .verdict = CWATCH_ACCEPTED };
	int64_t since_ms = now_ms;
	struct life life = { 0 };

	(void)state;
	memset(&saved, 0, sizeof saved);
	assert_false(life_load(run_dir, conf, now_ms, &life, &saved));
	snprintf(conf->launch_hook, sizeof conf->launch_hook, "launch");
	memo_take(&saved.target_state, "InService");
	hook_begin(&life.hook, "InService", now_ms);
	/* The deadline does not begin anew. */
	pass(&life);
	assert_string_equal(memo_take(&saved.target_state, NULL), "InService");
	assert_false(hook_begin(&life.hook, "InService", now_ms));
	assert_int_equal(life.hook.since_ms, since_ms);
	assert_true(hook_holds(&life.hook, conf));
	/* Completed is completed. */
	life.served = true;
	hook_answer(&life.hook, HOOK_CONTINUE, &good, now_ms);
	pass(&life);
	assert_true(life.served && life.hook.over);
	/* In service on its way to the warm pool. */
	assert_true(hook_begin(&life.hook, "Warmed:Stopped", now_ms));
	assert_true(hook_leaves(&life.hook));
}

static void a_hook_that_was_given_up_is_tried_again(void **state)
{
	struct conf_life *conf = &fake.conf.life;
	struct cwatch_answer idle = { .verdict = CWATCH_BAD_DATUM, .why = "no active" };
	struct life_seen seen = { .heard = true, .well = LIFE_JOBS, .cannot = "" };
	struct life life = { .served = true };

	(void)state;
	conf->launch_deadline_ms = 10 * MINUTE;
	snprintf(conf->launch_hook, sizeof conf->launch_hook, "luanch");
	hook_begin(&life.hook, "InService", now_ms);
	now_ms += 2 * MINUTE;
	hook_answer(&life.hook, HOOK_CONTINUE, &idle, now_ms);
	assert_true(life.hook.over);
	snprintf(conf->launch_hook, sizeof conf->launch_hook, "launch");
	pass(&life);
	assert_false(hook_holds(&life.hook, conf));
	assert_int_equal(hook_due(&life.hook, conf, &seen, now_ms), HOOK_CONTINUE);
	/* Named for the first time on a node that serves: nothing is abandoned. */
	life = (struct life){ .served = true };
	hook_begin(&life.hook, "InService", now_ms);
	conf->launch_hook[0] = '\0';
	life_save(run_dir, conf, &life, &saved);
	snprintf(conf->launch_hook, sizeof conf->launch_hook, "launch");
	now_ms += 60 * MINUTE;
	assert_true(life_load(run_dir, conf, now_ms, &life, &saved));
	assert_false(hook_holds(&life.hook, conf));
	seen.well = 0;
	assert_int_equal(hook_due(&life.hook, conf, &seen, now_ms), HOOK_HEARTBEAT);
	assert_int_equal(hook_due(&life.hook, conf, &seen, now_ms + 10 * MINUTE), HOOK_NO_CALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_restart_knows_the_spot_notice, setup, teardown),
		cmocka_unit_test_setup_teardown(an_order_is_of_its_instance, setup, teardown),
		cmocka_unit_test_setup_teardown(an_order_repeated_on_a_clone, setup, teardown),
		cmocka_unit_test_setup_teardown(an_order_on_an_unknown_instance, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_order, setup, teardown),
		cmocka_unit_test_setup_teardown(an_order_that_cannot_be_saved, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_knows_the_launch, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hook_that_was_given_up_is_tried_again, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("cloud/life_job", tests, NULL, NULL);
}
