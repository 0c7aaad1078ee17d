/*
 * The keeper's decisions as a pure state machine: when to mount, when to probe, when to end a
 * child that is late, and what to report. It uses neither processes nor clocks: its caller
 * tells it what has happened, and `now_ms`, and keeper_step() says what to do.
 *
 *	attempt   OFF -> RUNNING -timeout-> INT -6 s-> NFS -2 s-> KILL -2 s-> STUCK -> OFF
 *	probe     OFF -> RUNNING -probe_timeout, NFS 90 s-> KILL -2 s-> STUCK -> OFF
 *
 * INT and KILL are for the process group of the attempt. INT is the first, since mount.efs, a
 * Python program, cleans up only then; NFS is SIGKILL to mount.nfs alone, for which mount.efs
 * may still wait. A child is gone when its whole group has ended: there is never a second one
 * while the first one lives.
 *
 * A probe that hangs in NFS is left alone for 90 s: it returns when the mount answers again, and
 * each new one would keep a dead connection alive, which stunnel ends when it has been idle for 70 s.
 *
 * Nothing is ever mounted over another mount. A lost mount is mounted again at once. If it is
 * lost again before a probe was answered, the delays grow.
 *
 * Times are monotonic milliseconds.
 */
#ifndef WNA_MOUNT_KEEPER_H
#define WNA_MOUNT_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "mount_heal.h"
#include "net.h"

/* What is mounted on the path: the topmost mount in mountinfo, judged. */
struct keeper_look {
	enum mount_state state; /* MOUNT_ABSENT: nothing, and the rest is zero */
	bool names;             /* an answer about the server's name may change the state */
	int64_t id;
	struct net_addr server;     /* of an NFS mount; family 0: it is none */
	uint16_t port;              /* of the proxy on 127.0.0.1; 0: the mount has none */
	char mark[LIMIT_FACT_TEXT]; /* mountinfo_mark: a later mount of this id has another */
	char text[LIMIT_FACT_TEXT], why[LIMIT_FACT_WHY]; /* as in FACT_MOUNT */
};

enum keeper_act {
	KEEPER_WAIT,     /* nothing until keeper_next_ms */
	KEEPER_LOOK,     /* look at mountinfo, then keeper_looked() */
	KEEPER_SAY,      /* send keeper_report() */
	KEEPER_SPOKEN,   /* tell the hub that all has been said once */
	KEEPER_MOUNT,    /* start an attempt; keeper_ended() if that failed, or when it is gone */
	KEEPER_GUARD,    /* the same for a child that only guards the directory of a right mount */
	KEEPER_INT,      /* a signal for the attempt's group */
	KEEPER_KILL_NFS, /* SIGKILL for each mount.nfs of the group */
	KEEPER_KILL,
	KEEPER_PROBE_START, /* start the probe; keeper_probe_gone() when it is gone */
	KEEPER_PROBE_ASK,   /* ask it for a sign of life of the mount keeper->look.id; if
	                     * look.names, first for the addresses of the server's name */
	KEEPER_PROBE_KILL,
	KEEPER_READ,        /* read the kernel's tables, then keeper_read() */
	KEEPER_REACH,       /* ask whether the target accepts connections, then keeper_reached()
	                     * or keeper_unreached() */
	KEEPER_PROXY_KILL,  /* end the process that listens on look.port; keeper_failed() if there
	                     * is none that may be ended */
	KEEPER_PROXY_AWAY,  /* the same, and the next proxy goes to the other target */
	KEEPER_PROXY_START, /* start a proxy; keeper_failed() if that failed */
	KEEPER_GIVE_UP,     /* give the mount up (mount.h), then keeper_given_up() */
	KEEPER_ACT_MAX
};

enum keeper_state {
	KEEPER_OFF,
	KEEPER_RUNNING,
	KEEPER_ENDING_INT,
	KEEPER_ENDING_NFS,
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
	int64_t seen_ms;               /* when this mount was first seen */
	uint64_t serial;               /* counts the mounts that have been there */
	int64_t sign, sign_ms;         /* as in FACT_MOUNT */
	char sign_why[LIMIT_FACT_WHY]; /* why the sign is bad; empty: it is not */
	char why[LIMIT_FACT_WHY];      /* why nothing is mounted */

	struct keeper_child attempt;
	int64_t retry_ms;             /* the next attempt begins no earlier */
	char outcome[LIMIT_FACT_WHY]; /* of the last attempt, from its own output */

	struct keeper_child probe; /* due_ms: when it is killed */
	int64_t start_ms;          /* it is started no earlier */
	int64_t probe_ms;          /* the next question */
	int64_t asked_ms;          /* of the first question without an answer about the mount;
	                            * INT64_MAX: the probe is still at the server's name */
	int64_t late_ms;           /* an answer of it is waited for before the first report */
	uint64_t asked_serial;     /* the mount of the question */
	uint64_t killed;           /* probes, since the start */

	struct heal heal;

	int64_t first_ms, said_ms; /* of the start; of the last report */

	uint32_t random;
	unsigned tries;  /* attempts since a probe was answered */
	unsigned deaths; /* probes that ended by themselves, since the last answer */

	bool leaving;  /* the service is stopped: no new children */
	bool looked;   /* at least once */
	bool look_now; /* a look is due */
	bool lost;     /* a mount was lost, and no probe was answered since */
	bool guarding; /* the attempt only guards the directory */
	bool judging;  /* the attempt has ended; the next look shows its result */
	bool guarded, guard_tried;
	bool asked;      /* the probe has a question */
	bool unanswered; /* that one, or the one before it, which was killed */
	bool named;      /* there was an answer about the name since the mount appeared */
	bool say;        /* a report is due */
	bool said, spoken;
	bool anew;   /* another mount has replaced a lost one: the loss is reported first */
	bool losing; /* the next report is of that loss */
};

void keeper_init(struct keeper *ret, const struct conf_mount *conf, uint32_t seed, int64_t now_ms);

/* What to do now. Call it until it returns KEEPER_WAIT. */
enum keeper_act keeper_step(struct keeper *keeper, int64_t now_ms);

/* After KEEPER_WAIT: when to call keeper_step again at the latest. */
int64_t keeper_next_ms(const struct keeper *keeper);

/* mountinfo has changed. */
void keeper_event(struct keeper *keeper);

/* The result of KEEPER_LOOK. */
void keeper_looked(struct keeper *keeper, const struct keeper_look *look, int64_t now_ms);

/* A mount helper of an earlier keeper lives, in the process group `group`, since `from_ms`. */
void keeper_former(struct keeper *keeper, int group, int64_t from_ms, int64_t now_ms);

/* The attempt has reported the guard. */
void keeper_guarded(struct keeper *keeper);

/* The attempt's process has ended, but not all of its group; may be told again and again. */
void keeper_lingers(struct keeper *keeper, int64_t now_ms);

/*
 * The attempt is gone. `status`: mount(8)'s exit code, 128 + n if signal n has killed it, -1 if
 * it was the helper of an earlier keeper. `said`: attempt_said() of its output.
 */
void keeper_ended(struct keeper *keeper, int status, const char *said);

/* There is an answer about the server's name, which the next look uses. */
void keeper_named(struct keeper *keeper, int64_t now_ms);

/* The probe's answer: us that it took, or -errno with a reason; -ENODEV the path leads to another
 * mount. */
void keeper_signed(struct keeper *keeper, int64_t value, const char *why, int64_t now_ms);

/* The result of KEEPER_READ. */
void keeper_read(struct keeper *keeper, const struct heal_reading *reading, int64_t now_ms);

/* The result of KEEPER_REACH: whether the target, and another one, accept connections. */
void keeper_reached(struct keeper *keeper, bool reached, bool other, int64_t now_ms);

/* KEEPER_REACH has no result: the question could not be asked, or was not answered. */
void keeper_unreached(struct keeper *keeper, int64_t now_ms);

/* An operator wants a repair now, whatever the limits and the configuration say. NULL; or why there
 * will be none. */
const char *keeper_repair(struct keeper *keeper, int64_t now_ms);

/* What the report says about the last repair. */
void keeper_tell(struct keeper *keeper, const char *text);

/* KEEPER_GIVE_UP is done, or has failed. */
void keeper_given_up(struct keeper *keeper, const char *outcome);

/* KEEPER_PROXY_KILL or KEEPER_PROXY_START has failed. */
void keeper_failed(struct keeper *keeper, const char *why, int64_t now_ms);

void keeper_probe_gone(struct keeper *keeper, int64_t now_ms);

/* The next attempt does not wait any longer. */
void keeper_retry(struct keeper *keeper, int64_t now_ms);

/* The service is stopped: ends the children. */
void keeper_leave(struct keeper *keeper, int64_t now_ms);

/* Whether all children have ended, except one that is stuck. */
bool keeper_left(const struct keeper *keeper);

/* Whether this mount was there at the last look. */
bool keeper_knows(const struct keeper *keeper, int64_t id, const char *mark);

/* The reports: FACT_MOUNT, and FACT_MOUNT_SERVICE. */
void keeper_report(const struct keeper *keeper, int64_t now_ms, struct msg *ret);
void keeper_report_service(const struct keeper *keeper, struct msg *ret);

/* Shared by mount_keeper.c, which is told what has happened, mount_step.c, which says what is
 * due, mount_heal.c, mount_repair.c and mount_report.c. */

enum {
	KEEPER_NAMES_MS = 4000,       /* longest wait for name servers */
	KEEPER_NAMES_GRACE_MS = 1000, /* a new mount is called unverified no earlier */
	KEEPER_PATIENCE_MS = 90000,   /* a probe that hangs in NFS is killed no earlier */
};

/* Something is mounted. */
bool keeper_there(const struct keeper *keeper);
/* It is right or not verified yet: it is probed. */
bool keeper_ours(const struct keeper *keeper);
/* The mount is not verified yet, and not reported: an attempt may still finish it, or an answer
 * about the name may come. */
bool keeper_pending(const struct keeper *keeper, int64_t now_ms);

/* Between two reports without a change: an old one means that the keeper does not live. */
int64_t keeper_say_ms(const struct keeper *keeper);
void keeper_set(struct keeper_child *child, enum keeper_state state, int64_t due_ms);
uint32_t keeper_random(struct keeper *keeper);
/* The mount has answered the probe. */
void heal_answered(struct keeper *keeper, int64_t now_ms);
enum keeper_act heal_step(struct keeper *keeper, int64_t now_ms);
int64_t heal_next_ms(const struct keeper *keeper);

void heal_enter(struct keeper *keeper, enum service_state state, int64_t now_ms);
void heal_blame(struct keeper *keeper, enum service_cause cause);
/* The outcome of the last repair, for the report. */
void heal_tell(struct keeper *keeper, const char *outcome);
/* The next act of a repair, or the first one of a new repair. */
enum keeper_act heal_repair(struct keeper *keeper, int64_t now_ms);

/* When a repair may begin; INT64_MAX: the cause must change before. */
int64_t heal_due_ms(const struct keeper *keeper);

#endif
