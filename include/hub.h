/*
 * The hub: one Unix socket of the core (HUB_SOCKET, SOCK_SEQPACKET) on which all
 * processes of the agent meet. Data flows one way:
 *
 *	finder     -> core   HUB_HELLO, then its facts (HUB_FACT), then HUB_SPOKEN
 *	core   -> listener   the facts and the verdict that its hello asked for
 *	wnactl     -> core   HUB_ASK; the answer is one datagram of JSON
 *
 * A datagram is one struct of fixed size, in native byte order: no framing, no parser. A peer
 * of another build has another contract in its hello.
 *
 * A peer has the user id that the kernel reports (SO_PEERCRED), and can have the role of that
 * user only. Every user that can connect (mode 0660, group wna) can listen, and can ask for
 * the status.
 *
 * A finder keeps the present state of its job, and sends all of it whenever it connects.
 * Therefore a lost datagram, or the restart of either end, is healed by a new connection. No
 * send ever waits: a peer that does not read is disconnected.
 */
#ifndef WNA_HUB_H
#define WNA_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "role.h"

#define HUB_SOCKET "/run/web-node-agent/hub"

enum hub_type {
	HUB_HELLO = 1, /* the first message. id: enum role; text: hub_contract; value: hash of the
	                * parts of the configuration that the role depends on (snapshot_hash);
	                * more[0]: what the peer wants to hear (HUB_WANTS) */
	HUB_FACT,      /* fact `id`: see fact.h */
	HUB_SPOKEN,    /* the sender has sent all of its facts once */
	HUB_VERDICT,   /* core -> listener. value: enum verdict_level of /healthz; more[0]: of
	                * /readyz; more[1]: 1 once /healthz has been 200 since the core started;
	                * more[2]: the jobs that are off, or well by results (not by a check's
	                * `initial`), as bits 1 << enum job */
	HUB_ASK,       /* id: enum hub_ask */
	HUB_TYPE_MAX
};

enum hub_ask {
	ASK_STATUS = 1, /* the body of GET /status */
	ASK_MAX
};

/* Bits of a hello's more[0]: a fact's number, or HUB_WANTS_VERDICT. */
#define HUB_WANTS(fact_id) (INT64_C(1) << (fact_id))
#define HUB_WANTS_VERDICT  HUB_WANTS(0)

enum { HUB_MORE = 4 };

struct msg {
	uint16_t type; /* enum hub_type */
	uint16_t id;   /* enum fact_id, enum role or enum hub_ask */
	uint32_t zero; /* 0 */
	int64_t value;
	int64_t more[HUB_MORE];
	int64_t found_ms;           /* monotonic: when this was found; 0: just now */
	int64_t since_ms;           /* monotonic: from when on `value` has been this */
	char text[LIMIT_FACT_TEXT]; /* NUL-terminated UTF-8 without control characters */
	char why[LIMIT_FACT_WHY];   /* the reason, for people; same rules */
};

enum { HUB_CONTRACT_SIZE = 64 };

/* "web-node-agent contract " and a hash of the headers in include/, of this build. */
extern const char hub_contract[HUB_CONTRACT_SIZE];

/*
 * Sends one message without ever waiting. 0; -EAGAIN if the peer is not
 * reading (the message is lost); -EPIPE the peer is gone; other -errno.
 */
int hub_send(int fd, const struct msg *msg);

/*
 * Receives one message without waiting and checks it: exact length, type in
 * range, zeros, times not negative, texts as promised. 0 with *ret filled;
 * -EAGAIN nothing there; -EPIPE the peer is gone; -EBADMSG one malformed message
 * was taken and dropped.
 */
int hub_recv(int fd, struct msg *ret);

/* The check of hub_recv alone. Pure; for tests and fuzzing. */
bool hub_valid(const struct msg *msg);

#endif
