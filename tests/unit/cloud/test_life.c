/* The lifecycle, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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
	conf = (struct conf_life){ .web_port = 80,
		                   .drain_delay_ms = 5 * MINUTE,
		                   .drain_quiet_ms = 30 * SECOND };
	memset(&life, 0, sizeof life);
	seen = (struct life_seen){ .target_state = "InService", .connections = -1 };
	now_ms = 100 * SECOND;
	return 0;
}

static void decide(enum life_state state, int64_t after_ms)
{
	now_ms += after_ms;
	life_decide(&life, &conf, &seen, now_ms);
	assert_string_equal(life_state_name(life.state), life_state_name(state));
}

static void in_service(void)
{
	seen.heard = true;
	seen.well = LIFE_JOBS;
	decide(LIFE_IN_SERVICE, 0);
}

static void order(void)
{
	seen.ordered = true;
}

static void a_start(void **state)
{
	(void)state;
	decide(LIFE_STARTING, 0);
	seen.heard = true;
	seen.well = 1 << JOB_CHECKS;
	decide(LIFE_WARMING, SECOND);
	assert_string_equal(life.why, "not well yet: mount, database");
	/* Neither metrics nor identity are needed, nor a group. */
	seen.target_state = NULL;
	seen.well = LIFE_JOBS;
	decide(LIFE_IN_SERVICE, SECOND);
	assert_int_equal(life.cause, LIFE_SERVES);
	/* A later failure is no new start. */
	seen.well = 0;
	decide(LIFE_IN_SERVICE, SECOND);
}

static void a_warm_pool_and_standby(void **state)
{
	(void)state;
	seen.target_state = "Warmed:Stopped";
	seen.heard = true;
	seen.well = LIFE_JOBS;
	decide(LIFE_WARMING, 0);
	assert_string_equal(life.why, "target state Warmed:Stopped");
	seen.target_state = "InService";
	decide(LIFE_IN_SERVICE, SECOND);
	seen.target_state = "Standby";
	decide(LIFE_DRAINED, SECOND);
	/* The group has taken the node out: the answers to health checks stay. */
	assert_int_equal(life.cause, LIFE_SERVES);
	seen.target_state = "InService";
	decide(LIFE_IN_SERVICE, SECOND);
	seen.target_state = "Terminated";
	decide(LIFE_GONE, SECOND);
	assert_int_equal(life.cause, LIFE_SERVES);
}

static void a_drain_ends_without_connections(void **state)
{
	(void)state;
	in_service();
	order();
	seen.connections = 3;
	decide(LIFE_DRAINING, 0);
	assert_int_equal(life.cause, LIFE_ORDERED);
	assert_string_equal(life.why, "ordered by wnactl drain");
	assert_non_null(strstr(life.next, "clients connected: 3; drained in 5 min 0 s at"));
	/* A quiet moment: the load balancer may not have seen the 503 yet. */
	seen.connections = 0;
	decide(LIFE_DRAINING, 29 * SECOND);
	seen.connections = 1;
	decide(LIFE_DRAINING, 500);
	seen.connections = 0;
	decide(LIFE_DRAINING, 29 * SECOND);
	decide(LIFE_DRAINED, SECOND);
	assert_string_equal(life.next, "clients still connected: 0; wnactl undrain ends it");
	/* A late client changes nothing; only the order's end does. */
	seen.connections = 1;
	decide(LIFE_DRAINED, MINUTE);
	assert_int_equal(life.cause, LIFE_ORDERED);
	seen.ordered = false;
	decide(LIFE_IN_SERVICE, SECOND);
	assert_int_equal(life.cause, LIFE_SERVES);
	assert_string_equal(life.why, "");
}

static void a_drain_ends_with_its_delay(void **state)
{
	(void)state;
	in_service();
	order();
	seen.connections = 2;
	decide(LIFE_DRAINING, 0);
	decide(LIFE_DRAINING, 5 * MINUTE - 1);
	decide(LIFE_DRAINED, 1);
	assert_non_null(strstr(life.next, "clients still connected: 2"));
}

static void connections_cannot_be_counted(void **state)
{
	(void)state;
	in_service();
	order();
	decide(LIFE_DRAINING, 0);
	decide(LIFE_DRAINING, 4 * MINUTE);
	assert_string_equal(life.next, "connections cannot be counted: drained in 1 min 0 s");
	decide(LIFE_DRAINED, MINUTE);
}

/* From its file, before anything else is known; its time went on meanwhile. */
static void a_restart_while_draining(void **state)
{
	(void)state;
	seen.target_state = NULL;
	seen.ordered = true;
	life.drain_ms = now_ms - 4 * MINUTE;
	decide(LIFE_DRAINING, 0);
	assert_int_equal(life.cause, LIFE_ORDERED);
	decide(LIFE_DRAINED, MINUTE);
}

/* Its two minutes are less than the delay, and an undrain does not end it. */
static void a_spot_notice(void **state)
{
	(void)state;
	in_service();
	seen.rebalance = "noticed at 2026-11-30T08:20:00Z";
	decide(LIFE_IN_SERVICE, SECOND);
	assert_string_equal(life.why,
	                    "EC2 recommends a rebalance, noticed at 2026-11-30T08:20:00Z");
	seen.spot_action = "terminate at 2026-11-30T08:22:00Z";
	seen.connections = 1;
	decide(LIFE_DRAINING, SECOND);
	assert_int_equal(life.cause, LIFE_SPOT);
	assert_string_equal(life.why, "spot notice: terminate at 2026-11-30T08:22:00Z");
	decide(LIFE_DRAINING, LIFE_SPOT_MS - 1);
	decide(LIFE_DRAINED, 1);
	assert_string_equal(life.next, "clients still connected: 1");
	/* A hibernated instance goes on without it. */
	seen.spot_action = "";
	decide(LIFE_IN_SERVICE, MINUTE);
	/* Noticed while the node drains already. */
	order();
	decide(LIFE_DRAINING, 0);
	seen.spot_action = "stop at 2026-11-30T08:22:00Z";
	decide(LIFE_DRAINING, SECOND);
	assert_string_equal(life.why, "spot notice: stop at 2026-11-30T08:22:00Z");
	seen.spot_action = "";
	decide(LIFE_DRAINING, SECOND);
	assert_string_equal(life.why, "ordered by wnactl drain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_start, setup),
		cmocka_unit_test_setup(a_warm_pool_and_standby, setup),
		cmocka_unit_test_setup(a_drain_ends_without_connections, setup),
		cmocka_unit_test_setup(a_drain_ends_with_its_delay, setup),
		cmocka_unit_test_setup(connections_cannot_be_counted, setup),
		cmocka_unit_test_setup(a_restart_while_draining, setup),
		cmocka_unit_test_setup(a_spot_notice, setup),
	};

	return cmocka_run_group_tests_name("cloud/life", tests, NULL, NULL);
}
