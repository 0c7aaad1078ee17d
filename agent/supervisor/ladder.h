/*
 * The life of one child as a pure state machine: when to start it, when to ask
 * it to leave, when to kill, when to give up on it, when to start it again. It
 * knows neither processes nor clocks: what happened is told to it together
 * with `now`, and ladder_tick() answers what is to be done.
 *
 *	OFF -> BACKOFF -> RUNNING -> TERM -2 s-> KILL -2 s-> STUCK -> (ended)
 *
 * All signals go to the child's process group. A child has ended when its
 * leader is dead *and* its group is empty: a helper that outlives its leader
 * keeps the slot taken, climbs the same ladder and may end up stuck. Between TERM
 * and KILL it may take its time to tidy up, though its leader be gone. Processes
 * that left the group on purpose (setsid: the TLS proxy of EFS) are spared.
 *
 * Times are monotonic milliseconds.
 */
#ifndef SUPERVISOR_LADDER_H
#define SUPERVISOR_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "role.h"

enum {
	LADDER_TERM_MS = 2000,       /* from TERM to KILL */
	LADDER_KILL_MS = 2000,       /* from KILL to stuck */
	LADDER_LOOK_MS = 100,        /* between looks whether a group is empty */
	LADDER_STUCK_LOOK_MS = 1000, /* the same once it is stuck */
	LADDER_BACKOFF_MS = 200,     /* second restart in a row; the first has no delay */
	LADDER_REOPEN_MS = 1000,     /* after WORKER_EXIT_REOPEN */
	LADDER_BACKOFF_CAP_MS = 30000,
	LADDER_HEALTHY_MS = 60000, /* alive for so long: restarts count from 0 again */
};

#define LADDER_NEVER INT64_MAX

/* What the caller has to do now. */
enum ladder_act {
	LADDER_WAIT,    /* nothing */
	LADDER_START,   /* start it, then ladder_started() or ladder_not_started() */
	LADDER_TERM,    /* SIGTERM to the group */
	LADDER_KILL,    /* SIGKILL to the group */
	LADDER_LOOK,    /* leader is dead: is the group empty? then ladder_gone(); while it
	                 * lingers, first ladder_headless() */
	LADDER_GAVE_UP, /* now stuck: nothing to do but to say so */
	LADDER_ACT_MAX
};

enum ladder_end {
	LADDER_END_ORDINARY,
	LADDER_END_REOPEN, /* asked for fresh descriptors */
};

struct ladder {
	enum child_state state;
	bool resident;      /* started again for as long as it is wanted */
	bool late_kills;    /* a late one is killed without being asked first */
	bool wanted;        /* residents only */
	bool leaving;       /* on its way out as planned: not late, not a failure */
	bool again;         /* planned restart: no back-off */
	bool headless;      /* the leader is dead, its group is not */
	int64_t limit_ms;   /* resident: longest silence; one-shot: whole run */
	int64_t due_ms;     /* next step */
	int64_t look_ms;    /* next LADDER_LOOK */
	int64_t started_ms; /* of the current or last run */
	int64_t alive_ms;   /* last sign of life of that run */
	unsigned attempt;   /* failures in a row */
	unsigned starts;
};

/* OFF and not wanted. `limit_ms` as in struct ladder. */
void ladder_init(struct ladder *ret, bool resident, bool late_kills, int64_t limit_ms);

/* Residents: whether it shall run. Taking the wish back asks a running one to
 * leave at once. */
void ladder_want(struct ladder *ladder, bool wanted, int64_t now);

/* One-shots: start one run of at most `limit_ms`. False while the last one is
 * still there, in whatever state. */
bool ladder_order(struct ladder *ladder, int64_t limit_ms, int64_t now);

/* A running child shall leave by itself within `grace_ms`, then the ladder
 * begins. A resident one is not started again (its wish is taken back). */
void ladder_leave(struct ladder *ladder, int64_t grace_ms, int64_t now);

/* Residents: ends it with the ladder and starts it anew without back-off;
 * one waiting in back-off is started at once. */
void ladder_restart(struct ladder *ladder, int64_t now);

/* Answers to LADDER_START. */
void ladder_started(struct ladder *ladder, int64_t now);
void ladder_not_started(struct ladder *ladder, int64_t now, uint32_t random);

/* A sign of life. */
void ladder_alive(struct ladder *ladder, int64_t now);

/* It broke the contract (closed its socket): if it lives on, it is late at `at`. */
void ladder_fail(struct ladder *ladder, int64_t at);

/* The caller itself slept `late_ms` longer than it meant to (a paused machine, a
 * starved one): then the child's silence proves nothing, and it gets as much more. */
void ladder_excuse(struct ladder *ladder, int64_t late_ms);

/* The leader is dead, its group is not. True if that was asked to leave and has time
 * left: the caller lets it, keeps the leader a zombie, so that the group's number
 * stays its own, and will be asked to look, or to kill. */
bool ladder_lingers(struct ladder *ladder, int64_t now);

/* The leader is dead; the caller has just sent SIGKILL to what is left of its
 * group. Unless it finds the group empty (ladder_gone) it will be asked to look. */
void ladder_headless(struct ladder *ladder, int64_t now);

/* Leader dead and group empty. */
void ladder_gone(struct ladder *ladder, enum ladder_end how, int64_t now, uint32_t random);

/* What is due at `now`: at most one act a call; call again until LADDER_WAIT. */
enum ladder_act ladder_tick(struct ladder *ladder, int64_t now);

/* When to tick next at the latest; LADDER_NEVER if only an event can help. */
int64_t ladder_next(const struct ladder *ladder);

/* Whether a process of this child may exist. */
bool ladder_occupied(const struct ladder *ladder);

#endif
