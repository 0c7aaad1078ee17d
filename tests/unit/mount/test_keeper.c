/* When the keeper mounts, probes, ends what is late, and reports. The long stories are in tests/sim. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mount_keeper.h"

static struct conf_mount conf;
static struct keeper keeper;
static struct keeper_look there; /* what KEEPER_LOOK finds */
static unsigned count[KEEPER_ACT_MAX];
static struct msg said; /* the last report */

static void begin(uint32_t seed)
{
	conf = (struct conf_mount){ .enabled = true,
		                    .timeout_ms = 60000,
		                    .retry_min_ms = 2000,
		                    .retry_max_ms = 60000,
		                    .probe_interval_ms = 5000,
		                    .probe_timeout_ms = 4000,
		                    .max_age_ms = 10000 };
	memset(&there, 0, sizeof there);
	memset(count, 0, sizeof count);
	memset(&said, 0, sizeof said);
	keeper_init(&keeper, &conf, seed, 0);
}

static int setup(void **state)
{
	(void)state;
	begin(1);
	return 0;
}

/* Does all that is due at `now_ms`, and counts it from zero. */
static void step(int64_t now_ms)
{
	enum keeper_act act;

	memset(count, 0, sizeof count);
	while ((act = keeper_step(&keeper, now_ms)) != KEEPER_WAIT) {
		count[act]++;
		assert_in_range(count[act], 1, 9);
		if (act == KEEPER_LOOK)
			keeper_looked(&keeper, &there, now_ms);
		else if (act == KEEPER_SAY)
			keeper_report(&keeper, now_ms, &said);
	}
}

static void put(enum mount_state state, int64_t id)
{
	there = (struct keeper_look){ .state = state, .id = id };
	keeper_event(&keeper);
}

/* When it has something to do again, and at least a millisecond later. */
static int64_t next(int64_t now_ms)
{
	int64_t next_ms = keeper_next_ms(&keeper);

	return next_ms > now_ms ? next_ms : now_ms + 1;
}

/* At 0: an attempt has mounted id 57. */
static void become_right(void)
{
	step(0);
	assert_int_equal(count[KEEPER_MOUNT], 1);
	keeper_guarded(&keeper);
	put(MOUNT_RIGHT, 57);
	keeper_ended(&keeper, 0, "");
	step(50);
	assert_int_equal(said.value, MOUNT_RIGHT);
	assert_int_equal(count[KEEPER_PROBE_START], 1);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
}

static void backs_off_within_its_bounds(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed < 200; seed++) {
		int64_t now_ms = 0, span_ms = 2000, due_ms;

		begin(seed * 2654435761u);
		for (int i = 0; i < 12; i++) {
			step(now_ms);
			assert_int_equal(count[KEEPER_MOUNT], 1);
			now_ms += 100;
			keeper_ended(&keeper, 32, "no route to host");
			step(now_ms);
			assert_int_equal(count[KEEPER_MOUNT], 0);
			assert_string_equal(said.why, "no route to host");
			assert_int_equal(said.more[MOUNT_DOING], MOUNT_WAITING);
			due_ms = said.more[MOUNT_DUE_MS];
			assert_in_range(due_ms - now_ms, span_ms / 2, span_ms);
			step(due_ms - 1);
			assert_int_equal(count[KEEPER_MOUNT], 0);
			now_ms = due_ms;
			span_ms = span_ms * 2 < 60000 ? span_ms * 2 : 60000;
		}
	}
}

/* INT, TERM, KILL, stuck; and as long as one is there none begins beside it. */
static void a_late_attempt_climbs_the_ladder(void **state)
{
	(void)state;
	step(0);
	step(59999);
	assert_int_equal(count[KEEPER_INT], 0);
	step(60000);
	assert_int_equal(count[KEEPER_INT], 1);
	step(65999);
	assert_int_equal(count[KEEPER_INT] + count[KEEPER_TERM], 0);
	step(66000);
	assert_int_equal(count[KEEPER_TERM], 1);
	step(68000);
	assert_int_equal(count[KEEPER_KILL], 1);
	assert_int_equal(said.more[MOUNT_DOING], MOUNT_MOUNTING);
	step(70000);
	assert_int_equal(said.more[MOUNT_DOING], MOUNT_HELPER_STUCK);
	assert_int_equal(said.more[MOUNT_DUE_MS], 70000);
	step(3600000);
	assert_int_equal(count[KEEPER_MOUNT] + count[KEEPER_INT] + count[KEEPER_KILL], 0);
	keeper_ended(&keeper, 137, "attempt 1/3 failed");
	step(3600001);
	assert_string_equal(said.why, "ended, since its limit is 1 min 0 s: attempt 1/3 failed");
	assert_int_equal(count[KEEPER_MOUNT], 0);
}

/* The process has ended, its group has not: that is asked to, and looked after. */
static void a_group_that_lingers_is_ended(void **state)
{
	(void)state;
	step(0);
	keeper_lingers(&keeper, 1000);
	step(1000);
	assert_int_equal(count[KEEPER_INT], 1);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	keeper_ended(&keeper, 0, "");
	put(MOUNT_RIGHT, 57);
	step(1300);
	assert_int_equal(said.value, MOUNT_RIGHT);
}

static void a_predecessors_helper_is_awaited(void **state)
{
	(void)state;
	keeper_former(&keeper, 812, -50000, 0);
	step(0);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	assert_int_equal(said.value, MOUNT_ABSENT);
	assert_string_equal(said.why,
	                    "the helper of an earlier start has not ended (process group 812)");
	step(9999);
	assert_int_equal(count[KEEPER_INT], 0);
	/* The time that it has counts from its own start. */
	step(10000);
	assert_int_equal(count[KEEPER_INT], 1);
	/* It had mounted: that is seen before anything is begun. */
	there = (struct keeper_look){ .state = MOUNT_RIGHT, .id = 60 };
	keeper_ended(&keeper, -1, "");
	step(10000);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	assert_int_equal(said.value, MOUNT_RIGHT);
	assert_int_equal(count[KEEPER_GUARD], 1);
}

/* Not on the word of a look from before its end, whatever came in the same millisecond. */
static void an_outcome_is_looked_at_first(void **state)
{
	(void)state;
	step(0);
	keeper_event(&keeper);
	step(30);
	keeper_ended(&keeper, 1, "failed");
	step(30);
	assert_int_equal(count[KEEPER_LOOK], 1);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	assert_string_equal(said.why, "failed");
}

static void a_lost_mount_is_mounted_at_once(void **state)
{
	(void)state;
	become_right();
	keeper_signed(&keeper, 800, "", 60);
	step(60);
	assert_int_equal(said.more[MOUNT_SIGN], 800);
	assert_int_equal(said.more[MOUNT_SIGN_MS], 60);
	put(MOUNT_ABSENT, 0);
	step(100);
	assert_int_equal(count[KEEPER_MOUNT], 1);
	assert_int_equal(said.value, MOUNT_ABSENT);
	assert_string_equal(said.why, "lost, and not mounted again yet");
	put(MOUNT_RIGHT, 58);
	keeper_ended(&keeper, 0, "");
	step(200);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_CAME_BACK);
	/* Lost again before a probe has come through: now there is a wait. */
	put(MOUNT_ABSENT, 0);
	step(300);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	assert_in_range(said.more[MOUNT_DUE_MS] - 300, 1000, 4000);
}

static void a_storm_of_mounts_is_a_few_looks(void **state)
{
	unsigned looks = 0;

	(void)state;
	become_right();
	for (int64_t now_ms = 1000; now_ms < 2000; now_ms++) {
		keeper_event(&keeper);
		step(now_ms);
		looks += count[KEEPER_LOOK];
	}
	assert_in_range(looks, 40, 52);
}

/* Its age says only whether the keeper lives. */
static void the_report_is_repeated(void **state)
{
	int64_t last_ms = 50;

	(void)state;
	become_right();
	for (int64_t now_ms = 100; now_ms < 60000; now_ms = next(now_ms)) {
		step(now_ms);
		if (count[KEEPER_SAY]) {
			assert_in_range(now_ms - last_ms, 0, 2000);
			assert_int_equal(said.found_ms, now_ms);
			last_ms = now_ms;
		}
	}
	assert_in_range(last_ms, 58000, 60000);
	conf.max_age_ms = 2000;
	step(60000);
	step(60500);
	assert_int_equal(count[KEEPER_SAY], 1);
}

static void probes_with_jitter_and_one_at_a_time(void **state)
{
	bool moved = false;
	int64_t now_ms = 50, due_ms;

	(void)state;
	become_right();
	for (int i = 0; i < 50; i++) {
		keeper_signed(&keeper, 700, "", now_ms + 1);
		step(now_ms + 1);
		assert_int_equal(said.more[MOUNT_DOING], MOUNT_IDLE);
		due_ms = said.more[MOUNT_DUE_MS];
		assert_in_range(due_ms - now_ms, 4500, 5500);
		moved |= due_ms - now_ms != 5000;
		step(due_ms - 1);
		assert_int_equal(count[KEEPER_PROBE_ASK], 0);
		step(due_ms);
		assert_int_equal(count[KEEPER_PROBE_ASK], 1);
		now_ms = due_ms;
	}
	assert_true(moved);
	/* Late: killed, and replaced when it is gone. */
	step(now_ms + 3999);
	assert_int_equal(count[KEEPER_PROBE_KILL], 0);
	step(now_ms + 4000);
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
	step(now_ms + 6000);
	assert_int_equal(said.more[MOUNT_DOING], MOUNT_PROBE_STUCK);
	assert_int_equal(said.more[MOUNT_DUE_MS], now_ms + 6000);
	step(now_ms + 3600000);
	assert_int_equal(count[KEEPER_PROBE_START] + count[KEEPER_PROBE_KILL], 0);
	assert_int_equal(said.more[MOUNT_SIGN], 700);
	keeper_probe_gone(&keeper, now_ms + 3600000);
	step(now_ms + 3600000);
	assert_int_equal(count[KEEPER_PROBE_START], 1);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
}

/* One that hangs in a mount is not waited for once another is there. */
static void a_new_mount_gets_a_new_probe(void **state)
{
	(void)state;
	become_right();
	put(MOUNT_RIGHT, 58);
	step(100);
	assert_int_equal(count[KEEPER_SAY], 2); /* the loss as well */
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
	/* An answer that was under way is not about this one. */
	keeper_signed(&keeper, 700, "", 101);
	step(101);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_CAME_BACK);
	keeper_probe_gone(&keeper, 102);
	step(102);
	assert_int_equal(count[KEEPER_PROBE_START], 1);
	keeper_signed(&keeper, 900, "", 103);
	step(103);
	assert_int_equal(said.more[MOUNT_SIGN], 900);
}

static void a_probe_that_dies_is_not_started_in_a_loop(void **state)
{
	unsigned starts = 0;

	(void)state;
	become_right();
	keeper_probe_gone(&keeper, 51);
	for (int64_t now_ms = 51; now_ms < 600000; now_ms = next(now_ms)) {
		step(now_ms);
		starts += count[KEEPER_PROBE_START];
		if (count[KEEPER_PROBE_ASK])
			keeper_probe_gone(&keeper, now_ms);
	}
	assert_in_range(starts, 10, 30);
}

/* What cannot be verified yet is not reported, and the sign of life comes after the name. */
static void a_mount_waits_for_its_names(void **state)
{
	(void)state;
	put(MOUNT_UNVERIFIED, 57);
	there.names = true;
	step(0);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
	assert_int_equal(count[KEEPER_SAY] + count[KEEPER_MOUNT], 0);
	there.state = MOUNT_RIGHT;
	there.names = false;
	keeper_named(&keeper);
	step(30);
	assert_int_equal(said.value, MOUNT_RIGHT);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_NOT_PROBED);
	keeper_signed(&keeper, 800, "", 40);
	step(40);
	assert_int_equal(said.more[MOUNT_SIGN], 800);
}

static void without_names_it_is_unverified(void **state)
{
	(void)state;
	put(MOUNT_UNVERIFIED, 57);
	there.names = true;
	step(0);
	step(999);
	assert_int_equal(count[KEEPER_SAY], 0);
	step(1000);
	assert_int_equal(said.value, MOUNT_UNVERIFIED);
	/* Name servers that are silent have time of their own: the sign still comes. */
	step(7999);
	assert_int_equal(count[KEEPER_PROBE_KILL], 0);
	keeper_named(&keeper);
	keeper_signed(&keeper, 800, "", 7999);
	step(8000);
	assert_int_equal(said.more[MOUNT_SIGN], 800);
	assert_int_equal(said.value, MOUNT_UNVERIFIED);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
	step(16000);
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
}

/* By its name the wrong thing; the name may come to lead elsewhere. */
static void a_wrong_name_is_asked_again(void **state)
{
	(void)state;
	put(MOUNT_WRONG, 57);
	there.names = true;
	step(0);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
	keeper_named(&keeper);
	keeper_signed(&keeper, 800, "", 10);
	step(10);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_NOT_PROBED);
	step(5600);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
}

/* mount.efs renames its state file after it has mounted. */
static void an_attempt_may_finish(void **state)
{
	(void)state;
	step(0);
	put(MOUNT_UNVERIFIED, 57);
	step(100);
	assert_int_equal(said.value, MOUNT_ABSENT);
	keeper_ended(&keeper, 0, "");
	there.state = MOUNT_RIGHT;
	step(150);
	assert_int_equal(said.value, MOUNT_RIGHT);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_NOT_PROBED);
}

static void the_core_waits_for_the_first_sign(void **state)
{
	(void)state;
	put(MOUNT_RIGHT, 57);
	step(0);
	assert_int_equal(count[KEEPER_SAY], 1);
	assert_int_equal(count[KEEPER_SPOKEN], 0);
	keeper_signed(&keeper, 700, "", 20);
	step(20);
	assert_int_equal(count[KEEPER_SPOKEN], 1);
	begin(1);
	put(MOUNT_RIGHT, 57);
	step(0);
	step(199);
	assert_int_equal(count[KEEPER_SPOKEN], 0);
	step(200);
	assert_int_equal(count[KEEPER_SPOKEN], 1);
	begin(1);
	step(0);
	assert_int_equal(count[KEEPER_SPOKEN], 1);
	step(5000);
	assert_int_equal(count[KEEPER_SPOKEN], 0);
}

static void leaving_ends_the_children(void **state)
{
	(void)state;
	step(0);
	keeper_leave(&keeper, 100);
	step(100);
	assert_int_equal(count[KEEPER_INT], 1);
	assert_false(keeper_left(&keeper));
	keeper_ended(&keeper, 130, "");
	step(5000);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	assert_true(keeper_left(&keeper));
	assert_string_equal(said.why, "ended, since the agent stops");
	/* The probe as well, whatever it is at; one that is stuck is left behind. */
	begin(1);
	become_right();
	keeper_signed(&keeper, 700, "", 60);
	keeper_leave(&keeper, 100);
	step(100);
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
	assert_false(keeper_left(&keeper));
	step(2100);
	assert_true(keeper_left(&keeper));
}

static void what_was_missing_has_come(void **state)
{
	(void)state;
	step(0);
	keeper_ended(&keeper, 2, "the region is not known yet");
	step(100);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	keeper_retry(&keeper, 200);
	step(200);
	assert_int_equal(count[KEEPER_MOUNT], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(backs_off_within_its_bounds, setup),
		cmocka_unit_test_setup(a_late_attempt_climbs_the_ladder, setup),
		cmocka_unit_test_setup(a_group_that_lingers_is_ended, setup),
		cmocka_unit_test_setup(a_predecessors_helper_is_awaited, setup),
		cmocka_unit_test_setup(an_outcome_is_looked_at_first, setup),
		cmocka_unit_test_setup(a_lost_mount_is_mounted_at_once, setup),
		cmocka_unit_test_setup(a_storm_of_mounts_is_a_few_looks, setup),
		cmocka_unit_test_setup(the_report_is_repeated, setup),
		cmocka_unit_test_setup(probes_with_jitter_and_one_at_a_time, setup),
		cmocka_unit_test_setup(a_new_mount_gets_a_new_probe, setup),
		cmocka_unit_test_setup(a_probe_that_dies_is_not_started_in_a_loop, setup),
		cmocka_unit_test_setup(a_mount_waits_for_its_names, setup),
		cmocka_unit_test_setup(without_names_it_is_unverified, setup),
		cmocka_unit_test_setup(a_wrong_name_is_asked_again, setup),
		cmocka_unit_test_setup(an_attempt_may_finish, setup),
		cmocka_unit_test_setup(the_core_waits_for_the_first_sign, setup),
		cmocka_unit_test_setup(leaving_ends_the_children, setup),
		cmocka_unit_test_setup(what_was_missing_has_come, setup),
	};

	return cmocka_run_group_tests_name("mount/keeper", tests, NULL, NULL);
}
