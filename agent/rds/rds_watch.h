/*
 * The endpoint as a state machine: what is to be done next, and what is known.
 * Pure: the blocking calls are the caller's, time and chance are arguments.
 *
 *	         +--------- RESOLVE at the TTL, faster while it does not answer
 *	         v
 *	CONNECT ---> session ---> ASK every interval
 *	   ^            |
 *	   +-- back-off +-- lost; or DROP: the peer left the answer
 *
 * The name is followed at once when it moves, which is what a failover looks
 * like; but a name that moves to and fro is not (see rds_places.h): then a session
 * that answers is kept for a while, and a server that failed has its wait.
 *
 * One session at a time. A login is tried only while DNS answers, for then
 * the system's resolver, which the connector uses, will not hang either.
 */
#ifndef WNA_RDS_WATCH_H
#define WNA_RDS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "rds_outage.h"
#include "rds_places.h"
#include "rds_resolve.h"
#include "rds_trouble.h"

enum watch_action {
	WATCH_WAIT,    /* nothing until *ret_until_ms */
	WATCH_RESOLVE, /* ask DNS, then watch_resolved */
	WATCH_CONNECT, /* log in, then watch_connected or watch_failed */
	WATCH_ASK,     /* ask the session, then watch_answered or watch_failed */
	WATCH_DROP,    /* close the session, then watch_dropped */
	WATCH_SECRET,  /* see whether the refused password has been replaced */
	WATCH_ACTION_MAX
};

/* One question to the server, or one login that failed. */
struct watch_sample {
	int64_t start_ms, end_ms;
	enum rds_trouble trouble;
	char why[LIMIT_FACT_WHY]; /* with trouble */
	/* without trouble: */
	bool read_only;
	int64_t rtt_us;
	char version[LIMIT_FACT_TEXT];
};

struct watch {
	const struct conf_rds *conf;

	/* the name */
	struct rds_answer answer; /* count 0: none yet */
	bool name_ok;             /* the last resolution worked */
	char name_why[LIMIT_FACT_WHY];
	unsigned name_attempt;
	int64_t resolve_ms;

	/* the session */
	bool open;
	bool asked;           /* it has answered at least once */
	struct net_addr peer; /* while open */
	int64_t opened_ms;
	int64_t ask_ms;
	int64_t connect_ms;
	unsigned attempt;         /* failures of the kind `trouble` in a row */
	enum rds_trouble trouble; /* the last one; none while the session answers */
	int64_t secret_ms;        /* when to look at it again; INT64_MAX: it is not to blame */
	struct places places;

	/* what is known */
	enum rds_state state;
	int64_t since_ms;
	int64_t writable_ms; /* last time it was writable; INT64_MIN never */
	char why[LIMIT_FACT_WHY];
	int64_t rtt_us; /* -1 unknown */
	char version[LIMIT_FACT_TEXT];
	struct outage outage;

	struct {
		int64_t logins, failures, dropped, name_failures;
	} count;
};

void watch_init(struct watch *ret, const struct conf_rds *conf, int64_t now);

/*
 * An earlier process was refused with the very password that is in the file: no login
 * before `connect_ms`, unless it is replaced.
 */
void watch_restore_denied(struct watch *watch, int64_t now, unsigned attempt, int64_t connect_ms,
                          uint32_t random);

/* Answer to WATCH_SECRET. `replaced`: a login is tried at once. */
void watch_secret_seen(struct watch *watch, bool replaced, int64_t now, uint32_t random);

/* What waits for its turn after a failure is tried now. */
void watch_retry(struct watch *watch, int64_t now);

/* *ret_until_ms is set in any case: when to ask again if nothing happens. */
enum watch_action watch_next(const struct watch *watch, int64_t now, int64_t *ret_until_ms);

/* DNS said something; `answer` NULL: it failed, `why` tells. With an answer
 * `why` is empty or names the half that failed. */
void watch_resolved(struct watch *watch, int64_t start_ms, int64_t now,
                    const struct rds_answer *answer, const char *why, uint32_t random);

/* Logged in at `peer`, as the socket says. */
void watch_connected(struct watch *watch, int64_t now, const struct net_addr *peer);

/* The server answered. What that ended is in *ret and *ret_change (see outage_good). */
void watch_answered(struct watch *watch, const struct watch_sample *sample, uint32_t random,
                    enum outage_end *ret, struct rds_change *ret_change);

/* A login or question failed; the session, if there was one, is closed by the caller. */
void watch_failed(struct watch *watch, const struct watch_sample *sample, uint32_t random);

/* The session was closed because its peer is not in the answer. */
void watch_dropped(struct watch *watch, int64_t now, uint32_t random);

#endif
