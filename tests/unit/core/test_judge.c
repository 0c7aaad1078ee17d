/* The verdict: tables over every state, and what age alone does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core.h"

enum { NOW = 100000, AGE = 10000, START = 1000 };

static struct conf conf;
static struct state state;
static struct verdict verdict;

static int setup(void **unused)
{
	(void)unused;
	memset(&conf, 0, sizeof conf);
	memset(&state, 0, sizeof state);
	conf.imds.max_age_ms = conf.rds.max_age_ms = conf.metrics.max_age_ms = AGE;
	conf.mount.max_age_ms = AGE;
	state.conf = &conf;
	state.conf_why = "";
	state.start_ms = START;
	return 0;
}

static void say(enum fact_id id, int64_t value, const char *why, int64_t at_ms)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };
	unsigned slot;

	snprintf(msg.why, sizeof msg.why, "%s", why);
	if (id == FACT_CHECK)
		snprintf(msg.text, sizeof msg.text, "web");
	msg.more[CHECK_LAST] = value == CHECK_GOOD ? 100 : -1;
	assert_int_equal(facts_take(&state.facts, &conf, fact_info(msg.id)->owner, &msg, at_ms,
	                            at_ms, &slot),
	                 0);
}

/* The whole report of the keeper. `answered_ms` 0: not yet. */
static void say_mount(int64_t value, int64_t sign, int64_t answered_ms, const char *why,
                      int64_t at_ms)
{
	struct msg msg = { .type = HUB_FACT, .id = FACT_MOUNT, .value = value };
	unsigned slot;

	msg.more[MOUNT_SIGN] = sign;
	msg.more[MOUNT_SIGN_MS] = answered_ms;
	snprintf(msg.why, sizeof msg.why, "%s", why);
	assert_int_equal(facts_take(&state.facts, &conf, ROLE_MOUNT, &msg, at_ms, at_ms, &slot), 0);
}

/* Each state that is not well has a reason, and each reason texts. */
static void has_a_reason(enum verdict_level level, enum reason reason, const char *why)
{
	if (level == LEVEL_OK || level == LEVEL_OFF) {
		assert_int_equal(reason == REASON_NONE, why[0] == '\0');
		return;
	}
	assert_int_not_equal(reason, REASON_NONE);
	assert_string_not_equal(reason_info(reason)->todo, "");
}

static void judge(int64_t now_ms)
{
	judge_verdict(&state, now_ms, &verdict);
	for (int i = 0; i < JOB_MAX; i++)
		has_a_reason(verdict.job[i].level, verdict.job[i].reason, verdict.job[i].why);
	for (int i = 0; i < conf.checks.count; i++)
		has_a_reason(verdict.check[i].level, verdict.check[i].reason, verdict.check[i].why);
	has_a_reason(verdict.ready, verdict.reason, verdict.why);
}

static void expect(enum verdict_level health, enum verdict_level ready)
{
	assert_int_equal(verdict.health, health);
	assert_int_equal(verdict.ready, ready);
}

/* A node whose only job is identity, with a good report. */
static void known_identity(int64_t at_ms)
{
	say(FACT_IMDS, IMDS_OK, "", at_ms);
	say(FACT_INSTANCE_ID, 1, "", at_ms);
}

static void one_check(int32_t scope, int32_t initial)
{
	conf.checks.count = 1;
	snprintf(conf.checks.item[0].name, sizeof conf.checks.item[0].name, "web");
	conf.checks.item[0].scope = scope;
	conf.checks.item[0].initial = initial;
	conf.checks.item[0].max_age_ms = AGE;
	conf.checks.item[0].rise = conf.checks.item[0].fall = 1;
}

static void nothing_but_identity(void **unused)
{
	(void)unused;
	judge(NOW);
	expect(LEVEL_DEGRADED, LEVEL_WAITING);
	known_identity(NOW);
	judge(NOW);
	expect(LEVEL_OK, LEVEL_OK);
	assert_string_equal(verdict.why, "");
	for (int job = JOB_MOUNT; job < JOB_MAX; job++)
		assert_int_equal(verdict.job[job].level, LEVEL_OFF);
	assert_int_equal(verdict.until_ms, NOW + AGE + 1);
}

/* Each scope with each state (no report, good, bad, expired): the whole table of one check. */
static void every_state_of_a_check(void **unused)
{
	static const struct {
		int32_t scope;
		int value; /* 0 unheard, 1 good, -1 bad */
		int64_t now_ms;
		enum verdict_level level, health, ready;
	} table[] = {
		{ SCOPE_LOCAL, 0, START, LEVEL_WAITING, LEVEL_WAITING, LEVEL_WAITING },
		{ SCOPE_LOCAL, 0, START + AGE, LEVEL_FAIL, LEVEL_FAIL, LEVEL_FAIL },
		{ SCOPE_LOCAL, 1, NOW, LEVEL_OK, LEVEL_OK, LEVEL_OK },
		{ SCOPE_LOCAL, -1, NOW, LEVEL_FAIL, LEVEL_FAIL, LEVEL_FAIL },
		{ SCOPE_LOCAL, 1, NOW + AGE, LEVEL_OK, LEVEL_OK, LEVEL_OK },
		{ SCOPE_LOCAL, 1, NOW + AGE + 1, LEVEL_FAIL, LEVEL_FAIL, LEVEL_FAIL },
		{ SCOPE_SHARED, 0, START, LEVEL_WAITING, LEVEL_DEGRADED, LEVEL_WAITING },
		{ SCOPE_SHARED, 0, START + AGE, LEVEL_DEGRADED, LEVEL_DEGRADED, LEVEL_FAIL },
		{ SCOPE_SHARED, 1, NOW, LEVEL_OK, LEVEL_OK, LEVEL_OK },
		{ SCOPE_SHARED, -1, NOW, LEVEL_DEGRADED, LEVEL_DEGRADED, LEVEL_FAIL },
		{ SCOPE_SHARED, 1, NOW + AGE + 1, LEVEL_DEGRADED, LEVEL_DEGRADED, LEVEL_FAIL },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		setup(unused);
		one_check(table[i].scope, INITIAL_BAD);
		known_identity(table[i].now_ms);
		if (table[i].value != 0)
			say(FACT_CHECK, table[i].value > 0 ? CHECK_GOOD : CHECK_BAD, "refused",
			    NOW);
		judge(table[i].now_ms);
		assert_int_equal(verdict.check[0].level, table[i].level);
		expect(table[i].health, table[i].ready);
		assert_int_equal(verdict.why[0] == '\0', table[i].ready == LEVEL_OK);
	}
}

/* Each state of the mount with each sign of life and each value of mount.hang. */
static void every_state_of_the_mount(void **unused)
{
	enum { NOTHING = -1 };
	static const struct {
		int64_t mount; /* NOTHING: unheard */
		int64_t sign, answered_ms;
		const char *why;
		int hang;
		enum verdict_level level, health, ready;
	} table[] = {
		{ NOTHING, 0, 0, "", 0, LEVEL_WAITING, LEVEL_WAITING, LEVEL_WAITING },
		{ MOUNT_ABSENT, 0, 0, "", 0, LEVEL_WAITING, LEVEL_WAITING, LEVEL_WAITING },
		{ MOUNT_ABSENT, 0, 0, "no route", 0, LEVEL_FAIL, LEVEL_FAIL, LEVEL_FAIL },
		{ MOUNT_WRONG, 10, NOW, "tmpfs", 0, LEVEL_FAIL, LEVEL_FAIL, LEVEL_FAIL },
		{ MOUNT_UNVERIFIED, 10, NOW, "no DNS", 0, LEVEL_DEGRADED, LEVEL_DEGRADED,
		  LEVEL_FAIL },
		{ MOUNT_RIGHT, MOUNT_NOT_PROBED, 0, "", 0, LEVEL_WAITING, LEVEL_DEGRADED,
		  LEVEL_WAITING },
		{ MOUNT_RIGHT, 10, NOW, "", 0, LEVEL_OK, LEVEL_OK, LEVEL_OK },
		{ MOUNT_RIGHT, -116, NOW, "stale", 0, LEVEL_DEGRADED, LEVEL_DEGRADED, LEVEL_FAIL },
		{ MOUNT_RIGHT, -116, NOW, "stale", 1, LEVEL_FAIL, LEVEL_FAIL, LEVEL_FAIL },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		setup(unused);
		conf.mount.enabled = true;
		conf.mount.hang = table[i].hang ? HANG_FAIL : HANG_DEGRADED;
		known_identity(NOW);
		if (table[i].mount != NOTHING)
			say_mount(table[i].mount, table[i].sign, table[i].answered_ms, table[i].why,
			          NOW);
		judge(NOW);
		assert_int_equal(verdict.job[JOB_MOUNT].level, table[i].level);
		expect(table[i].health, table[i].ready);
	}
}

/* The keeper goes on reporting; the mount's last answer grows old. */
static void a_silent_mount(void **unused)
{
	(void)unused;
	conf.mount.enabled = true;
	known_identity(NOW + AGE);
	say_mount(MOUNT_RIGHT, 10, NOW, "", NOW + AGE);
	judge(NOW + AGE);
	expect(LEVEL_OK, LEVEL_OK);
	assert_int_equal(verdict.until_ms, NOW + AGE + 1);
	judge(NOW + AGE + 1);
	expect(LEVEL_DEGRADED, LEVEL_FAIL);
	assert_string_equal(verdict.why, "mount: no answer for more than 10 s");
	conf.mount.hang = HANG_FAIL;
	judge(NOW + AGE + 1);
	expect(LEVEL_FAIL, LEVEL_FAIL);
}

/* A dead proxy fails this node when no repair is left; with repair = force a new mount is. */
static void a_dead_proxy(void **unused)
{
	const struct {
		int64_t tries, due_ms;
		int repair;
		enum verdict_level health;
	} table[] = {
		{ 0, 0, REPAIR_OFF, LEVEL_FAIL },
		{ 1, NOW + 5, REPAIR_SAFE, LEVEL_DEGRADED },
		{ SERVICE_TRIES_MAX, 0, REPAIR_SAFE, LEVEL_FAIL },
		{ SERVICE_TRIES_MAX, NOW + 5, REPAIR_FORCE, LEVEL_DEGRADED },
		{ SERVICE_TRIES_MAX, 0, REPAIR_FORCE, LEVEL_FAIL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct msg msg = { .type = HUB_FACT,
			           .id = FACT_MOUNT_SERVICE,
			           .value = SERVICE_HUNG };
		unsigned slot;

		setup(NULL);
		conf.mount.enabled = true;
		conf.mount.repair = table[i].repair;
		known_identity(NOW);
		say_mount(MOUNT_RIGHT, 10, NOW - AGE - 1, "", NOW);
		msg.more[SERVICE_CAUSE] = CAUSE_DEAD_PROXY;
		msg.more[SERVICE_TRIES] = table[i].tries;
		msg.more[SERVICE_DUE_MS] = table[i].due_ms;
		assert_int_equal(facts_take(&state.facts, &conf, ROLE_MOUNT, &msg, NOW, NOW, &slot),
		                 0);
		judge(NOW);
		expect(table[i].health, LEVEL_FAIL);
	}
}

/* Without reports of the keeper a right mount becomes unknown, and an absent mount still fails. */
static void a_silent_keeper(void **unused)
{
	(void)unused;
	conf.mount.enabled = true;
	known_identity(NOW + AGE + 1);
	say_mount(MOUNT_RIGHT, 10, NOW, "", NOW);
	judge(NOW + AGE + 1);
	expect(LEVEL_DEGRADED, LEVEL_FAIL);
	say_mount(MOUNT_ABSENT, 10, 0, "no route", NOW);
	judge(NOW + AGE + 1);
	expect(LEVEL_FAIL, LEVEL_FAIL);
}

/* No fact about database, AWS or a shared check makes /healthz 503. */
static void shared_states_never_turn_health(void **unused)
{
	(void)unused;
	conf.rds.enabled = conf.metrics.enabled = true;
	for (int64_t rds = -1; rds < RDS_STATE_MAX; rds++) {
		for (int64_t push = -1; push < PUSH_STATE_MAX; push++) {
			for (int64_t imds = -1; imds < IMDS_STATE_MAX; imds++) {
				bool well = rds == RDS_WRITABLE && imds == IMDS_OK &&
				            (push == PUSH_OK || push == PUSH_HELD ||
				             push == PUSH_STARTING || push == PUSH_OFF);

				memset(&state.facts, 0, sizeof state.facts);
				if (rds >= 0)
					say(FACT_RDS, rds, "because", NOW);
				if (push >= 0)
					say(FACT_PUSH, push, "because", NOW);
				if (imds >= 0)
					say(FACT_IMDS, imds, "because", NOW);
				if (imds == IMDS_OK)
					say(FACT_INSTANCE_ID, 1, "", NOW);
				judge(NOW);
				assert_int_equal(judge_code(verdict.health), 200);
				assert_int_equal(judge_code(verdict.ready), well ? 200 : 503);
				judge(NOW + AGE + 1);
				assert_int_equal(judge_code(verdict.health), 200);
				assert_int_equal(judge_code(verdict.ready), 503);
			}
		}
	}
}

static void identity_outlives_the_metadata_service(void **unused)
{
	(void)unused;
	known_identity(NOW);
	say(FACT_IMDS, IMDS_SILENT, "hop limit or route", NOW);
	judge(NOW);
	expect(LEVEL_OK, LEVEL_OK);
	assert_string_equal(verdict.job[JOB_IDENTITY].why, "hop limit or route");
	say(FACT_INSTANCE_ID, 0, "", NOW);
	judge(NOW);
	expect(LEVEL_DEGRADED, LEVEL_FAIL);
}

/* A launch hook is not completed by an assumption. */
static void an_assumed_check_is_not_well(void **unused)
{
	const unsigned checks = 1 << JOB_CHECKS;

	(void)unused;
	judge(START);
	assert_int_equal(verdict.well & checks, checks); /* off */
	one_check(SCOPE_LOCAL, INITIAL_GOOD);
	judge(START);
	assert_int_equal(verdict.job[JOB_CHECKS].level, LEVEL_OK);
	assert_int_equal(verdict.well & checks, 0);
	say(FACT_CHECK, CHECK_UNDECIDED, "refused", START + 1);
	judge(START + 1);
	assert_int_equal(verdict.job[JOB_CHECKS].level, LEVEL_OK);
	assert_int_equal(verdict.well & checks, 0);
	say(FACT_CHECK, CHECK_GOOD, "", START + 2);
	judge(START + 2);
	assert_int_equal(verdict.well & checks, checks);
}

/* Before until_ms the verdict does not change by age: one timer is enough. */
static void nothing_changes_before_until(void **unused)
{
	int64_t now_ms = START;
	unsigned steps = 0;

	(void)unused;
	one_check(SCOPE_LOCAL, INITIAL_GOOD);
	conf.mount.enabled = conf.rds.enabled = conf.metrics.enabled = true;
	known_identity(START + 100);
	say(FACT_RDS, RDS_WRITABLE, "", START + 2000);
	say(FACT_PUSH, PUSH_OK, "", START + 300);
	say_mount(MOUNT_RIGHT, 10, START + 1400, "", START + 1400);
	while (now_ms < INT64_MAX) {
		struct verdict early;
		int64_t until_ms;

		judge(now_ms);
		until_ms = verdict.until_ms;
		assert_true(until_ms > now_ms);
		for (int64_t t = now_ms; t < until_ms && t < now_ms + 2 * AGE; t += 37) {
			judge_verdict(&state, t, &early);
			assert_int_equal(early.health, verdict.health);
			assert_int_equal(early.ready, verdict.ready);
			for (int i = 0; i < JOB_MAX; i++)
				assert_int_equal(early.job[i].level, verdict.job[i].level);
		}
		now_ms = until_ms;
		steps++;
	}
	/* Identity, push, database, check, mount: all have aged. */
	assert_true(steps >= 5 && steps < 20);
	expect(LEVEL_FAIL, LEVEL_FAIL);
}

static void the_worst_is_told(void **unused)
{
	(void)unused;
	one_check(SCOPE_LOCAL, INITIAL_BAD);
	conf.rds.enabled = true;
	snprintf(conf.rds.endpoint, sizeof conf.rds.endpoint, "db.example");
	say(FACT_RDS, RDS_DOWN, "refused", NOW);
	judge(START);
	assert_string_equal(verdict.why, "checks: web: no result yet");
	say(FACT_CHECK, CHECK_GOOD, "", NOW);
	judge(NOW);
	assert_string_equal(verdict.why, "database: db.example: refused");
}

static void say_rds(int64_t value, int64_t retry_ms, int64_t trouble)
{
	struct msg msg = { .type = HUB_FACT, .id = FACT_RDS, .value = value };
	unsigned slot;

	msg.more[RETRY_AT_MS] = retry_ms;
	msg.more[RETRY_TROUBLE] = trouble;
	snprintf(msg.text, sizeof msg.text, "10.0.0.1");
	assert_int_equal(facts_take(&state.facts, &conf, ROLE_RDS, &msg, NOW, NOW, &slot), 0);
}

/* The next step is the finder's own, and no figure of before stands beside a failure. */
static void what_comes_next(void **unused)
{
	const struct finding *job = &verdict.job[JOB_DATABASE];

	(void)unused;
	known_identity(NOW);
	conf.rds.enabled = true;
	conf.rds.interval_ms = 1000;
	say(FACT_RDS_RTT, 400, "", NOW);
	say_rds(RDS_WRITABLE, 0, TROUBLE_NONE);
	judge(NOW);
	assert_string_equal(job->what, "10.0.0.1 writable, answers in 0.4 ms");
	assert_string_equal(job->next, "asks every 1.0 s");
	say_rds(RDS_DOWN, NOW + 27000, TROUBLE_DENIED);
	judge(NOW);
	assert_string_equal(job->what, "");
	assert_string_equal(job->next, "tries again in 27 s or at a reload");
	assert_int_equal(job->reason, REASON_DB_LOGIN);
	say_rds(RDS_NO_NAME, NOW + 1000, TROUBLE_DENIED);
	judge(NOW);
	assert_string_equal(job->next, "asks for the name again in 1.0 s or at a reload");
	assert_int_equal(job->reason, REASON_DB_NAME);
	for (int64_t odd = TROUBLE_MAX; odd > -3; odd--) {
		say_rds(RDS_DOWN, INT64_MIN, odd);
		judge(NOW);
	}
}

/* What has never been heard is a matter of the process, if that is away. */
static void a_process_that_is_away(void **unused)
{
	(void)unused;
	one_check(SCOPE_LOCAL, INITIAL_BAD);
	conf.rds.enabled = conf.mount.enabled = true;
	judge(START);
	assert_int_equal(verdict.check[0].reason, REASON_PROCESS_DOWN);
	for (int job = 0; job < JOB_METRICS; job++)
		assert_int_equal(verdict.job[job].reason, REASON_PROCESS_DOWN);
	assert_string_equal(verdict.job[JOB_DATABASE].next, "waits for wna-rds");
	assert_string_equal(verdict.job[JOB_MOUNT].next, "waits for wna-mount");
	for (int role = 0; role < ROLE_MAX; role++)
		state.link[role].up = true;
	judge(START);
	assert_int_equal(verdict.job[JOB_DATABASE].reason, REASON_STARTING);
	assert_int_equal(verdict.job[JOB_MOUNT].reason, REASON_MOUNT_STARTING);
	assert_int_equal(verdict.check[0].reason, REASON_CHECK_STARTING);
}

/* What was asked stands before what came of it. */
static void a_check_names_its_target(void **unused)
{
	struct conf_check *check = &conf.checks.item[0];

	(void)unused;
	known_identity(NOW);
	one_check(SCOPE_LOCAL, INITIAL_BAD);
	snprintf(check->url, sizeof check->url, "http://127.0.0.1/health.html");
	say(FACT_CHECK, CHECK_BAD, "404, wanted 200-299", NOW);
	judge(NOW);
	assert_string_equal(verdict.why, "checks: web: GET http://127.0.0.1/health.html -> 404, "
	                                 "wanted 200-299");
	assert_string_equal(verdict.check[0].what, "GET http://127.0.0.1/health.html");
	check->type = CHECK_TCP;
	net_addr_parse("127.0.0.1", &check->address.addr);
	check->address.port = 81;
	judge(NOW);
	assert_string_equal(verdict.check[0].what, "TCP 127.0.0.1:81");
	/* The longest URL is cut; what came of it is not. */
	check->type = CHECK_HTTP;
	memset(check->url, 'u', sizeof check->url - 1);
	judge(NOW);
	assert_non_null(strstr(verdict.why, "u... -> 404, wanted 200-299"));
	check->type = CHECK_TYPE_MAX;
	judge(NOW);
	assert_string_equal(verdict.check[0].what, "");
}

/* Held back, the node will need credentials; a queue in memory is shown, and is no failure. */
static void metrics_that_wait(void **unused)
{
	const struct finding *job = &verdict.job[JOB_METRICS];

	(void)unused;
	known_identity(NOW);
	conf.metrics.enabled = true;
	say(FACT_PUSH, PUSH_HELD, "the target state is Standby", NOW);
	judge(NOW);
	assert_int_equal(job->level, LEVEL_OK);
	say(FACT_CREDENTIALS, CRED_NONE, "no role", NOW);
	judge(NOW);
	assert_int_equal(job->level, LEVEL_WAITING);
	assert_string_equal(job->why, "no credentials: no role");
	expect(LEVEL_OK, LEVEL_OK);
	say(FACT_PUSH, PUSH_OK, "", NOW);
	say(FACT_PUSH_QUEUED, 12, "in memory: disk full", NOW);
	judge(NOW);
	assert_int_equal(job->level, LEVEL_OK);
	assert_string_equal(job->why, "12 queued in memory: disk full");
	assert_int_equal(job->reason, REASON_PUSH_DISK);
}

static void every_reason_has_its_texts(void **unused)
{
	(void)unused;
	for (int i = REASON_NONE + 1; i < REASON_MAX; i++) {
		const struct reason_info *info = reason_info(i);

		assert_string_not_equal(info->name, "");
		assert_string_not_equal(info->meaning, "");
		assert_string_not_equal(info->todo, "");
		assert_null(strpbrk(info->name, " |"));
		for (int j = REASON_NONE; j < i; j++)
			assert_string_not_equal(info->name, reason_info(j)->name);
	}
	assert_string_equal(reason_info(REASON_MAX)->todo, "");
	assert_string_equal(reason_info(-1)->todo, "");
}

static void a_drain(void **unused)
{
	struct msg life = { .type = HUB_FACT, .id = FACT_LIFECYCLE, .value = LIFE_DRAINING };
	unsigned slot;

	(void)unused;
	one_check(SCOPE_LOCAL, INITIAL_BAD);
	known_identity(NOW);
	say(FACT_CHECK, CHECK_GOOD, "", NOW);
	life.more[LIFE_CAUSE] = LIFE_ORDERED;
	snprintf(life.why, sizeof life.why, "ordered by wnactl drain");
	assert_int_equal(facts_take(&state.facts, &conf, ROLE_CLOUD, &life, NOW, NOW, &slot), 0);
	judge(NOW);
	expect(LEVEL_DRAINING, LEVEL_DRAINING);
	assert_int_equal(judge_code(verdict.health), 503);
	assert_string_equal(verdict.why, "lifecycle: ordered by wnactl drain");
	/* The jobs are shown as they are, whatever the drain. */
	assert_int_equal(verdict.well, (1 << JOB_MAX) - 1);
	/* The fact does not grow old: a drain outlives a wna-cloud that is away. */
	known_identity(NOW + 1000 * AGE);
	judge(NOW + 1000 * AGE);
	expect(LEVEL_DRAINING, LEVEL_DRAINING);
	assert_int_equal(verdict.well, ((1 << JOB_MAX) - 1) & ~(1 << JOB_CHECKS));
	/* The group's own Standby is no failure. */
	life.more[LIFE_CAUSE] = LIFE_SERVES;
	life.value = LIFE_DRAINED;
	assert_int_equal(facts_take(&state.facts, &conf, ROLE_CLOUD, &life, NOW, NOW, &slot), 0);
	known_identity(NOW);
	judge(NOW);
	expect(LEVEL_OK, LEVEL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_but_identity, setup),
		cmocka_unit_test_setup(every_state_of_a_check, setup),
		cmocka_unit_test_setup(every_state_of_the_mount, setup),
		cmocka_unit_test_setup(a_silent_mount, setup),
		cmocka_unit_test_setup(a_dead_proxy, setup),
		cmocka_unit_test_setup(a_silent_keeper, setup),
		cmocka_unit_test_setup(shared_states_never_turn_health, setup),
		cmocka_unit_test_setup(identity_outlives_the_metadata_service, setup),
		cmocka_unit_test_setup(an_assumed_check_is_not_well, setup),
		cmocka_unit_test_setup(nothing_changes_before_until, setup),
		cmocka_unit_test_setup(the_worst_is_told, setup),
		cmocka_unit_test_setup(what_comes_next, setup),
		cmocka_unit_test_setup(a_process_that_is_away, setup),
		cmocka_unit_test_setup(a_check_names_its_target, setup),
		cmocka_unit_test_setup(metrics_that_wait, setup),
		cmocka_unit_test_setup(every_reason_has_its_texts, setup),
		cmocka_unit_test_setup(a_drain, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
