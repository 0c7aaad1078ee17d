/*
 * The mount of a virtual node: the real keeper's decisions, and what mountinfo, the
 * attempts to mount and the probes say as the scenario wants it.
 */
#ifndef SIM_WORLD_MOUNT_H
#define SIM_WORLD_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "mount_keeper.h"

struct world;

/* How an attempt to mount, or a probe, ends. */
enum world_answer {
	ANSWER_HANGS, /* killed at its time-out */
	ANSWER_GIVEN, /* with a result, after 50 ms */
	ANSWER_DIES,  /* without a word, after 50 ms */
	ANSWER_STUCK, /* survives even SIGKILL */
};

struct world_oneshot {
	enum world_answer answer;
	int64_t value, id;
	char why[LIMIT_FACT_WHY];
	char mark[LIMIT_FACT_TEXT];
};

struct world_mount {
	bool lives; /* the keeper */
	struct keeper keeper;
	struct keeper_look there;               /* what is on the path, whoever mounted it */
	struct world_oneshot mount, probe;      /* what those that begin from now on do */
	struct world_oneshot mounting, probing; /* what those that are under way do */
	int64_t mount_ends_ms, probe_ends_ms, answers_ms; /* INT64_MAX: not under way */
	unsigned attempts, probes;                        /* begun since they were last looked at */
};

/* A keeper starts, on what is there. */
void world_mount_start(struct world *world);

/* From now on this is on the path. */
void world_mount_put(struct world *world, const struct keeper_look *there);

/* A stuck child of the keeper ends. */
void world_mount_free(struct world *world);

/* Does what is due. False if nothing was. */
bool world_mount_run(struct world *world);
int64_t world_mount_next_ms(const struct world *world);

#endif
