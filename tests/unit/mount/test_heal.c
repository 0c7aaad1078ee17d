/* The guard of the mount over long times: nothing is repaired without a cause. */
#include "keeper.h"

#include <stdlib.h>

enum {
	DAY_MS = 24 * 3600 * 1000,
	STOP_MS = 4200,  /* the longest time without a reply under load, by experiment */
	CALL_MS = 18600, /* the longest call under load */
};

static uint32_t dice; /* xorshift32 */

static uint32_t roll(uint32_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 17;
	dice ^= dice << 5;
	return dice % below;
}

/* The right file system is mounted through a proxy. */
static void begin_proxied(uint32_t seed)
{
	begin(seed);
	conf.repair = REPAIR_SAFE;
	put(MOUNT_RIGHT, 57);
	net_addr_parse("127.0.0.1", &there.server);
	there.port = 20049;
}

/* One node: most calls are quick, some take many seconds; a proxy dies now and then, and the
 * watchdog starts the next one within a second. */
static void live(uint32_t seed, int64_t end_ms)
{
	int64_t now_ms = 0, answer_ms = INT64_MAX, reply_ms = 0, gap_ms = -10000;
	unsigned slow = 0;

	begin_proxied(seed);
	dice = seed;
	reading = (struct heal_reading){ .nfs = true, .listener = 1 };
	while (now_ms < end_ms) {
		while (now_ms >= reply_ms) {
			reading.recvs++;
			reply_ms += 1 + roll(roll(50) == 0 ? STOP_MS - 1000 : 900);
		}
		if (now_ms >= answer_ms) {
			keeper_signed(&keeper, 700, "", now_ms);
			answer_ms = INT64_MAX;
		}
		reading.listener = now_ms >= gap_ms && now_ms < gap_ms + 900 ? 0 : 1;
		step(now_ms);
		if (count[KEEPER_PROBE_ASK])
			answer_ms = now_ms + 1 + roll(roll(100) == 0 ? CALL_MS : 900);
		if (count[KEEPER_PROBE_ASK] && now_ms > gap_ms + 10000 && roll(1000) == 0)
			gap_ms = now_ms + roll(5000);
		slow += keeper.heal.state == SERVICE_SLOW;
		assert_int_not_equal(keeper.heal.state, SERVICE_HUNG);
		assert_int_equal(count[KEEPER_PROXY_KILL] + count[KEEPER_PROXY_START] +
		                         count[KEEPER_PROXY_AWAY] + count[KEEPER_REACH],
		                 0);
		now_ms = next(now_ms);
		now_ms = answer_ms < now_ms ? answer_ms : now_ms;
	}
	assert_true(slow > 0);
}

/* WNA_TEST_WEEKS=1000: so many nodes for a week each; the number takes a quarter of an hour. */
static void nothing_is_repaired_without_a_cause(void **state)
{
	const char *weeks = getenv("WNA_TEST_WEEKS");
	int nodes = weeks ? atoi(weeks) : 7;

	(void)state;
	for (int i = 0; i < nodes; i++)
		live((uint32_t)i + 1, (weeks ? 7 : 1) * (int64_t)DAY_MS);
	print_message("%d nodes, %d d each: no repair\n", nodes, weeks ? 7 : 1);
}

static enum service_state state_at(int64_t now_ms)
{
	step(now_ms);
	keeper_report_service(&keeper, &said);
	return (enum service_state)said.value;
}

/* The last answer by way of a proxy that has died meanwhile: the next one is needed all the same. */
static void a_late_answer_does_not_end_a_repair(void **state)
{
	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .listener = 1, .watchdog = true };
	step(1);
	keeper_signed(&keeper, 700, "", 2);
	assert_int_equal(state_at(1000), SERVICE_SERVING);
	reading.listener = 0;
	assert_int_equal(state_at(5000), SERVICE_SERVING);
	assert_int_equal(state_at(6000), SERVICE_REPAIRING);
	keeper_signed(&keeper, 700, "", 6001);
	assert_int_equal(state_at(6001), SERVICE_REPAIRING);
	/* The watchdog has not started one. */
	assert_int_equal(state_at(11000), SERVICE_REPAIRING);
	assert_int_equal(count[KEEPER_PROXY_START], 1);
	reading.listener = 2;
	reading.recvs++;
	assert_int_equal(state_at(11300), SERVICE_REPAIRING);
	reading.recvs++;
	assert_int_equal(state_at(11600), SERVICE_SERVING);
	assert_string_equal(said.text,
	                    "repair 1, new proxy on port 20049, dead proxy: answers after 5.6 s");
}

/* Until the last of SERVICE_TRIES_MAX repairs has failed, or `end_ms` has come. */
static int64_t fail_all(bool reached, int64_t now_ms, int64_t end_ms)
{
	while (keeper.heal.tries < SERVICE_TRIES_MAX && now_ms < end_ms) {
		step(now_ms);
		if (count[KEEPER_PROXY_KILL] + count[KEEPER_PROXY_AWAY])
			keeper_failed(&keeper, "no", now_ms);
		if (count[KEEPER_REACH])
			keeper_reached(&keeper, reached, !reached, now_ms);
		now_ms = next(now_ms);
	}
	return now_ms;
}

/* Repairs by way of another target have failed during an outage of all targets. */
static void the_end_of_an_outage_allows_new_repairs(void **state)
{
	int64_t now_ms;

	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .listener = 1, .flow = FLOW_STUCK };
	now_ms = fail_all(false, 1, DAY_MS);
	assert_int_equal(keeper.heal.tries, SERVICE_TRIES_MAX);
	step(now_ms + 10000);
	keeper_reached(&keeper, true, false, now_ms + 10000);
	assert_int_equal(keeper.heal.tries, 0);
	/* Of a target that accepts connections all the time, or that only comes and goes, the limit
	 * stays. */
	now_ms = fail_all(true, now_ms + 10001, now_ms + DAY_MS);
	keeper_reached(&keeper, false, true, now_ms);
	keeper_reached(&keeper, true, false, now_ms + 1000);
	assert_int_equal(keeper.heal.tries, SERVICE_TRIES_MAX);
	assert_int_equal(keeper.heal.repairs, 2 * SERVICE_TRIES_MAX);
}

/* A probe that is killed ends. */
static void step_with_probe(int64_t now_ms)
{
	step(now_ms);
	if (count[KEEPER_PROBE_KILL])
		keeper_probe_gone(&keeper, now_ms);
}

/* Each new connection gets a few replies and sticks: that is no success of a repair. */
static void some_replies_do_not_end_the_limit(void **state)
{
	int64_t now_ms;
	int kills = 0;

	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .listener = 1, .flow = FLOW_STUCK };
	for (now_ms = 1; now_ms < DAY_MS; now_ms = next(now_ms)) {
		step_with_probe(now_ms);
		if (count[KEEPER_REACH])
			keeper_reached(&keeper, true, false, now_ms);
		if (count[KEEPER_PROXY_KILL]) {
			kills++;
			reading.listener++;
			reading.recvs += 2;
		}
	}
	assert_int_equal(kills, SERVICE_TRIES_MAX);
	assert_int_equal(state_at(now_ms), SERVICE_HUNG);
}

/* Name servers are silent, or the state file cannot be read: the target may well be there. */
static void without_an_answer_the_cause_is_unknown(void **state)
{
	int64_t now_ms = 1;
	unsigned asked = 0;

	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .listener = 1, .flow = FLOW_STUCK };
	for (; now_ms < 80000; now_ms = next(now_ms)) {
		step(now_ms);
		assert_int_equal(count[KEEPER_PROXY_KILL] + count[KEEPER_PROXY_AWAY], 0);
		asked += count[KEEPER_REACH];
		if (count[KEEPER_REACH] && asked == 1)
			keeper_reached(&keeper, false, true, now_ms);
		else if (count[KEEPER_REACH])
			keeper_unreached(&keeper, now_ms);
	}
	assert_true(asked > 10);
	assert_int_equal(keeper.heal.state, SERVICE_HUNG);
	assert_int_equal(keeper.heal.cause, CAUSE_UNKNOWN);
	keeper_reached(&keeper, true, false, now_ms);
	step(now_ms);
	assert_int_equal(count[KEEPER_PROXY_KILL], 1);
}

/* Without an answer of the kernel a proxy is neither dead nor back. */
static void a_table_that_cannot_be_read_changes_nothing(void **state)
{
	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .unseen = true };
	step(1);
	keeper_signed(&keeper, 700, "", 2);
	assert_int_equal(state_at(1000), SERVICE_SERVING);
	reading.recvs++;
	assert_int_equal(state_at(9000), SERVICE_SERVING);
	reading = (struct heal_reading){ .nfs = true, .recvs = 2, .listener = 1 };
	assert_int_equal(state_at(10000), SERVICE_SERVING);
	reading.listener = 0;
	assert_int_equal(state_at(11000), SERVICE_SERVING);
	reading.unseen = true;
	assert_int_equal(state_at(11500), SERVICE_SERVING);
	assert_int_equal(state_at(13000), SERVICE_SERVING);
	reading.unseen = false;
	assert_int_equal(state_at(14000), SERVICE_REPAIRING);
}

/* The keeper was started after the proxy's death. */
static void a_proxy_that_was_never_seen_is_dead(void **state)
{
	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true };
	step(1);
	assert_int_equal(state_at(1000), SERVICE_MOUNTING);
	assert_int_equal(state_at(2000), SERVICE_REPAIRING);
	assert_int_equal(count[KEEPER_PROXY_START], 1);
}

/* The probe hangs on a parent directory of another server, or gets no time of the processor. */
static void a_mount_without_requests_is_not_hung(void **state)
{
	int64_t now_ms = 1;

	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .idle = true, .listener = 1 };
	step(now_ms);
	keeper_signed(&keeper, 700, "", 2);
	for (; now_ms < 60000; now_ms = next(now_ms))
		assert_int_equal(state_at(now_ms), SERVICE_SERVING);
	assert_true(keeper.asked);
	reading.idle = false;
	assert_int_equal(state_at(now_ms + 1000), SERVICE_HUNG);
}

/* Also of a mount that serves, and with repair = off. */
static void an_operator_may_have_a_repair(void **state)
{
	(void)state;
	begin_proxied(1);
	conf.repair = REPAIR_OFF;
	reading = (struct heal_reading){ .nfs = true, .listener = 1 };
	step(1);
	keeper_signed(&keeper, 700, "", 2);
	assert_int_equal(state_at(1000), SERVICE_SERVING);
	for (int64_t now_ms = 2000, i = 1; i <= 4; now_ms += 2000, i++) {
		assert_null(keeper_repair(&keeper, now_ms));
		assert_non_null(keeper_repair(&keeper, now_ms));
		/* The watchdog, if it runs, starts the proxy. */
		reading.watchdog = true;
		assert_int_equal(state_at(now_ms), SERVICE_REPAIRING);
		assert_int_equal(count[KEEPER_PROXY_KILL], 1);
		assert_string_equal(keeper_repair(&keeper, now_ms), "a repair is under way");
		reading.listener++;
		assert_int_equal(state_at(now_ms + 500), SERVICE_REPAIRING);
		reading.recvs++;
		assert_int_equal(state_at(now_ms + 1000), SERVICE_SERVING);
		assert_int_equal(count[KEEPER_PROXY_START], 0);
		assert_int_equal(said.more[SERVICE_REPAIRS], i);
	}
	assert_string_equal(said.text,
	                    "repair 4, new proxy on port 20049, asked for: answers after 1.0 s");
}

/* They do not use up the keeper's own. */
static void repairs_on_request_may_fail(void **state)
{
	int64_t now_ms = 2000;

	(void)state;
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .listener = 1 };
	step(1);
	keeper_signed(&keeper, 700, "", 2);
	for (int i = 0; i < 4; i++, now_ms += 20000) {
		assert_null(keeper_repair(&keeper, now_ms));
		step(now_ms);
		assert_int_equal(count[KEEPER_PROXY_KILL], 1);
		keeper_failed(&keeper, "no", now_ms);
		assert_int_equal(state_at(now_ms), SERVICE_HUNG);
		assert_int_equal(said.more[SERVICE_TRIES], 0);
		keeper_signed(&keeper, 700, "", now_ms + 1);
	}
	/* A proxy that has just died: there is none to end. */
	reading.listener = 0;
	assert_null(keeper_repair(&keeper, now_ms));
	step(now_ms);
	assert_int_equal(count[KEEPER_PROXY_KILL], 0);
	assert_int_equal(count[KEEPER_PROXY_START], 1);
}

/* However the readings lie that a probe or a question brings in between. */
static void a_dead_proxy_is_found_within_two_seconds(void **state)
{
	(void)state;
	for (int64_t dies_ms = 20000; dies_ms < 32000; dies_ms += 7) {
		int64_t now_ms = 1, answer_ms = INT64_MAX;

		begin_proxied((uint32_t)dies_ms);
		reading = (struct heal_reading){ .nfs = true, .listener = 1 };
		while (keeper.heal.state != SERVICE_REPAIRING) {
			assert_true(now_ms <= dies_ms + 2000);
			if (now_ms >= answer_ms) {
				keeper_signed(&keeper, 700, "", now_ms);
				answer_ms = INT64_MAX;
			}
			reading.listener = now_ms < dies_ms;
			step(now_ms);
			if (count[KEEPER_PROBE_ASK])
				answer_ms = now_ms + 1;
			now_ms = next(now_ms);
			now_ms = answer_ms < now_ms ? answer_ms : now_ms;
		}
	}
}

static void an_operator_is_told_why_not(void **state)
{
	(void)state;
	begin(1);
	step(1);
	assert_string_equal(keeper_repair(&keeper, 2), "the configured file system is not mounted");
	put(MOUNT_RIGHT, 57);
	step(100);
	assert_string_equal(keeper_repair(&keeper, 200), "the mount has no proxy on this machine");
	begin_proxied(1);
	reading = (struct heal_reading){ .nfs = true, .listener = 1 };
	for (int64_t now_ms = 1; keeper.heal.cause != CAUSE_TARGET_DOWN; now_ms = next(now_ms)) {
		step(now_ms);
		if (count[KEEPER_REACH])
			keeper_reached(&keeper, false, false, now_ms);
	}
	assert_string_equal(keeper_repair(&keeper, 60000),
	                    "the mount target is silent, and no other one is known");
	keeper_reached(&keeper, false, true, 60000);
	assert_null(keeper_repair(&keeper, 60001));
	step(60001);
	assert_int_equal(count[KEEPER_PROXY_AWAY], 1);
}

/* With repair = force, after three proxies and five minutes, once. */
static void a_mount_is_given_up_at_last(void **state)
{
	int64_t now_ms = 1, given_up_ms = 0;
	int times = 0;

	(void)state;
	for (int repair = REPAIR_SAFE; repair <= REPAIR_FORCE; repair++) {
		begin_proxied(1);
		conf.repair = repair;
		reading = (struct heal_reading){ .nfs = true, .listener = 1, .watchdog = true };
		step(1);
		keeper_signed(&keeper, 700, "", 2);
		/* No new proxy comes to listen. */
		reading.listener = 0;
		for (now_ms = 1000, times = 0; now_ms < 3600 * 1000; now_ms = next(now_ms)) {
			step_with_probe(now_ms);
			if (count[KEEPER_GIVE_UP]) {
				times++;
				given_up_ms = now_ms;
				assert_int_equal(keeper.heal.tries, SERVICE_TRIES_MAX);
				keeper_given_up(&keeper, "done");
			}
		}
		assert_int_equal(times, repair == REPAIR_FORCE);
	}
	assert_in_range(given_up_ms, HEAL_FORCE_MS, HEAL_FORCE_MS + 2000);
	assert_int_equal(state_at(now_ms), SERVICE_HUNG);
	assert_string_equal(said.text, "repair 4, a new mount, dead proxy: done");
	/* The mount that follows has all its repairs again when it has answered. */
	put(MOUNT_RIGHT, 58);
	reading.listener = 2;
	keeper_event(&keeper);
	do {
		step_with_probe(now_ms);
		now_ms = next(now_ms);
	} while (!keeper.asked || keeper.asked_serial != keeper.serial);
	keeper_signed(&keeper, 700, "", now_ms);
	assert_int_equal(state_at(now_ms + 1), SERVICE_SERVING);
	assert_int_equal(keeper.heal.tries, 0);
	assert_false(keeper.heal.forced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_repaired_without_a_cause),
		cmocka_unit_test(a_late_answer_does_not_end_a_repair),
		cmocka_unit_test(the_end_of_an_outage_allows_new_repairs),
		cmocka_unit_test(some_replies_do_not_end_the_limit),
		cmocka_unit_test(without_an_answer_the_cause_is_unknown),
		cmocka_unit_test(a_table_that_cannot_be_read_changes_nothing),
		cmocka_unit_test(a_proxy_that_was_never_seen_is_dead),
		cmocka_unit_test(a_mount_without_requests_is_not_hung),
		cmocka_unit_test(an_operator_may_have_a_repair),
		cmocka_unit_test(repairs_on_request_may_fail),
		cmocka_unit_test(a_dead_proxy_is_found_within_two_seconds),
		cmocka_unit_test(an_operator_is_told_why_not),
		cmocka_unit_test(a_mount_is_given_up_at_last),
	};

	return cmocka_run_group_tests_name("mount/heal", tests, NULL, NULL);
}
