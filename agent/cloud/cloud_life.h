/*
 * The node's lifecycle: starting, warming, in service, draining, drained, gone.
 */
#ifndef CLOUD_LIFE_H
#define CLOUD_LIFE_H

#include "cloud_push.h"
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
	int connections;    /* clients' at the web port; -1 not known */
	const char *cannot; /* why AWS cannot be called; "": it can */
	int64_t unsent;     /* metrics that CloudWatch has not accepted yet */
};

/*
 * cloud_hook.c: the lifecycle hooks of the Auto Scaling group (EC2 Auto Scaling User Guide, "Amazon
 * EC2 Auto Scaling lifecycle hooks"; on the wire as botocore's model of autoscaling/2011-01-01 has
 * it); pure.
 */
enum life_episode {
	EPISODE_NONE,
	EPISODE_POOL,   /* into the warm pool */
	EPISODE_LAUNCH, /* into service, also out of the warm pool */
	EPISODE_RETURN, /* out of service, back into the warm pool: the group's terminate hook */
	EPISODE_END,
	EPISODE_MAX
};

enum life_call { HOOK_NO_CALL, HOOK_HEARTBEAT, HOOK_CONTINUE, HOOK_ABANDON };

enum {
	HOOK_BEAT_MS = 20 * 1000,     /* a hook's shortest time-out is 30 s */
	HOOK_FLUSH_MS = 10 * 1000,    /* for the metrics, at the end */
	HOOK_EARLY_MS = 15 * 1000,    /* the action may not wait yet: asked again, ... */
	HOOK_LATE_MS = 2 * 60 * 1000, /* ... in a launch until then: there is no hook */
	/* Calls that fail go on for so long after the launch deadline. */
	HOOK_GRACE_MS = 2 * 60 * 1000,
	/* The longest deregistration delay of a target group is one hour. */
	HOOK_LEAVE_MS = 65 * 60 * 1000,
	HOOK_DENIED_MS = 60 * 1000, /* a new role's rights come late */
	HOOK_BACKOFF_MS = 1000,
	HOOK_BACKOFF_MAX_MS = 30 * 1000,
};

struct life_hook {
	enum life_episode episode;
	int64_t since_ms;
	bool over;                /* no call is left to make */
	bool released;            /* a launch goes on, though AWS did not accept CONTINUE */
	bool abandoned;           /* AWS accepted ABANDON */
	bool idle;                /* `why`: AWS says that no action waits, which is no fault */
	unsigned missing;         /* jobs that were not well, as bits */
	int64_t due_ms;           /* no call before that */
	int64_t beat_ms;          /* of the next heartbeat */
	unsigned attempt;         /* calls in a row without an answer of AWS that decides */
	char why[LIMIT_FACT_WHY]; /* why the hook is not completed; "" */
};

/* Begins an episode if the target state is another one's; NULL: not known. True if it began. */
bool hook_begin(struct life_hook *hook, const char *target_state, int64_t now_ms);

/* The configured name of the episode's hook; "" if there is none. */
const char *hook_name(const struct life_hook *hook, const struct conf_life *conf);

/* Whether the node leaves the service in this episode. */
bool hook_leaves(const struct life_hook *hook);

/* Whether the node waits for its completion. */
bool hook_holds(const struct life_hook *hook, const struct conf_life *conf);

/* The call that is due now. None while one is under way: do not ask then. */
enum life_call hook_due(struct life_hook *hook, const struct conf_life *conf,
                        const struct life_seen *seen, int64_t now_ms);

/* Takes the answer to `call`. */
void hook_answer(struct life_hook *hook, enum life_call call, const struct cwatch_answer *answer,
                 int64_t now_ms);

/* The body of the request. */
void hook_body(struct sb *sb, enum life_call call, const char *hook, const char *group,
               const char *instance);

struct life {
	enum life_state state;
	enum life_cause cause;
	bool served;       /* in service once since boot: a later failure is no start */
	int64_t drain_ms;  /* since when the node drains, perhaps before the boot; 0: it does not */
	int64_t active_ms; /* when a client's connection was seen last, or the drain began */
	struct life_hook hook;
	char why[LIMIT_FACT_WHY], next[LIMIT_FACT_TEXT];
};

/* "Warmed:Stopped" and others; "Terminated", "Warmed:Terminated". NULL is neither. */
bool life_in_pool(const char *target_state);
bool life_ends(const char *target_state);

/* Fills the state, its reason and the next step. `seen->connections` counts while the node
 * drains only. */
void life_decide(struct life *life, const struct conf_life *conf, const struct life_seen *seen,
                 int64_t now_ms);

/*
 * cloud_life_save.c: what the next process must know before the metadata answers. A file in run_dir
 * has all of it; it is of this boot, hence of this instance. A file in state_dir has the order to
 * drain, for the instance whose ID is in it, and no clone.
 */

/* An answer of the metadata, the last one of this boot. */
struct life_memo {
	bool known;
	char text[LIMIT_FACT_TEXT];
};

enum { LIFE_SAVED_MAX = 6 * (4 * LIMIT_FACT_TEXT + LIMIT_HOST) + 512 };

struct life_saved {
	struct life_memo instance, target_state, spot;
	bool ordered;                /* wnactl drain */
	char owner[LIMIT_FACT_TEXT]; /* ordered before this boot, on this instance; else "" */
	char text[LIFE_SAVED_MAX];   /* of the file */
};

/* Takes a text, unless it is NULL. The memo's; NULL if none is known. */
const char *memo_take(struct life_memo *memo, const char *text);

/* Fills `ret` and what a process keeps in `life`. False if there is no file, or a damaged one. */
bool life_load(const char *dir, const struct conf_life *conf, int64_t now_ms, struct life *life,
               struct life_saved *ret);

/* Writes the file if it changes. */
void life_save(const char *dir, const struct conf_life *conf, const struct life *life,
               struct life_saved *saved);

/* The order; `at_ms` is Unix time. 0; -ENOENT there is none; -EBADMSG the file is damaged or has no
 * instance ID; others. */
int drain_load(const char *dir, int64_t wall_ms, int64_t *ret_at_ms, char *ret_owner, size_t size);
int drain_save(const char *dir, int64_t at_ms, const char *owner);
int drain_remove(const char *dir);

/* cloud_life_job.c: what wna-cloud does about it. */
struct life_job;

/* The jobs around it. */
struct life_deps {
	const struct worker *worker;
	const struct identity *identity;
	struct http *http;
	struct creds_store *creds;
	struct push *push;
};

/* Copies `deps`. Sends FACT_LIFECYCLE. NULL when out of memory. */
struct life_job *life_job_new(const struct life_deps *deps, int64_t now_ms, int64_t wall_ms);
void life_job_free(struct life_job *job);

/* wnactl drain, undrain. */
void life_job_order(struct life_job *job, bool drain, int64_t now_ms);

/* The machine stops: the order holds until then. */
void life_job_stop(struct life_job *job, int64_t now_ms);

/* Takes a HUB_VERDICT. */
void life_job_verdict(struct life_job *job, const struct msg *verdict);

/* Decides, reports, and calls AWS if a hook is due. Returns when it is needed again. */
int64_t life_job_turn(struct life_job *job, int64_t now_ms, int64_t wall_ms);

#endif
