/*
 * The pure part of wna-rds: what is known of the endpoint, and what happens next. Nothing
 * here blocks, logs or reads a clock: the caller passes time and random numbers.
 *
 *	rds_trouble.c  the client library's errors, what they mean, how long to wait
 *	rds_outage.c   how long writes were out, as an interval
 *	rds_places.c   the endpoint's addresses, and the back-off of each
 *	rds_watch.c    the endpoint as a state machine
 *	rds_stale.c    the addresses whose connections are of no use
 *
 * Times are monotonic milliseconds, unless the name says "wall" (Unix time in ms).
 */
#ifndef WNA_RDS_WATCH_H
#define WNA_RDS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "net.h"

/* rds_trouble.c */

/* "network", "stalled" ...: for rds.json. */
const char *trouble_name(enum rds_trouble trouble);

/* What it means, for people: "the server is full". */
const char *trouble_text(enum rds_trouble trouble);

/* The kind of an error number. `connecting`: the login was not complete yet. */
enum rds_trouble trouble_from_error(unsigned number, bool connecting);

/*
 * Time until the next login after `failures` (from 0) earlier failures of this kind in a
 * row, jittered. It is long for kinds that the server counts: MySQL blocks a host after
 * 100 broken handshakes (max_connect_errors, error 1129) and may lock an account after
 * refused logins. It is short where the network is gone: a failover looks like that.
 */
int64_t trouble_backoff(enum rds_trouble trouble, unsigned failures, uint32_t random);

/* Whether no server has answered, or only to say that it is out of service. */
bool trouble_is_down(enum rds_trouble trouble);

/* Whether only another password can help. All other kinds concern one server, not the other
 * addresses of the name. */
bool trouble_is_secret(enum rds_trouble trouble);

/* rds_outage.c */

/* One question to the server, or one failed login. */
struct rds_sample {
	int64_t start_ms, end_ms, end_wall_ms;
	enum rds_trouble trouble;
	char why[LIMIT_FACT_WHY]; /* with trouble */
	/* without trouble: */
	bool read_only;
	int64_t rtt_us;
	char version[LIMIT_FACT_TEXT];
};

/*
 * How long writes were out. Each question is good (a server answered that accepts writes)
 * or bad, and the truth lies between them:
 *
 *	at least  from the end of the first bad question to the start of the last one
 *	at most   from the start of the last good question to the end of the first
 *	          good one after it
 */
struct rds_change {
	struct net_addr from, to;   /* the writer before and after; equal if it did not move */
	int64_t last_good_wall_ms;  /* start of the last good question; -1 unknown */
	int64_t first_good_wall_ms; /* end of the first good one after it */
	int64_t min_ms, max_ms;     /* the outage; max -1 unknown */
	int64_t period_ms;          /* between two questions: the precision of these times */
};

struct outage {
	struct net_addr writer;  /* the last server that accepted writes; family 0: none yet */
	int64_t good_ms;         /* start of the last good question; -1 unknown */
	int64_t bad_first_ms;    /* end of the first bad one after it; -1 none */
	int64_t bad_last_ms;     /* start of the last bad one */
	int64_t changes;         /* moves of the writer since boot: the number of the last event */
	struct rds_change moved; /* the last move; to.family 0: none */
	bool moved_out;  /* a question failed, or found a read-only server, before that move;
	                  * false also after a restart */
	bool moved_sure; /* and it proved the former writer's end (`sure`) */

	/* the present outage */
	int64_t named_ms; /* since when DNS does not have the writer; -1: it has it */
	bool down;        /* outage_down was called */
	bool read_only;   /* a server has answered that it is read-only */
	bool silent;      /* the writer's session got no answer in time */

	int64_t downs, ups; /* as FACT_RDS_DOWN and FACT_RDS_UP have them */
	struct net_addr down_addr;
	int64_t up[RDS_UP_WRITABLE_MS + 1];
};

void outage_init(struct outage *ret);

/* A good answer of `peer`. True if it ended an outage or the writer moved, and *ret is
 * that interval; a move is counted and kept in outage->moved as well. */
bool outage_good(struct outage *outage, const struct rds_sample *sample,
                 const struct net_addr *peer, int64_t period_ms, struct rds_change *ret);

/* It is found late that the last outage ended with a move: of that interval, from `change->from`. */
void outage_moved(struct outage *outage, const struct rds_change *change);

/* No answer, or the answer of a server that does not accept writes. */
void outage_bad(struct outage *outage, int64_t start_ms, int64_t end_ms);

/* Whether the writer itself is known to have failed. A session that was only lost may have been ended
 * by a server that serves on. */
bool outage_sure(const struct outage *outage);

/* A login got no answer; call before outage_bad. The second bad result in a row makes the writer
 * down: once per outage. */
void outage_down(struct outage *outage);

/* rds_places.c */

enum { RDS_ADDRESSES = 16 }; /* of one family; an answer with more is refused, not cut */

/* All addresses of the endpoint, of both families, sorted. */
struct rds_answer {
	int count; /* from 1 on */
	struct net_addr addr[2 * RDS_ADDRESSES];
	int64_t ttl_s;          /* smallest of all records used */
	bool literal;           /* the endpoint is an address; there is no TTL */
	uint16_t unknown;       /* AF_INET or AF_INET6: the question for this family failed, and
	                        * its addresses are not known; 0: neither failed */
	char name[LIMIT_HOST];  /* where the chain of aliases ended */
	char given[LIMIT_HOST]; /* its first name that RDS has given; else the endpoint */
};

bool answer_has(const struct rds_answer *answer, const struct net_addr *addr);
/* The answer does not have the address. False for family 0, or if the question for its family failed. */
bool answer_lacks(const struct rds_answer *answer, const struct net_addr *addr);
/* It lacks the address, and has another one of its family: a family without any may be empty for a
 * moment only. */
bool answer_replaced(const struct rds_answer *answer, const struct net_addr *addr);
/* Adds an address that it does not have yet; there must be room. Keeps the order. */
void answer_add(struct rds_answer *answer, const struct net_addr *addr);
/* The same set of addresses. */
bool answer_equal(const struct rds_answer *a, const struct rds_answer *b);
/* "10.16.5.149,10.16.6.137", cut after a whole address. Returns `ret`. */
char *answer_text(const struct rds_answer *answer, char *ret, size_t size);

/* The back-off after failures: no login before connect_ms. */
struct backoff {
	enum rds_trouble trouble; /* none: the last login or question was good */
	unsigned failures;        /* of that kind in a row */
	int64_t connect_ms;
};

enum {
	PLACES = 8,                /* two servers with both families, and as many before them */
	PLACES_MOVES = 4,          /* without a wait: enough for a failover if resolvers disagree */
	PLACES_MOVE_MS = 60000,    /* then one move per this time */
	PLACES_FORGET_MS = 600000, /* after the back-off was over */
};

/*
 * Back-off belongs to a server and not to the name. Resolvers that disagree may give the
 * old and the new address in turn, or a wrong one for ever: each address keeps the
 * back-off of its own failures, whatever the name resolves to in between. Names that
 * resolve to another address every time are limited by a budget of moves.
 */
struct places {
	struct {
		struct net_addr addr; /* family 0: unused */
		struct backoff backoff;
	} place[PLACES];
	int next;        /* the place to be overwritten next */
	int64_t full_ms; /* when the whole budget of moves is back */
};

/* A failure at an address. A new address replaces the oldest one. */
void places_note(struct places *places, const struct net_addr *addr, const struct backoff *backoff);

/* The address has proved good. */
void places_forget(struct places *places, const struct net_addr *addr);

/* The back-off of the answer's address that waits longest; NULL if one of the addresses
 * has not failed lately. */
const struct backoff *places_longest(const struct places *places, const struct rds_answer *answer,
                                     int64_t now);

/* From when on a move is within the budget; it may be past. */
int64_t places_move_ms(const struct places *places);

/* Spends a move; false, and nothing spent, if there is none. */
bool places_take_move(struct places *places, int64_t now);

/*
 * rds_watch.c
 *
 *	         +--------- RESOLVE at the TTL, faster while the database does not answer
 *	         v
 *	CONNECT ---> session ---> ASK every interval
 *	   ^            |
 *	   +-- back-off +-- lost; or DROP: the name no longer resolves to the peer
 *
 * There is one session at a time, opened at an address of the last answer. While it accepts
 * writes it is left only after a second look: two answers without the peer, at least one TTL
 * apart, and no answer with the peer between them. Otherwise a name that moves is followed at
 * once, since a failover looks like that. For a name that moves to and fro see drop_ms() and
 * struct places. A login is tried only while DNS answers.
 */
enum watch_action {
	WATCH_WAIT,    /* nothing until *ret_until_ms */
	WATCH_RESOLVE, /* ask DNS, then watch_resolved */
	WATCH_CONNECT, /* log in, then watch_connected or watch_failed */
	WATCH_ASK,     /* ask the session, then watch_answered or watch_failed */
	WATCH_DROP,    /* close the session, then watch_dropped */
};

/* An address that answers of DNS lack. */
struct absence {
	int64_t away_ms; /* from then on answers are believed: one TTL after the first that lacked
	                  * it; 0: the last answer has it */
	bool twice;      /* an answer since then lacked it as well */
};

/* Addresses whose connections are of no use, for wna-sockets. Zero at first. */
struct stale {
	int64_t number;       /* of the last event since boot, 0: none yet */
	struct net_addr addr; /* the last event */
	struct net_addr twin; /* the server's address of the other family; family 0: not known */
	enum rds_stale reason;
	int64_t at_ms;
	int64_t change;          /* the last change of the writer that was looked at */
	struct net_addr former;  /* failed before it, and no event yet; family 0: none */
	bool sure;               /* outage.moved_sure of that change */
	struct absence absence;  /* of `former` */
	struct net_addr present; /* the present writer's address of the other family; family 0: not
	                          * known */
	struct net_addr other;   /* `former`'s, likewise */
	struct net_addr silent;  /* its session got no answer in time; family 0: none */
};

struct watch {
	const struct conf_rds *conf;

	/* the name */
	struct rds_answer answer; /* count 0: none yet */
	bool name_ok;             /* the last resolution worked */
	char name_why[LIMIT_FACT_WHY];
	unsigned name_failures; /* in a row, while a session answered */
	int64_t resolve_ms;

	/* the session */
	bool open;
	struct net_addr peer;   /* while open */
	struct absence absence; /* of the peer */
	int64_t opened_ms;
	int64_t ask_ms;
	struct backoff backoff; /* of the next login */
	struct places places;

	/* what is known */
	enum rds_state state;
	int64_t since_ms;
	char why[LIMIT_FACT_WHY];
	int64_t rtt_us; /* -1 unknown */
	char version[LIMIT_FACT_TEXT];
	struct outage outage;
	struct rds_change doubted; /* `from`: a failed writer that may be another server than the
	                            * present one, though the name has both; family 0: none */
	struct stale stale;

	struct {
		int64_t logins, failures, dropped, name_failures;
	} count;
};

void watch_init(struct watch *ret, const struct conf_rds *conf, int64_t now);

/* An earlier process was refused with the password that is still in the file. */
void watch_restore_denied(struct watch *watch, int64_t now, unsigned failures, int64_t connect_ms);

/* What waits after a failure is tried now: at a reload, and with another password. */
void watch_retry(struct watch *watch, int64_t now);

/* When a failure is tried again, for RETRY_AT_MS; 0: a session is open. */
int64_t watch_retry_ms(const struct watch *watch);

/* The name is resolved at `at_ms` at the latest, whatever the wait. */
void watch_resolve(struct watch *watch, int64_t at_ms);

/* *ret_until_ms is set in any case: when to call again if nothing happens. */
enum watch_action watch_next(const struct watch *watch, int64_t now, int64_t *ret_until_ms);

/* The outcome of a resolution; `answer` NULL: it failed, see `why`. With an answer, `why`
 * is empty or says how the other family's question failed. */
void watch_resolved(struct watch *watch, int64_t start_ms, int64_t now,
                    const struct rds_answer *answer, const char *why, uint32_t random);

/* Logged in; `peer` is the address that the socket is connected to. */
void watch_connected(struct watch *watch, int64_t now, const struct net_addr *peer);

/* The server answered. The result is outage_good's, false for a read-only server. */
bool watch_answered(struct watch *watch, const struct rds_sample *sample, uint32_t random,
                    struct rds_change *ret);

/* A login or question failed; the caller has closed the session, if there was one. */
void watch_failed(struct watch *watch, const struct rds_sample *sample, uint32_t random);

/* The session was closed because its peer is not in the answer. The state stays until the new
 * server has answered, some milliseconds later. */
void watch_dropped(struct watch *watch, int64_t now, uint32_t random);

/* rds_stale.c */

/* A login was accepted. */
void stale_connected(struct watch *watch);

/* A session failed; call after watch_failed. */
void stale_lost(struct watch *watch, const struct rds_sample *sample);

/*
 * A login failed; call after watch_failed. If it got no answer in time, as the last session did
 * not, and the name still resolves to that session's server, this is an event; so is each
 * further login of that kind.
 */
void stale_refused(struct watch *watch, const struct rds_sample *sample);

/*
 * A session answered; call after watch_answered. A change of the writer is an event if the former one
 * had failed, and as soon as the name does not have it any more. If it is not sure that it had failed,
 * or if the name has no other address of its family, two answers must lack it, at least a TTL apart.
 */
void stale_answered(struct watch *watch, int64_t now);

#endif
