/* When wna-mount and wna-probe are ordered. The long stories are in tests/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy.h"

static struct conf conf;
static struct facts facts;
static struct policy policy;

static int setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof conf);
	conf.mount.enabled = true;
	conf.mount.retry_min_ms = 2000;
	conf.mount.retry_max_ms = 60000;
	conf.mount.probe_interval_ms = 5000;
	conf.mount.max_age_ms = 10000;
	facts_init(&facts);
	policy_init(&policy, 1);
	return 0;
}

static void say(enum fact_id id, unsigned slot, int64_t value, int64_t now_ms)
{
	struct envelope envelope = {
		.role = (uint16_t)fact_info((uint16_t)id)->owner,
		.msg = { .type = MSG_FACT,
		         .id = (uint16_t)id,
		         .slot = (uint16_t)slot,
		         .value = value },
	};

	assert_int_equal(facts_take(&facts, &conf, &envelope, now_ms, now_ms), 0);
}

static unsigned step(int64_t now_ms)
{
	return policy_step(&policy, &conf, &facts, now_ms);
}

static int64_t next(void)
{
	return policy_next_ms(&policy, &conf, &facts);
}

static void no_mount_no_orders(void **state)
{
	(void)state;
	conf.mount.enabled = false;
	assert_int_equal(step(0), 0);
	assert_int_equal(next(), INT64_MAX);
	conf.mount.enabled = true;
	assert_int_equal(step(0), POLICY_MOUNT);
}

static void backs_off_within_its_bounds(void **state)
{
	for (uint32_t seed = 1; seed < 200; seed++) {
		int64_t now_ms = 0, span_ms = 2000;

		setup(state);
		policy_init(&policy, seed * 2654435761u);
		assert_int_equal(step(now_ms), POLICY_MOUNT);
		for (int i = 0; i < 12; i++) {
			say(FACT_MOUNT, 0, MOUNT_MISSING, now_ms);
			assert_int_equal(step(now_ms), 0);
			assert_in_range(next() - now_ms, span_ms / 2, span_ms);
			assert_int_equal(step(next() - 1), 0);
			now_ms = next();
			assert_int_equal(step(now_ms), POLICY_MOUNT);
			span_ms = span_ms * 2 < 60000 ? span_ms * 2 : 60000;
		}
	}
}

static void never_two_at_once(void **state)
{
	(void)state;
	step(0);
	say(FACT_CHILD, ROLE_MOUNT, CHILD_RUNNING, 10);
	for (int child = CHILD_RUNNING; child <= CHILD_STUCK; child++) {
		say(FACT_CHILD, ROLE_MOUNT, child, 10);
		assert_int_equal(step(3600000), 0);
		assert_int_equal(next(), INT64_MAX);
	}
	/* Ended without a word: again, after a while. */
	say(FACT_CHILD, ROLE_MOUNT, CHILD_OFF, 3600000);
	assert_int_equal(step(3600000), 0);
	assert_int_equal(step(next()), POLICY_MOUNT);
}

static void one_that_runs_already_will_do(void **state)
{
	(void)state;
	say(FACT_CHILD, ROLE_MOUNT, CHILD_RUNNING, 0);
	assert_int_equal(step(0), 0);
	say(FACT_MOUNT, 0, MOUNT_RIGHT, 500);
	assert_int_equal(step(500), POLICY_PROBE);
}

static void a_lost_order_is_given_again(void **state)
{
	int64_t now_ms;

	(void)state;
	assert_int_equal(step(0), POLICY_MOUNT);
	now_ms = next();
	assert_in_range(now_ms, 1000, 30000);
	assert_int_equal(step(now_ms), 0);
	assert_int_equal(step(next()), POLICY_MOUNT);
}

static void probes_with_jitter_and_one_at_a_time(void **state)
{
	int64_t now_ms = 100;
	bool moved = false;

	(void)state;
	step(0);
	say(FACT_MOUNT, 0, MOUNT_RIGHT, now_ms);
	say(FACT_MOUNT_ID, 0, 57, now_ms);
	assert_int_equal(step(now_ms), POLICY_PROBE);
	for (int i = 0; i < 50; i++) {
		assert_in_range(next() - now_ms, 4500, 5500);
		moved |= next() - now_ms != 5000;
		now_ms = next();
		say(FACT_PROBE_ID, 0, 57, now_ms - 1);
		assert_int_equal(step(now_ms), POLICY_PROBE);
	}
	assert_true(moved);
	say(FACT_CHILD, ROLE_PROBE, CHILD_STUCK, now_ms);
	assert_int_equal(step(now_ms + 3600000), 0);
	assert_int_equal(next(), INT64_MAX);
	say(FACT_CHILD, ROLE_PROBE, CHILD_OFF, now_ms + 3600000);
	assert_int_equal(step(now_ms + 3600000), POLICY_PROBE);
}

static void a_lost_mount_is_ordered_at_once(void **state)
{
	(void)state;
	step(0);
	say(FACT_MOUNT, 0, MOUNT_RIGHT, 100);
	say(FACT_MOUNT_ID, 0, 57, 100);
	assert_int_equal(step(100), POLICY_PROBE);
	say(FACT_PROBE_ID, 0, 57, 200);
	assert_int_equal(step(200), 0);
	say(FACT_PROBE_ID, 0, 0, 300);
	assert_int_equal(step(300), POLICY_MOUNT);
	say(FACT_MOUNT, 0, MOUNT_RIGHT, 400);
	say(FACT_MOUNT_ID, 0, 58, 400);
	assert_int_equal(step(400), POLICY_PROBE);
	/* Not confirmed before it is lost again: now there is a wait. */
	say(FACT_PROBE_ID, 0, 0, 500);
	assert_int_equal(step(500), 0);
	assert_in_range(next() - 500, 1000, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_mount_no_orders, setup),
		cmocka_unit_test_setup(backs_off_within_its_bounds, setup),
		cmocka_unit_test_setup(never_two_at_once, setup),
		cmocka_unit_test_setup(one_that_runs_already_will_do, setup),
		cmocka_unit_test_setup(a_lost_order_is_given_again, setup),
		cmocka_unit_test_setup(probes_with_jitter_and_one_at_a_time, setup),
		cmocka_unit_test_setup(a_lost_mount_is_ordered_at_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
