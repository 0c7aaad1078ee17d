/*
 * A virtual node: the real core logic on a virtual clock, with stand-ins for its
 * finders. Each keeps its last words and says them again to a core that starts, as
 * peer.c does; wna-check's windows and wna-mount's decisions are the real ones.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "core.h"
#include "world_mount.h"

enum {
	WORLD_WALL_MS = 1000000000, /* Unix time at 0 in thousandths of ms: any will do */
	WORLD_REPEATS = 64,
	WORLD_SAID = 64,
};

struct world_repeat {
	int64_t due_ms, period_ms; /* period 0: free */
	struct msg msg;
};

struct world {
	struct snapshot snapshot;
	const struct conf *conf; /* in it */
	int64_t now_ms;
	struct core core;
	struct world_mount mount;
	struct world_repeat repeat[WORLD_REPEATS];
	struct check_slot check[LIMIT_CHECKS];
	struct msg said[WORLD_SAID];
	unsigned count;
	unsigned health_flips, ready_flips;
	int health_code, ready_code;
};

void world_init(struct world *world, const struct conf *conf);

/* Lets time pass up to and including `until_ms`. */
void world_run(struct world *world, int64_t until_ms);

/* The core ends, and another starts; with `finders` they all connect to it at once. */
void world_restart_core(struct world *world, bool finders);

/* wna-check ends, and another starts: its windows are new. */
void world_restart_check(struct world *world);

/* One fact, now, by `role`, or what refused it; of a check: one result. */
struct msg world_msg(enum fact_id id, int64_t value, const char *text, const char *why);
int world_say_as(struct world *world, enum role role, const struct msg *msg);
/* By its owner; or every period from now on. */
int world_say(struct world *world, const struct msg *msg);
void world_repeat(struct world *world, const struct msg *msg, int64_t period_ms);
void world_silence(struct world *world, const struct msg *like);

/* What names a check in a message. */
const char *world_check_name(const struct world *world, unsigned slot);

#endif
