/*
 * How long writes were out, said as an interval: what was seen is a row of
 * questions, each good or bad, and the truth lies between them. Pure.
 *
 *	at least  from the end of the first bad question to the start of the last
 *	at most   from the start of the last good question to the end of the first
 *	          good one after it
 *
 * Good means answered by a server that takes writes. All times are monotonic
 * milliseconds.
 */
#ifndef WNA_RDS_OUTAGE_H
#define WNA_RDS_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "net.h"

/* One move of the endpoint from one writer to another. */
struct rds_change {
	struct net_addr from, to;
	int64_t last_good_ms;  /* start of the last good question; -1 unknown */
	int64_t first_good_ms; /* end of the first good one after it */
	int64_t min_ms;        /* the outage, at least */
	int64_t max_ms;        /* and at most; -1 unknown */
	int64_t period_ms;     /* between two questions: the precision of all this */
};

struct outage {
	struct net_addr writer;   /* the last server that took writes; family 0: none yet */
	struct net_addr previous; /* the one before it, since it last moved */
	int64_t good_ms;          /* start of the last good question; -1 unknown */
	bool out;                 /* a bad question came after it */
	int64_t bad_first_ms;     /* end of the first bad one */
	int64_t bad_last_ms;      /* start of the last bad one */
	int64_t changes;          /* moves seen since the boot: the number of the last event */
	struct rds_change last;   /* the last move, maybe an earlier process's; to.family 0: none */
};

enum outage_end {
	OUTAGE_NONE,  /* it was good before, too */
	OUTAGE_FIRST, /* the first writer ever seen */
	OUTAGE_OVER,  /* the same writer takes writes again */
	OUTAGE_MOVED, /* another one does: ret->last tells, ret->changes was counted */
};

void outage_init(struct outage *ret);

/* What an earlier process knew. `good_ms` may be -1. */
void outage_restore(struct outage *outage, const struct net_addr *writer, int64_t good_ms);

/* A good answer of `peer`. If the outage ended by it, *ret (may be NULL) is its
 * interval: from and to are equal for OUTAGE_OVER. */
enum outage_end outage_good(struct outage *outage, int64_t start_ms, int64_t end_ms,
                            const struct net_addr *peer, int64_t period_ms, struct rds_change *ret);

/* No answer, or one of a server that does not take writes. */
void outage_bad(struct outage *outage, int64_t start_ms, int64_t end_ms);

#endif
