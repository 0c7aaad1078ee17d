/*
 * The core without its sockets: facts go in, orders come out, the verdict and
 * its history lie between. It reads no clock and does no I/O but log lines, so
 * the simulator runs it on a virtual one.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "judge.h"
#include "msg.h"
#include "state.h"
#include "timeline.h"

struct core_ops {
	/* Sends one order to wnad without waiting. 0 or -errno (it is lost). */
	int (*order)(void *ctx, const struct order *order);
	/* The level of /healthz or /readyz became another. May be NULL. */
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
	int64_t beat_due_ms, repeat_due_ms, hook_due_ms;
	int64_t accept_ms; /* from then on requests are taken, facts or none */
	bool first;        /* no core before this one since the agent started */
	bool accepting;    /* requests may be answered: at once at a first start; after a
	                    * restart when wna-mount has spoken (where no mount is configured
	                    * any worker), or after a short while */
	bool was_healthy;  /* /healthz has been 200 since this core started */
	bool inherited;    /* as of the last verdict */
	bool hook_pending; /* a hook is to be run, but could not be ordered yet */
	int64_t hook_seen; /* the value of FACT_RDS_CHANGE acted on; 0 none */
	uint64_t orders_lost;
};

/*
 * `resumed` is worker.arg: 0 at the first start since the agent started, else
 * 1 + the last /healthz level of the core before; anything else counts as 0.
 * Orders nothing yet; call core_step next.
 */
void core_init(struct core *core, const struct conf *conf, unsigned resumed, uint32_t seed,
               const struct core_ops *ops, int64_t now_ms, int64_t wall_ms);

/* Takes one message from wnad and acts on it. 0, or the refusal of facts_take. */
int core_take(struct core *core, const struct envelope *envelope, int64_t now_ms, int64_t wall_ms);

/* Does what is due: orders, the verdict, its log lines. At core_next_ms, or earlier. */
void core_step(struct core *core, int64_t now_ms, int64_t wall_ms);

/* When core_step has something to do even if nothing arrives. */
int64_t core_next_ms(const struct core *core);

/* Asks wnad to read the configuration again. 0 or -errno. */
int core_reload(struct core *core);

#endif
