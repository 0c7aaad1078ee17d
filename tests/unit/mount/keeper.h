/* The keeper in virtual time: what it finds, what it does, what it says. */
#ifndef TEST_MOUNT_KEEPER_H
#define TEST_MOUNT_KEEPER_H

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
static struct keeper_look there;    /* what KEEPER_LOOK finds */
static struct heal_reading reading; /* what KEEPER_READ finds */
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
	memset(&reading, 0, sizeof reading);
	memset(count, 0, sizeof count);
	memset(&said, 0, sizeof said);
	keeper_init(&keeper, &conf, seed, 0);
}

static inline int setup(void **state)
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
		else if (act == KEEPER_READ)
			keeper_read(&keeper, &reading, now_ms);
		else if (act == KEEPER_SAY)
			keeper_report(&keeper, now_ms, &said);
	}
}

static void put(enum mount_state state, int64_t id)
{
	there = (struct keeper_look){ .state = state, .id = id };
	keeper_event(&keeper);
}

/* When the keeper has something to do again: at least a millisecond later. */
static int64_t next(int64_t now_ms)
{
	int64_t next_ms = keeper_next_ms(&keeper);

	return next_ms > now_ms ? next_ms : now_ms + 1;
}

/* At 0: an attempt has mounted id 57. */
static inline void become_right(void)
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

#endif
