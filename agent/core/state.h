/*
 * All that the verdict may look at beside the clock.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "conf.h"
#include "facts.h"
#include "policy.h"
#include "verdict.h"
#include "window.h"

struct state {
	const struct conf *conf;
	struct facts facts;
	struct window window[LIMIT_CHECKS];
	struct policy policy;
	int64_t start_ms;           /* monotonic, when this core started */
	enum verdict_level resumed; /* /healthz of the core before this one; LEVEL_OFF: the
	                             * first since the agent started */
};

#endif
