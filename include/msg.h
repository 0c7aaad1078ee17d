/*
 * What crosses a process boundary: one fixed-size struct per SOCK_SEQPACKET
 * datagram, so there is no framing and no parser. Native byte order: both
 * ends are always of the same build on the same machine.
 *
 *	worker -> wnad    struct msg (a fact, or a sign of life)
 *	wnad   -> core    struct envelope: the same, prefixed with the sender's
 *	                  role and slot; relayed unparsed and without waiting
 *	core   -> wnad    struct order: verbs and small integers, nothing else
 *	wnad   -> worker  struct msg of type MSG_TELL or MSG_REFRESH
 *
 * Each message carries the whole current truth of its fact, not a delta:
 * losing one, or restarting anybody, heals at the next period. Saying one twice
 * changes nothing: who counts findings counts each found_ms once.
 */
#ifndef WNA_MSG_H
#define WNA_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "role.h"

enum msg_type {
	MSG_FACT = 1, /* worker -> core: fact `id`, instance `slot` */
	MSG_ALIVE,    /* worker -> wnad: still turning; carries nothing */
	MSG_TELL,     /* core -> worker, by wnad: `id` is enum tell, `value` its value */
	MSG_REFRESH,  /* core -> workers, by wnad: send all your facts again now */
	MSG_TYPE_MAX
};

/* What the core tells a worker. Integers only. */
enum tell {
	TELL_HEALTHY = 1, /* to cloud: 1 once /healthz has been 200 since this boot */
	TELL_MAX
};

struct msg {
	uint16_t type; /* enum msg_type */
	uint16_t id;   /* enum fact_id (fact.h) or enum tell */
	uint16_t slot; /* instance of the fact: the check's number, else 0 */
	uint16_t zero; /* 0 */
	int64_t value;
	int64_t found_ms;           /* when the fact was found, monotonic; 0: just now. The same
	                   * number is the same finding, said again */
	char text[LIMIT_FACT_TEXT]; /* NUL-terminated, no control characters */
	char why[LIMIT_FACT_WHY];   /* the reason, for people; same rules */
};

struct envelope {
	uint16_t role; /* enum role, stamped by wnad */
	uint16_t slot; /* the sender's slot among its role's children */
	uint32_t zero; /* 0 */
	struct msg msg;
};

/* The supervisor's whole vocabulary. */
enum order_verb {
	ORDER_BEAT = 1, /* the core's loop turns */
	ORDER_MOUNT,    /* run wna-mount for mount `arg` */
	ORDER_PROBE,    /* run wna-probe for mount `arg` */
	ORDER_HOOK,     /* run wna-hook for event `arg` (enum hook_event); `value`: which one
	                 * it is since wna-rds started, from 1; the last one is not run twice */
	ORDER_TELL,     /* to the resident worker of role `arg`: enum tell `key`, `value` */
	ORDER_REFRESH,  /* ask all workers to send their facts again */
	ORDER_RELOAD,   /* read the configuration again */
	ORDER_VERDICT,  /* arg = enum verdict_level of /healthz, key = of /readyz; value = 1 if
	                 * all of it was heard since this core started, 0 if it is in part what
	                 * a core before it said */
	ORDER_VERB_MAX
};

enum hook_event {
	HOOK_RDS_CHANGE = 1, /* the database endpoint leads to another address */
	HOOK_EVENT_MAX
};

/* "rds-change"; NULL outside the range. The hook directory has this name. */
const char *hook_event_name(enum hook_event event);

struct order {
	uint16_t verb; /* enum order_verb */
	uint16_t arg;
	uint16_t key;
	uint16_t zero; /* 0 */
	int64_t value;
};

/*
 * Sends one message without ever waiting. 0; -EAGAIN if the peer is not
 * reading (the message is lost, which the protocol allows); -errno otherwise
 * (-EPIPE: the peer is gone).
 */
int msg_send(int fd, const struct msg *msg);
int order_send(int fd, const struct order *order);

/*
 * Receives one message without waiting and checks it: exact length, type in
 * range, zeros, texts NUL-terminated and without control characters.
 * 0 with *ret filled; -EAGAIN nothing there; -EPIPE the peer is gone;
 * -EBADMSG one malformed message was taken and dropped (go on).
 */
int msg_recv(int fd, struct msg *ret);
int envelope_recv(int fd, struct envelope *ret);
int order_recv(int fd, struct order *ret);

/* The pure check behind the three, for tests and fuzzing. */
bool msg_valid(const struct msg *msg);
bool envelope_valid(const struct envelope *envelope);
bool order_valid(const struct order *order);

#endif
