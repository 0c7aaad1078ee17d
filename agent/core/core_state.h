/*
 * All that the verdict may look at beside the clock.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "conf.h"
#include "core_facts.h"
#include "role.h"
#include "verdict.h"

/* A finder's connection to the hub, as the page shows it. */
struct link {
	bool up;
	bool other_conf;       /* it runs with another configuration than the core */
	int pid;               /* of the last connection; 0: none yet */
	int64_t since_wall_ms; /* of `up` */
};

struct state {
	const struct conf *conf;
	const char *conf_why; /* not empty: there is no valid configuration */
	int64_t loaded_ms;    /* Unix time, when the configuration was loaded */
	struct facts facts;
	struct link link[ROLE_MAX];
	int64_t start_ms; /* monotonic, when this core started */
};

#endif
