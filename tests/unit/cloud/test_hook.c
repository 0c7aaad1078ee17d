/* When lifecycle hooks are completed, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cloud_life.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static struct conf_life conf;
static struct life life;
static struct life_seen seen;
static int64_t now_ms;

static int setup(void **state)
{
	(void)state;
	conf = (struct conf_life){ .launch_hook = "launch",
		                   .terminate_hook = "end",
		                   .launch_deadline_ms = 10 * MINUTE,
		                   .drain_delay_ms = 5 * MINUTE };
	memset(&life, 0, sizeof life);
	seen = (struct life_seen){ .target_state = "InService", .heard = true, .cannot = "" };
	seen.connections = -1;
	now_ms = 100 * SECOND;
	return 0;
}

/* One turn: the call that is due, and the state. */
static void turn(int64_t after_ms, enum life_call call, enum life_state state)
{
	now_ms += after_ms;
	hook_begin(&life.hook, seen.target_state, now_ms);
	assert_int_equal(hook_due(&life.hook, &conf, &seen, now_ms), call);
	life_decide(&life, &conf, &seen, now_ms);
	assert_string_equal(life_state_name(life.state), life_state_name(state));
}

static void answer(enum life_call call, enum cwatch_verdict verdict, const char *why)
{
	struct cwatch_answer answer = { .verdict = verdict };

	snprintf(answer.why, sizeof answer.why, "%s", why);
	snprintf(answer.code, sizeof answer.code, "%s",
	         verdict == CWATCH_DENIED ? "AccessDenied" : "");
	hook_answer(&life.hook, call, &answer, now_ms);
}

static void a_launch(void **state)
{
	(void)state;
	seen.target_state = NULL;
	turn(0, HOOK_NO_CALL, LIFE_STARTING);
	seen.target_state = "InService";
	turn(SECOND, HOOK_NO_CALL, LIFE_WARMING);
	turn(19 * SECOND, HOOK_NO_CALL, LIFE_WARMING);
	turn(SECOND, HOOK_HEARTBEAT, LIFE_WARMING);
	answer(HOOK_HEARTBEAT, CWATCH_ACCEPTED, "");
	turn(19 * SECOND, HOOK_NO_CALL, LIFE_WARMING);
	turn(SECOND, HOOK_HEARTBEAT, LIFE_WARMING);
	answer(HOOK_HEARTBEAT, CWATCH_ACCEPTED, "");
	/* At once when it is well, whatever the heartbeat. */
	seen.well = LIFE_JOBS;
	turn(SECOND, HOOK_CONTINUE, LIFE_WARMING);
	assert_string_equal(life.next, "completes hook launch");
	answer(HOOK_CONTINUE, CWATCH_RETRY, "HTTP 503");
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	assert_string_equal(life.why, "HTTP 503");
	turn(2 * SECOND, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
	turn(60 * MINUTE, HOOK_NO_CALL, LIFE_IN_SERVICE);
}

static void a_launch_that_is_abandoned(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS & ~(1 << JOB_DATABASE);
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	for (int i = 0; i < 29; i++) {
		turn(20 * SECOND, HOOK_HEARTBEAT, LIFE_WARMING);
		answer(HOOK_HEARTBEAT, CWATCH_ACCEPTED, "");
	}
	turn(20 * SECOND, HOOK_ABANDON, LIFE_WARMING);
	answer(HOOK_ABANDON, CWATCH_ACCEPTED, "");
	turn(0, HOOK_NO_CALL, LIFE_GONE);
	assert_string_equal(life.why, "launch abandoned, not well after 10 min 0 s: database");
}

/* A node without a hook, or one that has been in service since before a reboot: it goes on. */
static void no_active_action(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS;
	turn(0, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active Lifecycle Action");
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
	assert_true(life.hook.idle); /* no warning */
	/* The group's hook may have come later than the agent. */
	for (int i = 0; i < 7; i++) {
		turn(15 * SECOND, HOOK_CONTINUE, LIFE_IN_SERVICE);
		answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active");
	}
	turn(15 * SECOND, HOOK_CONTINUE, LIFE_IN_SERVICE);
	answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active");
	turn(60 * MINUTE, HOOK_NO_CALL, LIFE_IN_SERVICE);
	assert_string_equal(life.why, "");
}

/* A reboot in service while the database is away: nothing is abandoned. */
static void no_active_action_for_heartbeats(void **state)
{
	(void)state;
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	for (int i = 0; i < 8; i++) {
		turn(i == 0 ? 20 * SECOND : 15 * SECOND, HOOK_HEARTBEAT, LIFE_WARMING);
		answer(HOOK_HEARTBEAT, CWATCH_BAD_DATUM, "ValidationError: No active");
	}
	turn(60 * MINUTE, HOOK_NO_CALL, LIFE_WARMING);
	seen.well = LIFE_JOBS;
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
}

static void a_missing_right(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS;
	turn(0, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_DENIED, "AccessDenied: User ... is not authorized");
	assert_false(life.hook.idle);
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
	assert_string_equal(life.why, "the instance's role must not do "
	                              "autoscaling:CompleteLifecycleAction (AccessDenied)");
	/* A new role's rights come late. */
	turn(MINUTE, HOOK_CONTINUE, LIFE_IN_SERVICE);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(MINUTE, HOOK_NO_CALL, LIFE_IN_SERVICE);
	assert_string_equal(life.why, "");
}

static void a_right_that_never_comes(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS;
	for (int i = 0; i < 10; i++) {
		turn(i == 0 ? 0 : MINUTE, HOOK_CONTINUE, i == 0 ? LIFE_WARMING : LIFE_IN_SERVICE);
		answer(HOOK_CONTINUE, CWATCH_DENIED, "");
	}
	turn(MINUTE, HOOK_NO_CALL, LIFE_IN_SERVICE);
	turn(60 * MINUTE, HOOK_NO_CALL, LIFE_IN_SERVICE);
}

static void no_credentials(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS;
	seen.cannot = "there are no credentials";
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	assert_string_equal(life.why, "there are no credentials");
	turn(10 * MINUTE - 1, HOOK_NO_CALL, LIFE_WARMING);
	turn(1, HOOK_NO_CALL, LIFE_IN_SERVICE);
}

static void an_answer_that_never_comes(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS;
	turn(0, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_RETRY, "timed out");
	turn(10 * MINUTE, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_RETRY, "timed out");
	turn(2 * MINUTE - 1, HOOK_CONTINUE, LIFE_WARMING);
	turn(1, HOOK_NO_CALL, LIFE_IN_SERVICE);
	turn(60 * MINUTE, HOOK_NO_CALL, LIFE_IN_SERVICE);
}

static void a_heartbeat_that_fails(void **state)
{
	(void)state;
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	turn(20 * SECOND, HOOK_HEARTBEAT, LIFE_WARMING);
	answer(HOOK_HEARTBEAT, CWATCH_RETRY, "timed out");
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	turn(2 * SECOND, HOOK_HEARTBEAT, LIFE_WARMING);
	answer(HOOK_HEARTBEAT, CWATCH_RETRY, "timed out");
	seen.well = LIFE_JOBS;
	turn(0, HOOK_CONTINUE, LIFE_WARMING);
}

static void a_warm_pool(void **state)
{
	(void)state;
	seen.target_state = "Warmed:Stopped";
	seen.well = LIFE_JOBS;
	turn(0, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(SECOND, HOOK_NO_CALL, LIFE_WARMING);
	assert_string_equal(life.why, "target state Warmed:Stopped");
	seen.target_state = "InService";
	turn(MINUTE, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
}

/* By the group's instance reuse policy, as the scale-in that it is. */
static void a_return_to_the_warm_pool(void **state)
{
	(void)state;
	seen.well = LIFE_JOBS;
	turn(0, HOOK_CONTINUE, LIFE_WARMING);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
	seen.target_state = "Warmed:Stopped";
	seen.unsent = 1;
	turn(MINUTE, HOOK_NO_CALL, LIFE_DRAINED);
	assert_string_equal(hook_name(&life.hook, &conf), "end");
	assert_string_equal(life.why, "target state Warmed:Stopped");
	assert_string_equal(life.next, "sends the metrics, completes hook end");
	seen.unsent = 0;
	turn(SECOND, HOOK_CONTINUE, LIFE_DRAINED);
	answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active");
	turn(15 * SECOND, HOOK_CONTINUE, LIFE_DRAINED);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(0, HOOK_NO_CALL, LIFE_WARMING);
	assert_string_equal(life.next, "in service when the group wants the instance");
	/* Awake again, without a boot: it is not well from before. */
	seen.target_state = "InService";
	seen.well = 0;
	turn(MINUTE, HOOK_NO_CALL, LIFE_WARMING);
	assert_string_equal(hook_name(&life.hook, &conf), "launch");
	seen.well = LIFE_JOBS;
	turn(SECOND, HOOK_CONTINUE, LIFE_WARMING);
}

/* The target state may show it long before the hook waits. */
static void an_end(void **state)
{
	(void)state;
	conf.launch_hook[0] = '\0';
	seen.well = LIFE_JOBS;
	turn(0, HOOK_NO_CALL, LIFE_IN_SERVICE);
	seen.target_state = "Terminated";
	seen.unsent = 2;
	turn(MINUTE, HOOK_NO_CALL, LIFE_DRAINED);
	assert_string_equal(life.next, "sends the metrics, completes hook end");
	seen.unsent = 0;
	turn(SECOND, HOOK_CONTINUE, LIFE_DRAINED);
	answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active Lifecycle Action");
	for (int i = 0; i < 20; i++) {
		turn(15 * SECOND, HOOK_CONTINUE, LIFE_DRAINED);
		answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active");
	}
	turn(15 * SECOND, HOOK_CONTINUE, LIFE_DRAINED);
	answer(HOOK_CONTINUE, CWATCH_ACCEPTED, "");
	turn(0, HOOK_NO_CALL, LIFE_GONE);
}

/* As with a wrong name in a warm pool whose instances run on. */
static void an_end_without_a_hook(void **state)
{
	(void)state;
	seen.target_state = "Terminated";
	turn(0, HOOK_CONTINUE, LIFE_DRAINED);
	answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active");
	turn(65 * MINUTE, HOOK_CONTINUE, LIFE_DRAINED);
	answer(HOOK_CONTINUE, CWATCH_BAD_DATUM, "ValidationError: No active");
	turn(15 * SECOND, HOOK_NO_CALL, LIFE_GONE);
}

/* CloudWatch is away: the metrics are given up, not the hook. */
static void an_end_without_cloudwatch(void **state)
{
	(void)state;
	seen.target_state = "Terminated";
	seen.unsent = 2;
	turn(0, HOOK_NO_CALL, LIFE_DRAINED);
	turn(HOOK_FLUSH_MS, HOOK_CONTINUE, LIFE_DRAINED);
}

static void a_request(void **state)
{
	char text[512];
	struct sb sb;

	(void)state;
	sb_init(&sb, text, sizeof text);
	hook_body(&sb, HOOK_CONTINUE, "launch", "web/a b&", "i-1");
	assert_string_equal(text, "Action=CompleteLifecycleAction&Version=2011-01-01"
	                          "&LifecycleHookName=launch&AutoScalingGroupName=web%2Fa%20b%26"
	                          "&InstanceId=i-1&LifecycleActionResult=CONTINUE");
	sb_init(&sb, text, sizeof text);
	hook_body(&sb, HOOK_HEARTBEAT, "launch", "web", "i-1");
	assert_string_equal(text, "Action=RecordLifecycleActionHeartbeat&Version=2011-01-01"
	                          "&LifecycleHookName=launch&AutoScalingGroupName=web"
	                          "&InstanceId=i-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_launch, setup),
		cmocka_unit_test_setup(a_launch_that_is_abandoned, setup),
		cmocka_unit_test_setup(no_active_action, setup),
		cmocka_unit_test_setup(no_active_action_for_heartbeats, setup),
		cmocka_unit_test_setup(a_missing_right, setup),
		cmocka_unit_test_setup(a_right_that_never_comes, setup),
		cmocka_unit_test_setup(no_credentials, setup),
		cmocka_unit_test_setup(an_answer_that_never_comes, setup),
		cmocka_unit_test_setup(a_heartbeat_that_fails, setup),
		cmocka_unit_test_setup(a_warm_pool, setup),
		cmocka_unit_test_setup(a_return_to_the_warm_pool, setup),
		cmocka_unit_test_setup(an_end, setup),
		cmocka_unit_test_setup(an_end_without_a_hook, setup),
		cmocka_unit_test_setup(an_end_without_cloudwatch, setup),
		cmocka_unit_test_setup(a_request, setup),
	};

	return cmocka_run_group_tests_name("cloud/hook", tests, NULL, NULL);
}
