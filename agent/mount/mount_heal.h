/*
 * Whether the mount answers, and what repairs it: a pure state machine, part of the keeper's.
 *
 *	absent -> mounting -> serving -> slow -> hung -> repairing -> serving
 *
 * A mount is hung if a probe has waited HEAL_PENDING_MS and no reply at all has come for
 * HEAL_STILL_MS, or if no process listens on the port of its proxy in two readings. While
 * replies come, it is slow, and never repaired: under the heaviest load of the experiments the
 * longest time without a reply was 4.2 s.
 *
 * The repair is a new proxy on the same port; the kernel's NFS client then sends its requests
 * again, and no open file notices. While the mount target is silent, it helps only by way of
 * another target of the same file system, which is tried after HEAL_AWAY_MS. At most once in
 * HEAL_GAP_MS, SERVICE_TRIES_MAX times without success. An operator may have one at any time.
 *
 * If all of them fail, and the mount has not answered for HEAL_FORCE_MS, repair = force gives the
 * mount up, once, and mounts anew: open files fail for good, and what was not synced is lost.
 */
#ifndef WNA_MOUNT_HEAL_H
#define WNA_MOUNT_HEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fact.h"
#include "hub.h"

enum {
	HEAL_PENDING_MS = 5000,
	HEAL_STILL_MS = 8000,
	HEAL_GAP_MS = 60000,
	HEAL_AWAY_MS = 30000,
	HEAL_FORCE_MS = 5 * 60 * 1000,
	HEAL_SPAWN_MS = 5000,  /* in which the watchdog of efs-utils starts a proxy, or the keeper's
	                        * own listens */
	HEAL_ANSWER_MS = 10000 /* from LISTEN until replies come */
};

/* What the connection of the proxy to the server does. */
enum heal_flow {
	FLOW_UNKNOWN,
	FLOW_STUCK, /* the server does not acknowledge, or does not complete a new connection */
	FLOW_HELD,  /* the proxy does not forward what it has */
	FLOW_ACKED, /* the server acknowledges */
};

/* One reading of the kernel's tables (mount_watch.c). */
struct heal_reading {
	bool nfs;          /* mountstats has the mount */
	int64_t recvs;     /* replies that its connections have received */
	bool idle;         /* a probe waits, but no request waits at the server */
	uint64_t listener; /* inode of the socket that listens on the proxy's port; 0: none does */
	bool unseen;       /* the kernel did not tell `listener` */
	/* If the reading was a full one: */
	bool watchdog; /* the watchdog of efs-utils runs */
	enum heal_flow flow;
};

enum heal_step {
	HEAL_IDLE,
	HEAL_SPAWNING, /* waits for LISTEN: the watchdog may start a proxy */
	HEAL_STARTING, /* the same, of the proxy that the keeper has started */
	HEAL_ANSWERING /* waits for replies */
};

struct heal {
	enum service_state state;
	enum service_cause cause;
	int64_t since_ms; /* of `state` */

	struct heal_reading reading;
	bool full;        /* the next reading is a full one */
	uint64_t serial;  /* keeper.serial of the readings */
	int64_t read_ms;  /* the next reading is due */
	int64_t still_ms; /* no reply since */
	int64_t deaf_ms;  /* no LISTEN since; 0: a process listens */
	int64_t clear_ms; /* time before it does not count as waiting of a probe */

	bool asking;       /* whether the target accepts connections */
	bool asked;        /* `reached` is an answer of this hang */
	bool reached;      /* it does */
	bool other;        /* another target of the file system does */
	int64_t ask_ms;    /* the next question is due */
	int64_t silent_ms; /* it has accepted none since; 0: it does, or was not asked */

	enum heal_step step;
	int64_t step_ms;            /* its limit */
	int64_t repair_ms;          /* begin of the last repair */
	uint64_t ended;             /* listener of the proxy that was killed */
	unsigned tries;             /* as SERVICE_TRIES */
	unsigned repairs;           /* as SERVICE_REPAIRS */
	bool stall_tried;           /* the one repair of a stalled server */
	bool forced;                /* the mount was given up, and no later one has answered */
	bool wanted;                /* an operator wants a repair now */
	bool asked_for;             /* an operator has asked for the last repair */
	char told[LIMIT_FACT_TEXT]; /* the last repair and its outcome */
};

#endif
