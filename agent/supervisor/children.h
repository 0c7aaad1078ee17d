/* All children together. */
#ifndef SUPERVISOR_CHILDREN_H
#define SUPERVISOR_CHILDREN_H

#include "supervisor.h"

enum {
	CHILDREN_DRAIN_MS = 3000,     /* a replaced core answers what it holds */
	CHILDREN_STOP_DRAIN_MS = 500, /* the same when everybody stops */
	/* Until when the core waits for the others' end: whoever is deaf is killed then. */
	CHILDREN_STOP_CORE_MS = LADDER_TERM_MS + 200,
	CHILDREN_STOP_MS = 8000, /* a stop is over by then, whoever is stuck */
};

/* Empty slots; nothing runs yet. */
void children_init(struct supervisor *sv);

/* Lets every ladder do what is due. */
void children_turn(struct supervisor *sv, int64_t now);
/* We are late ourselves; see ladder_excuse(). */
void children_excuse(struct supervisor *sv, int64_t late_ms);
int64_t children_next(const struct supervisor *sv);

/* Starts one run of a one-shot, unless the configuration has no work for it, the
 * slot does not exist, or the last run is still there. */
void children_order(struct supervisor *sv, enum role role, unsigned slot, int64_t now);

/* Puts the configuration into force: who is wanted runs, who is not leaves, and
 * who depends on a part in `changed` is started anew, the core last. */
void children_apply(struct supervisor *sv, unsigned changed, int64_t now);

/* A core's first beat: if it is the successor it takes over now. */
void children_core_beats(struct supervisor *sv, struct child *core, int64_t now);

/*
 * SIGTERM: everybody leaves, the core last, with the answer it has now, which only ages:
 * for as long as the others take to tidy up, nobody would answer instead. Called once.
 */
void children_stop(struct supervisor *sv, int64_t now);
/* Nobody is left who could still be waited for. */
bool children_stopped(const struct supervisor *sv);

/* Frees events and closes descriptors; signals nobody. */
void children_close(struct supervisor *sv);

/* The child that stands for its role in reports: the core in charge; else of
 * several slots the one in the worst state. */
const struct child *children_of(const struct supervisor *sv, enum role role);

#endif
