/* The state machine in virtual time, and a verb for each thing that can happen to it. */
#ifndef TEST_WATCH_LAB_H
#define TEST_WATCH_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf.h"
#include "rds_watch.h"
#include "str.h"

#define WALL_MS INT64_C(1795425330000) /* wall clock less monotonic clock */

static struct conf_rds conf;
static struct watch watch;
static int64_t now, until;
static struct net_addr a, b, six, seven;
static bool changed;
static struct rds_change change; /* with changed */

static inline int setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof conf);
	conf.interval_ms = 2000;
	conf.timeout_ms = 3000;
	conf.dns_timeout_ms = 2000;
	conf.dns_max_ms = 30000;
	conf.dns_fast_ms = 1000;
	net_addr_parse("10.16.6.137", &a);
	net_addr_parse("10.16.5.149", &b);
	net_addr_parse("2001:db8::5", &six);
	net_addr_parse("2001:db8::7", &seven);
	now = 1000 * 1000;
	watch_init(&watch, &conf, now);
	return 0;
}

static inline void expect(enum watch_action action)
{
	assert_int_equal(watch_next(&watch, now, &until), action);
}

/* Lets time pass until there is something to do. */
static inline enum watch_action pass(void)
{
	enum watch_action action;

	for (int i = 0; i < 1000; i++) {
		action = watch_next(&watch, now, &until);
		if (action != WATCH_WAIT)
			return action;
		assert_true(until > now);
		now = until;
	}
	abort();
}

static inline void resolved_to(const struct net_addr *addr, int64_t ttl_s)
{
	struct rds_answer answer = { .count = 1, .addr = { *addr }, .ttl_s = ttl_s };

	watch_resolved(&watch, now, now + 5, &answer, "", 0);
	now += 5;
}

static inline void name_fails(void)
{
	watch_resolved(&watch, now, now + 2000, NULL, "no answer", 0);
	now += 2000;
}

static inline void answers(bool read_only)
{
	struct rds_sample sample = { .start_ms = now,
		                     .end_ms = now + 2,
		                     .end_wall_ms = now + 2 + WALL_MS,
		                     .read_only = read_only,
		                     .rtt_us = 1500,
		                     .version = "8.0.36" };

	now += 2;
	changed = watch_answered(&watch, &sample, 0, &change);
}

static inline void fails(enum rds_trouble trouble, int64_t took_ms)
{
	struct rds_sample sample = {
		.start_ms = now, .end_ms = now + took_ms, .trouble = trouble, .why = "why"
	};

	now += took_ms;
	watch_failed(&watch, &sample, 0);
}

static inline void connects_to(const struct net_addr *addr)
{
	watch_connected(&watch, now, addr);
}

static inline bool moved(void)
{
	return changed && !net_addr_equal(&change.from, &change.to);
}

/* A session with `addr` that has answered, writable. */
static inline void start_at(const struct net_addr *addr)
{
	expect(WATCH_RESOLVE);
	resolved_to(addr, 5);
	expect(WATCH_CONNECT);
	connects_to(addr);
	expect(WATCH_ASK);
	answers(false);
}

#endif
