/*
 * Who this node is, as the metadata service said last. Empty text = absent or
 * not known yet; `known` tells the two apart.
 */
#ifndef CLOUD_IDENTITY_H
#define CLOUD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

struct identity {
	/* Since start or from the cache: the instance id is there, and region, target
	 * state and group were answered, or asked for a few times in vain. */
	bool known;
	char instance_id[LIMIT_FACT_TEXT], instance_type[LIMIT_FACT_TEXT], ami_id[LIMIT_FACT_TEXT];
	char private_ipv4[LIMIT_FACT_TEXT], public_ipv4[LIMIT_FACT_TEXT];
	char az[LIMIT_FACT_TEXT], az_id[LIMIT_FACT_TEXT], region[LIMIT_FACT_TEXT];
	char partition[LIMIT_FACT_TEXT], domain[LIMIT_FACT_TEXT];
	char vpc_id[LIMIT_FACT_TEXT], subnet_id[LIMIT_FACT_TEXT];
	char life_cycle[LIMIT_FACT_TEXT];
	char asg[LIMIT_HOST];               /* tag (also one that is gone while there is a
	                                     * target state), or configured; empty = none known */
	bool asg_known;                     /* the tag was answered (200 or 404), or configured */
	char target_state[LIMIT_FACT_TEXT]; /* "InService" ...; empty = 404 */
	bool target_state_known;
	int64_t target_state_at_ms; /* monotonic, when last answered; 0 = not since
	                                      * start, remembered from before */
};

struct worker;
struct imds;
struct identity_job;

/*
 * The job behind it: asks the metadata service for one thing after the other,
 * each again at its own jittered time, sends the facts, writes facts.json and
 * facts.env into run_dir and starts from what is remembered there. Keeps all
 * pointers; `now_ms` is monotonic. NULL when out of memory.
 */
struct identity_job *identity_new(const struct worker *worker, struct imds *imds,
                                  const char *run_dir, int64_t now_ms);
void identity_free(struct identity_job *job);

/* Asks what is due and reports what changed; all facts go out again every 10 s. */
void identity_turn(struct identity_job *job, int64_t now_ms);
int64_t identity_deadline(const struct identity_job *job);

/* Always current; the pointer stays the same for the job's life. */
const struct identity *identity_get(const struct identity_job *job);

/* Sends all facts of this job again (MSG_REFRESH). */
void identity_refresh(struct identity_job *job);

#endif
