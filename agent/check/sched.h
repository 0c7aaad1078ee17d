/*
 * When each check runs. Pure: every instant comes in as `now` (monotonic ms),
 * every random number as `random`, so a day is tested in a millisecond.
 *
 * A check starts at once; until its first success it runs every
 * SCHED_FIRST_MS (or its interval, if that is shorter), afterwards every
 * interval, moved by up to SCHED_JITTER_PERCENT either way. Periods count from
 * the start of a run. A run that overstays its turn is followed at once by the
 * next one, but turns that were missed are not made up for.
 */
#ifndef WNA_CHECK_SCHED_H
#define WNA_CHECK_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

enum {
	SCHED_FIRST_MS = 500,
	SCHED_JITTER_PERCENT = 10,
	/* A timer that fires this late means that this process, not the thing
	 * it checks, was not running. */
	SCHED_LATE_MS = 500,
};

struct sched_item {
	int64_t interval_ms, timeout_ms;
	int64_t start_ms, next_ms;
	bool running;
	bool succeeded; /* ever, since start */
};

struct sched {
	int count;
	struct sched_item item[LIMIT_CHECKS];
};

void sched_init(struct sched *ret, const struct conf_checks *conf, int64_t now);

/* The check most overdue at `now` that is not running; -1 if none is due. */
int sched_due(const struct sched *sched, int64_t now);

/* When the next one will be due (ms, monotonic); INT64_MAX if all are running. */
int64_t sched_next(const struct sched *sched);

void sched_start(struct sched *sched, int i, int64_t now);

/* True if the end of run `i` comes so late after its time-out that it says
 * something of us and nothing of what was checked. */
bool sched_late(const struct sched *sched, int i, int64_t now);

/* Run `i` ended with a result that counts. */
void sched_done(struct sched *sched, int i, bool good, int64_t now, uint32_t random);

/* Run `i` ended without a result that counts: again, now. */
void sched_void(struct sched *sched, int i, int64_t now);

#endif
