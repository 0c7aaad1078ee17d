/*
 * When to run wna-mount and wna-probe: a state machine over the facts, in
 * virtual time. Pure: it says what to order, the caller orders it.
 *
 *	START ──order──→ ORDERED ──right──────────→ HELD ──lost, changed──→ ORDERED
 *	                   │  ↑                                  (again: WAITING first)
 *	   missing, wrong, │  │ due
 *	   no word         ↓  │
 *	                 WAITING
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "facts.h"

enum policy_state { POLICY_START, POLICY_ORDERED, POLICY_HELD, POLICY_WAITING };

enum { POLICY_MOUNT = 1, POLICY_PROBE = 2 };

struct policy {
	enum policy_state state;
	unsigned attempt;   /* tries since a probe last confirmed the mount */
	bool began;         /* the ordered run was seen */
	uint64_t heard_seq; /* the last FACT_MOUNT that was acted on */
	int64_t due_ms;     /* WAITING: next try; ORDERED: then the order counts as lost;
	                     * HELD: next look at a mount by the helper */
	int64_t probe_due_ms;
	uint32_t random; /* state of a small generator: jitter needs no better */
};

void policy_init(struct policy *policy, uint32_t seed);

/* What to order now: POLICY_MOUNT, POLICY_PROBE, both or 0. Call after every
 * fact and at policy_next_ms. */
unsigned policy_step(struct policy *policy, const struct conf *conf, const struct facts *facts,
                     int64_t now_ms);

/* When time alone would make policy_step order something; INT64_MAX if never. */
int64_t policy_next_ms(const struct policy *policy, const struct conf *conf,
                       const struct facts *facts);

/* What the last probe says of the mount that wna-mount last called right. */
enum policy_sight {
	SIGHT_NONE,    /* no probe yet, or its word is too old */
	SIGHT_SAME,    /* the same mount is topmost on the path, by id and mark */
	SIGHT_DOUBT,   /* it saw nothing, or another mount, before wna-mount's last word */
	SIGHT_LOST,    /* nothing is mounted there now */
	SIGHT_CHANGED, /* another mount is topmost now */
};
enum policy_sight policy_sight(const struct conf *conf, const struct facts *facts, int64_t now_ms);

/* Whether a one-shot's slot is taken: running, being killed, or stuck. */
bool policy_busy(const struct facts *facts, enum role role);

#endif
