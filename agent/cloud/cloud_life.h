/*
 * The node's life cycle: starting, warming, in service, draining, drained, gone.
 */
#ifndef CLOUD_LIFE_H
#define CLOUD_LIFE_H

#include "cloud_identity.h"
#include "verdict.h"

/* cloud_life.c: decides; pure. */

enum {
	/* The jobs of this node itself: metrics and identity can wait. */
	LIFE_JOBS = 1 << JOB_MOUNT | 1 << JOB_CHECKS | 1 << JOB_DATABASE,
	/* A spot instance ends two minutes after its notice, which is seen within state_refresh. */
	LIFE_SPOT_MS = 90 * 1000,
};

/* All that the decision may look at beside configuration and clock. */
struct life_seen {
	const char *target_state;                        /* "" in no group; NULL not known */
	bool heard;                                      /* the core has told its verdict */
	unsigned well;                                   /* jobs, as bits (HUB_VERDICT) */
	const char *spot_action, *rebalance, *scheduled; /* notices; NULL or "": none */
	bool ordered;                                    /* wnactl drain */
	int connections; /* clients' at the web port; -1 not known */
};

struct life {
	enum life_state state;
	enum life_cause cause;
	bool served;       /* in service once since boot: a later failure is no start */
	int64_t drain_ms;  /* since when the node drains; may be before the boot */
	int64_t active_ms; /* when a client's connection was seen last, or the drain began */
	char why[LIMIT_FACT_WHY], next[LIMIT_FACT_TEXT];
};

/* Fills the state, its reason and the next step. `seen->connections` counts while the node
 * drains only. */
void life_decide(struct life *life, const struct conf_life *conf, const struct life_seen *seen,
                 int64_t now_ms);

/*
 * cloud_life_job.c: what wna-cloud does about it. The drain is a file in the worker's state_dir: it
 * holds across restarts of all processes and of the machine, on this instance. That the node has
 * been in service is a file in run_dir, hence of this boot.
 */
struct life_job;

/* Keeps all pointers. Sends FACT_LIFECYCLE. NULL when out of memory. */
struct life_job *life_job_new(const struct worker *worker, const struct identity *identity,
                              int64_t now_ms, int64_t wall_ms);
void life_job_free(struct life_job *job);

/* wnactl drain, undrain. */
void life_job_order(struct life_job *job, bool drain, int64_t now_ms, int64_t wall_ms);

/* Takes a HUB_VERDICT. */
void life_job_verdict(struct life_job *job, const struct msg *verdict);

/* Decides and reports. Returns when it is needed again. */
int64_t life_job_turn(struct life_job *job, int64_t now_ms);

#endif
