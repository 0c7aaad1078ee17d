/*
 * The core without its sockets: facts go in, the verdict and its history come
 * out. It reads no clock and does no I/O but log lines, so the simulator runs it on
 * a virtual one.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core_judge.h"
#include "core_state.h"
#include "core_timeline.h"
#include "hub.h"
#include "snapshot.h"

struct core_ops {
	/* The level of /healthz or /readyz became another, or the core accepts. May be
	 * NULL. */
	void (*changed)(void *ctx);
	void *ctx;
};

struct core_since {
	enum verdict_level level;
	int64_t at_ms;   /* monotonic */
	int64_t wall_ms; /* the same instant as Unix time */
};

struct core {
	struct state state;
	struct verdict verdict;
	struct timeline timeline;
	struct core_since health, ready, job[JOB_MAX], check[LIMIT_CHECKS];
	struct core_ops ops;
	int64_t started_wall_ms;
	unsigned silent;  /* bits of the roles whose job is on and that have not spoken yet */
	bool accepting;   /* requests may be answered: when `silent` is 0, or some time
	                   * after the start */
	bool was_healthy; /* /healthz has been 200 since this core started */
};

/*
 * How long a core that starts waits for its finders at most; connects wait in the
 * listener meanwhile. The local jobs alone (mount, checks) turn /healthz, and their
 * processes never block, so they get the time that a busy machine needs to start all
 * services anew: a hasty 503 takes a good node out. A process of another job may be
 * in a call that takes longer; the core does not wait for it.
 */
enum { CORE_ACCEPT_MS = 600, CORE_ACCEPT_LOCAL_MS = 2000 };

/* Call core_step next. */
void core_init(struct core *core, const struct snapshot *snapshot, const struct core_ops *ops,
               int64_t now_ms, int64_t wall_ms);

/* Takes one fact that a peer of `role` says, and acts on it. 0 and *ret_slot, or the
 * refusal of facts_take. */
int core_take(struct core *core, enum role role, const struct msg *msg, int64_t now_ms,
              int64_t wall_ms, unsigned *ret_slot);

/* A finder has said all that it knows. */
void core_spoken(struct core *core, enum role role, int64_t now_ms, int64_t wall_ms);

/* A finder has connected, or its connection has ended. */
void core_link(struct core *core, enum role role, bool up, bool other_conf, int pid,
               int64_t wall_ms);

/* Does what is due: the verdict and its log lines. At core_next_ms, or earlier. */
void core_step(struct core *core, int64_t now_ms, int64_t wall_ms);

/* When core_step has something to do even if nothing arrives. */
int64_t core_next_ms(const struct core *core);

/* The message that tells the verdict of now to a listener. */
void core_verdict(const struct core *core, struct msg *ret);

/* The message that tells a fact; false if nothing has been heard of it. */
bool core_fact(const struct core *core, enum fact_id id, unsigned slot, struct msg *ret);

#endif
