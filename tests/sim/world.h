/*
 * A virtual node: the real core logic on a virtual clock, with a stand-in for
 * wnad that runs wna-mount and wna-probe as the scenario says.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"

enum {
	WORLD_WALL_MS = 1000000000, /* Unix time at 0 in thousandths of ms: any will do */
	WORLD_QUEUE = 256,
	WORLD_REPEATS = 64,
};

/* How a one-shot ends. */
enum world_answer {
	ANSWER_NONE,  /* the order is never taken up */
	ANSWER_FACTS, /* its facts, after 50 ms */
	ANSWER_DIES,  /* ends without a word */
	ANSWER_HANGS, /* killed at its time-out */
	ANSWER_STUCK, /* survives even that */
};

struct world_oneshot {
	enum world_answer answer;
	int64_t value, id; /* of FACT_MOUNT and FACT_MOUNT_ID, or of the probe's */
	char why[LIMIT_FACT_WHY];
	char mark[LIMIT_FACT_TEXT]; /* text of FACT_MOUNT_ID, of FACT_PROBE_ID */
};

struct world_message {
	int64_t at_ms;
	struct envelope envelope;
};

struct world_repeat {
	int64_t due_ms, period_ms; /* period 0: free */
	struct envelope envelope;
};

struct world {
	const struct conf *conf;
	int64_t now_ms;
	struct core core;
	struct world_oneshot mount, probe;
	struct world_message queue[WORLD_QUEUE];
	unsigned queued;
	struct world_repeat repeat[WORLD_REPEATS];
	struct envelope checked[LIMIT_CHECKS]; /* the last result of each check */
	unsigned orders[ORDER_VERB_MAX];       /* since they were last looked at */
	struct order last[ORDER_VERB_MAX];
	unsigned health_flips, ready_flips;
	int health_code, ready_code;
};

void world_init(struct world *world, const struct conf *conf, unsigned resumed);

/* Lets time pass up to and including `until_ms`. */
void world_run(struct world *world, int64_t until_ms);

/* One fact, now, from its own role; or every period from now on. */
struct envelope world_envelope(enum fact_id id, unsigned slot, int64_t value, const char *text,
                               const char *why);
int world_say(struct world *world, const struct envelope *envelope);
void world_repeat(struct world *world, const struct envelope *envelope, int64_t period_ms);
/* Its worker repeats the last result of a check, as at a refresh; false: none yet. */
bool world_again(struct world *world, unsigned slot);
void world_silence(struct world *world, enum fact_id id, unsigned slot);

/* A child's state, as wnad would tell it. */
void world_child(struct world *world, enum role role, enum child_state state, const char *why);

#endif
