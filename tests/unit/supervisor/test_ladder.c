/* The ladder in virtual time: every way up, every place where it may end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ladder.h"

enum { LIMIT = 5000, HALF_RANDOM = INT32_MAX };

static struct ladder ladder;
static int64_t now;

/* A child of each kind, running since now = 1000000. */
static void running(bool resident, bool late_kills)
{
	now = 1000000;
	ladder_init(&ladder, resident, late_kills, LIMIT);
	if (resident)
		ladder_want(&ladder, true, now);
	else
		assert_true(ladder_order(&ladder, LIMIT, now));
	assert_int_equal(ladder_tick(&ladder, now), LADDER_START);
	assert_int_equal(ladder_tick(&ladder, now), LADDER_WAIT);
	ladder_started(&ladder, now);
	assert_int_equal(ladder.state, CHILD_RUNNING);
}

/* Nothing is due up to one millisecond before `ms` have passed, then `act` is. */
static void after(int64_t ms, enum ladder_act act)
{
	assert_int_equal(ladder_next(&ladder), now + ms);
	assert_int_equal(ladder_tick(&ladder, now + ms - 1), LADDER_WAIT);
	now += ms;
	assert_int_equal(ladder_tick(&ladder, now), act);
}

static void gone(void)
{
	ladder_headless(&ladder, now);
	ladder_gone(&ladder, LADDER_END_ORDINARY, now, HALF_RANDOM);
}

static void one_shot_climbs_all_rungs(void **state)
{
	(void)state;
	running(false, false);
	after(LIMIT, LADDER_TERM);
	assert_int_equal(ladder.state, CHILD_TERM);
	after(LADDER_TERM_MS, LADDER_KILL);
	assert_int_equal(ladder.state, CHILD_KILL);
	after(LADDER_KILL_MS, LADDER_GAVE_UP);
	assert_int_equal(ladder.state, CHILD_STUCK);
	/* Nothing more is due, for ever; and there is no second one meanwhile. */
	assert_int_equal(ladder_next(&ladder), LADDER_NEVER);
	assert_int_equal(ladder_tick(&ladder, now + INT64_C(1) * 86400000), LADDER_WAIT);
	assert_false(ladder_order(&ladder, LIMIT, now));
	gone();
	assert_int_equal(ladder.state, CHILD_OFF);
	assert_true(ladder_order(&ladder, LIMIT, now));
}

static void late_one_may_be_killed_without_being_asked(void **state)
{
	(void)state;
	running(true, true);
	after(LIMIT, LADDER_KILL);
	after(LADDER_KILL_MS, LADDER_GAVE_UP);
	gone();
	assert_int_equal(ladder.state, CHILD_BACKOFF);
}

static void sign_of_life_defers_lateness(void **state)
{
	(void)state;
	running(true, true);
	for (int i = 0; i < 1000; i++) {
		now += LIMIT - 1;
		assert_int_equal(ladder_tick(&ladder, now), LADDER_WAIT);
		ladder_alive(&ladder, now);
	}
	after(LIMIT, LADDER_KILL);
	/* Too late: what it says now does not help it. */
	ladder_alive(&ladder, now);
	after(LADDER_KILL_MS, LADDER_GAVE_UP);
}

static void talking_does_not_prolong_a_one_shot(void **state)
{
	(void)state;
	running(false, false);
	now += LIMIT - 1;
	ladder_alive(&ladder, now);
	after(1, LADDER_TERM);
}

/* The end may come at any rung. `rung` is how many steps are taken before it. */
static void end_at_each_rung(void **state)
{
	static const enum child_state states[] = { CHILD_RUNNING, CHILD_TERM, CHILD_KILL,
		                                   CHILD_STUCK };

	(void)state;
	for (int resident = 0; resident < 2; resident++) {
		for (int rung = 0; rung < 4; rung++) {
			running(resident, false);
			for (int i = 0; i < rung; i++) {
				now = ladder_next(&ladder);
				ladder_tick(&ladder, now);
			}
			assert_int_equal(ladder.state, states[rung]);
			gone();
			assert_int_equal(ladder.state, resident ? CHILD_BACKOFF : CHILD_OFF);
			/* The first restart has no delay. */
			if (resident)
				after(0, LADDER_START);
		}
	}
}

/* The same with helpers that outlive the leader: the slot stays taken. */
static void group_may_outlive_its_leader_at_each_rung(void **state)
{
	(void)state;
	for (int rung = 0; rung < 3; rung++) {
		running(false, false);
		for (int i = 0; i < rung; i++) {
			now = ladder_next(&ladder);
			ladder_tick(&ladder, now);
		}
		ladder_headless(&ladder, now);
		assert_int_equal(ladder.state, CHILD_KILL);
		for (int i = 1; i * LADDER_LOOK_MS < LADDER_KILL_MS; i++)
			after(LADDER_LOOK_MS, LADDER_LOOK);
		assert_false(ladder_order(&ladder, LIMIT, now));
		after(LADDER_LOOK_MS, LADDER_GAVE_UP);
		assert_int_equal(ladder.state, CHILD_STUCK);
		assert_int_equal(ladder_tick(&ladder, now), LADDER_LOOK);
		/* Stuck: looked at for ever, less often. */
		after(LADDER_STUCK_LOOK_MS, LADDER_LOOK);
		after(LADDER_STUCK_LOOK_MS, LADDER_LOOK);
		ladder_gone(&ladder, LADDER_END_ORDINARY, now, 0);
		assert_int_equal(ladder.state, CHILD_OFF);
		assert_int_equal(ladder_next(&ladder), LADDER_NEVER);
	}
}

/* TERM has killed the leader; its helper is still at it, and has until KILL. */
static void group_that_was_asked_may_tidy_up(void **state)
{
	(void)state;
	running(false, false);
	assert_false(ladder_lingers(&ladder, now)); /* it ended by itself */
	after(LIMIT, LADDER_TERM);
	now += 50;
	assert_true(ladder_lingers(&ladder, now));
	for (int i = 1; i * LADDER_LOOK_MS < LADDER_TERM_MS - 50; i++) {
		after(LADDER_LOOK_MS, LADDER_LOOK);
		assert_int_equal(ladder.state, CHILD_TERM);
		assert_true(ladder_lingers(&ladder, now));
	}
	after(50, LADDER_KILL);
	assert_false(ladder_lingers(&ladder, now));
	gone();
	assert_int_equal(ladder.state, CHILD_OFF);
	assert_int_equal(ladder_next(&ladder), LADDER_NEVER);
	/* One that is done before its time is over. */
	running(false, false);
	after(LIMIT, LADDER_TERM);
	assert_true(ladder_lingers(&ladder, now));
	after(LADDER_LOOK_MS, LADDER_LOOK);
	gone();
	assert_int_equal(ladder.state, CHILD_OFF);
	assert_int_equal(ladder_next(&ladder), LADDER_NEVER);
}

static void stuck_leader_may_leave_a_group_behind(void **state)
{
	(void)state;
	running(false, false);
	after(LIMIT, LADDER_TERM);
	after(LADDER_TERM_MS, LADDER_KILL);
	after(LADDER_KILL_MS, LADDER_GAVE_UP);
	ladder_headless(&ladder, now);
	assert_int_equal(ladder.state, CHILD_STUCK);
	after(LADDER_LOOK_MS, LADDER_LOOK);
	ladder_gone(&ladder, LADDER_END_ORDINARY, now, 0);
	assert_int_equal(ladder.state, CHILD_OFF);
}

static void restarts_back_off(void **state)
{
	int64_t delay, cap = 0, expected = LADDER_BACKOFF_MS;

	(void)state;
	running(true, false);
	gone();
	after(0, LADDER_START);
	for (int i = 0; i < 20; i++) {
		ladder_started(&ladder, now);
		now += 10;
		gone();
		delay = ladder_next(&ladder) - now;
		/* Half fixed, half random. */
		assert_in_range(delay, expected / 2, expected);
		cap = delay > cap ? delay : cap;
		expected =
		        expected * 2 > LADDER_BACKOFF_CAP_MS ? LADDER_BACKOFF_CAP_MS : expected * 2;
		after(delay, LADDER_START);
	}
	assert_in_range(cap, LADDER_BACKOFF_CAP_MS / 2, LADDER_BACKOFF_CAP_MS);
	/* A minute of health forgets it. */
	ladder_started(&ladder, now);
	for (int64_t at = 0; at <= LADDER_HEALTHY_MS; at += 1000)
		ladder_alive(&ladder, now + at);
	now += LADDER_HEALTHY_MS;
	gone();
	after(0, LADDER_START);
}

static void hanging_for_a_minute_is_no_health(void **state)
{
	(void)state;
	running(true, true);
	gone();
	after(0, LADDER_START);
	ladder.limit_ms = 2 * LADDER_HEALTHY_MS;
	ladder_started(&ladder, now);
	after(2 * LADDER_HEALTHY_MS, LADDER_KILL);
	gone();
	assert_true(ladder_next(&ladder) > now);
}

static void reopening_waits_a_second_and_grows(void **state)
{
	int64_t last = 0;

	(void)state;
	running(true, false);
	for (int i = 0; i < 4; i++) {
		ladder_headless(&ladder, now);
		ladder_gone(&ladder, LADDER_END_REOPEN, now, 0);
		assert_true(ladder_next(&ladder) - now >= LADDER_REOPEN_MS);
		assert_true(ladder_next(&ladder) - now > last);
		last = ladder_next(&ladder) - now;
		after(last, LADDER_START);
		ladder_started(&ladder, now);
	}
}

static void one_that_cannot_start_backs_off_at_once(void **state)
{
	(void)state;
	now = 0;
	ladder_init(&ladder, true, false, LIMIT);
	ladder_want(&ladder, true, now);
	after(0, LADDER_START);
	ladder_not_started(&ladder, now, 0);
	assert_int_equal(ladder.state, CHILD_BACKOFF);
	assert_true(ladder_next(&ladder) > now);
	/* A one-shot that cannot start is over. */
	ladder_init(&ladder, false, false, LIMIT);
	assert_true(ladder_order(&ladder, LIMIT, now));
	after(0, LADDER_START);
	ladder_not_started(&ladder, now, 0);
	assert_int_equal(ladder.state, CHILD_OFF);
}

static void planned_restart_has_no_delay(void **state)
{
	(void)state;
	running(true, true);
	ladder_restart(&ladder, now);
	/* Asked, although a late one of its kind would not be. */
	after(0, LADDER_TERM);
	now += 100;
	gone();
	assert_int_equal(ladder.attempt, 0);
	after(0, LADDER_START);
	ladder_started(&ladder, now);
	/* In back-off it comes at once. */
	gone();
	after(0, LADDER_START);
	ladder_not_started(&ladder, now, 0);
	assert_true(ladder_next(&ladder) > now);
	ladder_restart(&ladder, now);
	after(0, LADDER_START);
}

static void restart_asked_of_a_late_one_holds(void **state)
{
	(void)state;
	running(true, false);
	after(LIMIT, LADDER_TERM);
	ladder_restart(&ladder, now);
	after(LADDER_TERM_MS, LADDER_KILL);
	gone();
	after(0, LADDER_START);
}

static void draining_ends_by_the_ladder(void **state)
{
	(void)state;
	running(true, true);
	ladder_leave(&ladder, 3000, now);
	/* It says nothing any more, and may. A later wish cannot prolong it. */
	now += 1000;
	ladder_alive(&ladder, now);
	ladder_leave(&ladder, 3000, now);
	after(2000, LADDER_TERM);
	after(LADDER_TERM_MS, LADDER_KILL);
	gone();
	assert_int_equal(ladder.state, CHILD_OFF);
}

static void wish_taken_back_in_each_state(void **state)
{
	(void)state;
	for (int rung = 0; rung < 4; rung++) {
		running(true, false);
		for (int i = 0; i < rung; i++) {
			now = ladder_next(&ladder);
			ladder_tick(&ladder, now);
		}
		ladder_want(&ladder, false, now);
		if (rung == 0)
			after(0, LADDER_TERM);
		gone();
		assert_int_equal(ladder.state, CHILD_OFF);
		assert_int_equal(ladder_next(&ladder), LADDER_NEVER);
	}
	running(true, false);
	gone();
	ladder_want(&ladder, false, now);
	assert_int_equal(ladder.state, CHILD_OFF);
}

static void wanted_again_while_it_leaves(void **state)
{
	(void)state;
	running(true, false);
	ladder_want(&ladder, false, now);
	after(0, LADDER_TERM);
	ladder_want(&ladder, true, now);
	gone();
	after(0, LADDER_START);
}

static void broken_contract_is_lateness(void **state)
{
	(void)state;
	running(true, true);
	ladder_fail(&ladder, now + 2000);
	after(2000, LADDER_KILL);
	/* Only ever sooner. */
	running(true, true);
	ladder_fail(&ladder, now + LIMIT + 1);
	after(LIMIT, LADDER_KILL);
}

static void our_own_lateness_excuses(void **state)
{
	(void)state;
	running(true, true);
	now += 20000;
	ladder_excuse(&ladder, 20000);
	assert_int_equal(ladder_tick(&ladder, now), LADDER_WAIT);
	after(LIMIT, LADDER_KILL);
	/* Nothing to excuse where nobody is. */
	gone();
	after(0, LADDER_START);
	ladder_excuse(&ladder, 1000);
	assert_int_equal(ladder_next(&ladder), LADDER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_shot_climbs_all_rungs),
		cmocka_unit_test(late_one_may_be_killed_without_being_asked),
		cmocka_unit_test(sign_of_life_defers_lateness),
		cmocka_unit_test(talking_does_not_prolong_a_one_shot),
		cmocka_unit_test(end_at_each_rung),
		cmocka_unit_test(group_may_outlive_its_leader_at_each_rung),
		cmocka_unit_test(group_that_was_asked_may_tidy_up),
		cmocka_unit_test(stuck_leader_may_leave_a_group_behind),
		cmocka_unit_test(restarts_back_off),
		cmocka_unit_test(hanging_for_a_minute_is_no_health),
		cmocka_unit_test(reopening_waits_a_second_and_grows),
		cmocka_unit_test(one_that_cannot_start_backs_off_at_once),
		cmocka_unit_test(planned_restart_has_no_delay),
		cmocka_unit_test(restart_asked_of_a_late_one_holds),
		cmocka_unit_test(draining_ends_by_the_ladder),
		cmocka_unit_test(wish_taken_back_in_each_state),
		cmocka_unit_test(wanted_again_while_it_leaves),
		cmocka_unit_test(broken_contract_is_lateness),
		cmocka_unit_test(our_own_lateness_excuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
