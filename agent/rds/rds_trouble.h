/*
 * What can be wrong between us and the database, and what is done about it:
 * one table from error numbers to kinds, one from kinds to back-off. Pure.
 *
 * Numbers: MySQL 8.0 Error Message Reference (client 2xxx, server the rest);
 * MariaDB uses the same ones.
 */
#ifndef WNA_RDS_TROUBLE_H
#define WNA_RDS_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

enum rds_trouble {
	TROUBLE_NONE,
	TROUBLE_NETWORK,   /* no TCP connection */
	TROUBLE_STALLED,   /* connected, but it does not speak, or not MySQL */
	TROUBLE_LOST,      /* the session broke, or the server is going down */
	TROUBLE_DNS,       /* the system's resolver does not find the name */
	TROUBLE_STALE,     /* the system's resolver leads to an address DNS does not have */
	TROUBLE_READ_ONLY, /* refused as read-only: no longer the writer */
	TROUBLE_DENIED,    /* user or password */
	TROUBLE_SECRET,    /* no password could be read */
	TROUBLE_FULL,      /* too many connections */
	TROUBLE_BLOCKED,   /* this host is blocked after too many broken handshakes */
	TROUBLE_FORBIDDEN, /* this host may not connect */
	TROUBLE_TLS,       /* no TLS, or a certificate that is not the endpoint's */
	TROUBLE_CONFIG,    /* schema, or demands that our configuration cannot meet */
	TROUBLE_OTHER,
	TROUBLE_MAX
};

/* "network", "stalled" ...: for files and logs; "?" outside. */
const char *trouble_name(enum rds_trouble trouble);

/* What it means, for people: "too many connections". */
const char *trouble_text(enum rds_trouble trouble);

/* `connecting`: it happened before the login was done. */
enum rds_trouble trouble_from_error(unsigned number, bool connecting);

/*
 * Time until the next login, after `attempt` (from 0) failures of this kind in
 * a row; jittered. Kinds that a server counts against this host or account
 * (MySQL's max_connect_errors blocks a host after 100 broken handshakes, error
 * 1129; accounts can be locked after failed logins) wait long; a network that
 * is gone is asked within seconds, so that a failover is seen at once.
 */
int64_t trouble_backoff(enum rds_trouble trouble, unsigned attempt, uint32_t random);

/*
 * Whether another address gives reason to try at once: it is another server,
 * which has counted nothing yet, and may be the right one where this one spoke
 * nonsense. Not so for what is ours or the account's, which the other shares.
 */
bool trouble_is_of_server(enum rds_trouble trouble);

/* Whether only another password can help: the file is read again at each login. */
bool trouble_is_secret(enum rds_trouble trouble);

#endif
