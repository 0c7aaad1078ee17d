/*
 * The room of wna-sockets: it ends this node's connections to a database that is no longer the
 * writer, or that is silent. Without that, a client waits for a dead server for a quarter of
 * an hour (net.ipv4.tcp_retries2).
 */
#ifndef WNA_SOCKETS_H
#define WNA_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fact.h"
#include "sockdiag.h"

/* ---- sockets_rule.c: which connections may be ended, and when. Pure ---- */

enum {
	SOCKETS_FOR_MS = 10000, /* after an event; programs that cache DNS connect meanwhile */
	SOCKETS_LOOK_MS = 500,  /* between two looks */
	SOCKETS_GAP_MS = 100,   /* the same, however many events come */
};

/*
 * Whatever wna-rds says, only connections to the configured port are ended, and none of the
 * loopback and link-local networks, and none of a server that wna-rds calls the writer.
 */
struct sockets_rule {
	uint16_t port; /* these three by the caller, the rest zero */
	bool at_once;
	uint32_t rds_uid; /* the user of wna-rds, whose own login is not ended */

	struct net_addr writer; /* family 0: no server is known to be writable */
	int64_t number;         /* of the last event */
	struct net_addr addr;   /* the event that is acted on */
	struct net_addr twin;   /* the same server's address of the other family; 0: none */
	enum rds_stale reason;
	int64_t until_ms;
	int64_t look_ms; /* when the next look is due */
	bool again;      /* the next look is not the first one for this event */
};

/* Takes a FACT_RDS or a FACT_RDS_STALE. An event older than SOCKETS_FOR_MS is only noted. */
void sockets_hear(struct sockets_rule *rule, const struct msg *fact, int64_t now_ms);

/* When the next look is due; INT64_MAX: none is. */
int64_t sockets_due_ms(const struct sockets_rule *rule);

/* A look has ended. After one that was not whole (a list or an end failed) the next is a first one
 * again. */
void sockets_looked(struct sockets_rule *rule, bool whole, int64_t now_ms);

/* The states of connections that the next look ends. An orphan (inode 0) is never ended:
 * before Linux 6.11 it would stay without a timer for ever. */
unsigned sockets_states(const struct sockets_rule *rule);

/* Whether the rule allows the end of this connection. */
bool sockets_match(const struct sockets_rule *rule, const struct sockdiag_socket *socket);

/* ---- sockets_end.c: the looks ---- */

struct sockets_ended {
	int count;
	int failed, error; /* connections that could not be ended; the last -errno */
	char users[64];    /* their owners: "apache, tomcat" */
};

/* Ends every connection that the rule allows. 0, or -errno if none could be listed. */
int sockets_end(const struct sockets_rule *rule, struct sockets_ended *ret);

/*
 * Ends a connection of its own to itself, over loopback. 0: connections can be ended; -errno.
 * Whether the kernel can do it is not told by a list: a kernel without CONFIG_INET_TCP_DIAG
 * may give an empty one.
 */
int sockets_probe(void);

/* What the error of sockets_probe means. Returns `ret`. */
char *sockets_explain(int rc, char *ret, size_t size);

#endif
