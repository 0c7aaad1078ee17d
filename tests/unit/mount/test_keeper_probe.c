/* When the keeper asks its probe, and what it makes of the answers. */
#include "keeper.h"

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

/* It returns when the server answers. */
static void a_probe_that_hangs_in_nfs_is_not_repeated(void **state)
{
	(void)state;
	put(MOUNT_RIGHT, 57);
	net_addr_parse("127.0.0.1", &there.server);
	step(0);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
	for (int64_t now_ms = 1; now_ms < 90000; now_ms = next(now_ms)) {
		step(now_ms);
		assert_int_equal(count[KEEPER_PROBE_ASK] + count[KEEPER_PROBE_KILL], 0);
		if (count[KEEPER_REACH])
			keeper_reached(&keeper, false, false, now_ms);
	}
	step(90000);
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
	keeper_report_service(&keeper, &said);
	assert_int_equal(said.value, SERVICE_HUNG);
}

/* A probe that ends by itself again and again has no answer to wait for. */
static void a_probe_that_dies_delays_no_report(void **state)
{
	(void)state;
	conf.hang = HANG_FAIL;
	put(MOUNT_RIGHT, 57);
	step(0);
	assert_int_equal(count[KEEPER_SAY], 0);
	keeper_probe_gone(&keeper, 10);
	step(10);
	assert_int_equal(count[KEEPER_SAY], 0);
	step(3000);
	keeper_probe_gone(&keeper, 3010);
	step(3010);
	assert_int_equal(count[KEEPER_SAY], 1);
	assert_int_equal(said.value, MOUNT_RIGHT);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_NOT_PROBED);
}

/* When another mount appears, a probe that hangs in the old one is not waited for. */
static void a_new_mount_gets_a_new_probe(void **state)
{
	(void)state;
	become_right();
	put(MOUNT_RIGHT, 58);
	step(100);
	assert_int_equal(count[KEEPER_SAY], 2); /* the loss as well */
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
	/* A late answer of the old probe is not about the new mount. */
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

/* A mount that cannot be verified yet is not reported. The probe first answers about the name,
 * then about the sign of life. */
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
	keeper_named(&keeper, 20);
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
	/* The wait for silent name servers says nothing about the mount. */
	step(7999);
	assert_int_equal(count[KEEPER_PROBE_KILL], 0);
	keeper_report_service(&keeper, &said);
	assert_int_equal(said.value, SERVICE_MOUNTING);
	keeper_named(&keeper, 7999);
	keeper_signed(&keeper, 800, "", 7999);
	step(8000);
	assert_int_equal(said.more[MOUNT_SIGN], 800);
	assert_int_equal(said.value, MOUNT_UNVERIFIED);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
	step(16000);
	assert_int_equal(count[KEEPER_PROBE_KILL], 1);
}

/* The mount is wrong by its server's name; the name may resolve to another address later. */
static void a_wrong_name_is_asked_again(void **state)
{
	(void)state;
	put(MOUNT_WRONG, 57);
	there.names = true;
	step(0);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
	keeper_named(&keeper, 10);
	keeper_signed(&keeper, 800, "", 10);
	step(10);
	assert_int_equal(said.more[MOUNT_SIGN], MOUNT_NOT_PROBED);
	step(5600);
	assert_int_equal(count[KEEPER_PROBE_ASK], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(probes_with_jitter_and_one_at_a_time, setup),
		cmocka_unit_test_setup(a_probe_that_hangs_in_nfs_is_not_repeated, setup),
		cmocka_unit_test_setup(a_probe_that_dies_delays_no_report, setup),
		cmocka_unit_test_setup(a_new_mount_gets_a_new_probe, setup),
		cmocka_unit_test_setup(a_probe_that_dies_is_not_started_in_a_loop, setup),
		cmocka_unit_test_setup(a_mount_waits_for_its_names, setup),
		cmocka_unit_test_setup(without_names_it_is_unverified, setup),
		cmocka_unit_test_setup(a_wrong_name_is_asked_again, setup),
	};

	return cmocka_run_group_tests_name("mount/keeper_probe", tests, NULL, NULL);
}
