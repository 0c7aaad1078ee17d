/* When the keeper mounts, ends what is late, and reports. The long stories are in tests/sim. */
#include "keeper.h"

/* INT, SIGKILL to mount.nfs, KILL, stuck; no second attempt begins while the first one lives. */
static void a_late_attempt_climbs_the_ladder(void **state)
{
	(void)state;
	step(0);
	step(59999);
	assert_int_equal(count[KEEPER_INT], 0);
	step(60000);
	assert_int_equal(count[KEEPER_INT], 1);
	step(65999);
	assert_int_equal(count[KEEPER_INT] + count[KEEPER_KILL_NFS], 0);
	step(66000);
	assert_int_equal(count[KEEPER_KILL_NFS] + count[KEEPER_KILL], 1);
	assert_int_equal(count[KEEPER_KILL], 0);
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

/* The process has ended, its group has not: the group gets the signals. */
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
	/* Its time limit counts from its own start. */
	step(10000);
	assert_int_equal(count[KEEPER_INT], 1);
	/* The helper had mounted: the keeper looks before it begins an attempt. */
	there = (struct keeper_look){ .state = MOUNT_RIGHT, .id = 60 };
	keeper_ended(&keeper, -1, "");
	step(10000);
	assert_int_equal(count[KEEPER_MOUNT], 0);
	assert_int_equal(said.value, MOUNT_RIGHT);
	assert_int_equal(count[KEEPER_GUARD], 1);
}

/* After an attempt has ended, the keeper looks again, also within the same millisecond. */
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
	/* Lost again before a probe was answered: the next attempt waits. */
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

/* The report is repeated without a change: its age shows that the keeper lives. */
static void the_report_is_repeated(void **state)
{
	int64_t last_ms = 50;

	(void)state;
	become_right();
	for (int64_t now_ms = 100; now_ms < 60000; now_ms = next(now_ms)) {
		step(now_ms);
		if (count[KEEPER_SAY]) {
			assert_in_range(now_ms - last_ms, 0, 5000);
			assert_int_equal(said.found_ms, now_ms);
			last_ms = now_ms;
		}
	}
	assert_in_range(last_ms, 55000, 60000);
	conf.max_age_ms = 2000;
	step(60000);
	step(60500);
	assert_int_equal(count[KEEPER_SAY], 1);
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
	/* The probe is killed as well; a stuck probe is left behind. */
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
		cmocka_unit_test_setup(a_late_attempt_climbs_the_ladder, setup),
		cmocka_unit_test_setup(a_group_that_lingers_is_ended, setup),
		cmocka_unit_test_setup(a_predecessors_helper_is_awaited, setup),
		cmocka_unit_test_setup(an_outcome_is_looked_at_first, setup),
		cmocka_unit_test_setup(a_lost_mount_is_mounted_at_once, setup),
		cmocka_unit_test_setup(a_storm_of_mounts_is_a_few_looks, setup),
		cmocka_unit_test_setup(the_report_is_repeated, setup),
		cmocka_unit_test_setup(an_attempt_may_finish, setup),
		cmocka_unit_test_setup(the_core_waits_for_the_first_sign, setup),
		cmocka_unit_test_setup(leaving_ends_the_children, setup),
		cmocka_unit_test_setup(what_was_missing_has_come, setup),
	};

	return cmocka_run_group_tests_name("mount/keeper", tests, NULL, NULL);
}
