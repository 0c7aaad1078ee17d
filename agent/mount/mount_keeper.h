/*
 * The keeper's decisions as a pure state machine in virtual time: when to mount, when
 * to probe, when to end a child that is late, and what to report. It knows neither
 * processes nor clocks: what happened is told to it together with `now`, and
 * keeper_step() answers what to do next.
 *
 *	attempt   OFF -> RUNNING -timeout-> INT -6 s-> TERM -2 s-> KILL -2 s-> STUCK -> OFF
 *	probe     OFF -> RUNNING -probe_timeout-> KILL -2 s-> STUCK -> OFF
 *
 * The signals go to the child's process group. INT comes first because mount.efs, a
 * Python program, cleans up on that alone. A child is gone when its process and its
 * whole group have ended: there is never a second one beside a living first.
 *
 * Nothing is ever mounted over something else. A lost mount is mounted again at once;
 * if that happens again before a probe has come through, with growing delays.
 *
 * Times are monotonic milliseconds.
 */
#ifndef WNA_MOUNT_KEEPER_H
#define WNA_MOUNT_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"

/* What is mounted on the path: the topmost mount in mountinfo, judged. */
struct keeper_look {
	enum mount_state state; /* MOUNT_ABSENT: nothing, and the rest is zero */
	bool names;             /* unverified until the server's name is resolved */
	int64_t id;
	char mark[LIMIT_FACT_TEXT]; /* mountinfo_mark: tells it from another of the same id */
	char text[LIMIT_FACT_TEXT], why[LIMIT_FACT_WHY]; /* as in FACT_MOUNT */
};

enum keeper_act {
	KEEPER_WAIT, /* nothing until keeper_next_ms */
	KEEPER_LOOK, /* look at mountinfo, then keeper_looked() */
	KEEPER_SAY,  /* send keeper_report() */
	KEEPER_SPOKEN,
	KEEPER_MOUNT, /* start an attempt; keeper_ended() if that failed, or when it is gone */
	KEEPER_GUARD, /* the same for a child that only guards the directory of a right mount */
	KEEPER_INT,   /* signals for the attempt's group */
	KEEPER_TERM,
	KEEPER_KILL,
	KEEPER_PROBE_START, /* start the probe; keeper_probe_gone() when it is gone */
	KEEPER_PROBE_ASK,   /* ask it for a sign of life of keeper->look.id, and first, if
	                   * look.names, for the addresses of the server's name */
	KEEPER_PROBE_KILL,
	KEEPER_ACT_MAX
};

enum keeper_state {
	KEEPER_OFF,
	KEEPER_RUNNING,
	KEEPER_ENDING_INT,
	KEEPER_ENDING_TERM,
	KEEPER_ENDING_KILL,
	KEEPER_STUCK, /* survived SIGKILL; due_ms: since when */
};

struct keeper_child {
	enum keeper_state state;
	int64_t due_ms;
};

struct keeper {
	const struct conf_mount *conf;

	struct keeper_look look; /* what is there */
	int64_t looked_ms;
	int64_t seen_ms;               /* since when the mount that is there is known */
	uint64_t serial;               /* counts the mounts that were seen there */
	int64_t sign, sign_ms;         /* as in FACT_MOUNT */
	char sign_why[LIMIT_FACT_WHY]; /* of a sign that is bad */
	char why[LIMIT_FACT_WHY];      /* why nothing is mounted */

	struct keeper_child attempt;
	int64_t retry_ms;             /* the next attempt, not before */
	char outcome[LIMIT_FACT_WHY]; /* of the last one, by its own account */

	struct keeper_child probe; /* due_ms: time limit of its question */
	int64_t start_ms;          /* it is not started before */
	int64_t probe_ms;          /* next question */
	uint64_t asked_serial;     /* the mount that it was asked about */
	uint64_t killed;           /* probes, since the start */

	int64_t first_ms, said_ms; /* the start; the last report */

	uint32_t random;
	unsigned tries;  /* attempts since a probe has come through */
	unsigned deaths; /* of probes by themselves, since the last answer */

	bool leaving; /* the agent is stopped: no new children */
	bool looked;  /* ever */
	bool look_now;
	bool lost;     /* a mount was lost, and no probe has come through since */
	bool guarding; /* the attempt is only for the guard */
	bool judging;  /* the attempt has ended; the next look says what came of it */
	bool guarded, guard_tried;
	bool asked; /* the probe has a question */
	bool named; /* a name server has answered since the mount is there */
	bool say, said, spoken;
	bool anew;   /* the mount was replaced: that it was lost is said first ... */
	bool losing; /* ... with this report */
};

void keeper_init(struct keeper *ret, const struct conf_mount *conf, uint32_t seed, int64_t now_ms);

/* What to do now: one act a call, until KEEPER_WAIT. */
enum keeper_act keeper_step(struct keeper *keeper, int64_t now_ms);

/* When to call keeper_step again at the latest, after KEEPER_WAIT. */
int64_t keeper_next_ms(const struct keeper *keeper);

/* mountinfo has changed. */
void keeper_event(struct keeper *keeper);

/* The answer to KEEPER_LOOK. */
void keeper_looked(struct keeper *keeper, const struct keeper_look *look, int64_t now_ms);

/* A mount helper of an earlier keeper lives, in the process group `group`, since `from_ms`. */
void keeper_former(struct keeper *keeper, int group, int64_t from_ms, int64_t now_ms);

/* The attempt has told what became of the guard. */
void keeper_guarded(struct keeper *keeper);

/* The attempt's process has ended, but not all of its group; may be said again and again. */
void keeper_lingers(struct keeper *keeper, int64_t now_ms);

/*
 * The attempt is gone. `status`: mount(8)'s exit code, 128 + n if killed by signal n,
 * -1 of a predecessor's helper; `said`: its words.
 */
void keeper_ended(struct keeper *keeper, int status, const char *said);

/* What the probe has found of the server's name; the next look uses it. */
void keeper_named(struct keeper *keeper);

/*
 * The probe's sign of life: us that it took, or -errno with a reason;
 * -ENODEV: the path leads to another mount.
 */
void keeper_signed(struct keeper *keeper, int64_t value, const char *why, int64_t now_ms);

void keeper_probe_gone(struct keeper *keeper, int64_t now_ms);

/* What was missing for an attempt is there: no more waiting. */
void keeper_retry(struct keeper *keeper, int64_t now_ms);

/* The agent is stopped: ends the children. */
void keeper_leave(struct keeper *keeper, int64_t now_ms);

/* That is done, but for a child that is stuck. */
bool keeper_left(const struct keeper *keeper);

/* It is the mount that was there at the last look. */
bool keeper_knows(const struct keeper *keeper, int64_t id, const char *mark);

/* FACT_MOUNT as it is now. */
void keeper_report(const struct keeper *keeper, int64_t now_ms, struct msg *ret);

/* Between mount_keeper.c, which takes what has happened, and mount_step.c, which says
 * what is due. */

enum {
	KEEPER_NAMES_MS = 4000,       /* longest wait for name servers */
	KEEPER_NAMES_GRACE_MS = 1000, /* a mount is not called unverified before */
};

bool keeper_there(const struct keeper *keeper);
/* Worth a sign of life: what is wrong for sure is left alone. */
bool keeper_ours(const struct keeper *keeper);
/* What cannot be verified yet is not reported while an attempt may be about to finish
 * it, or while the answer to the name is under way. */
bool keeper_pending(const struct keeper *keeper, int64_t now_ms);
void keeper_set(struct keeper_child *child, enum keeper_state state, int64_t due_ms);
uint32_t keeper_random(struct keeper *keeper);

#endif
