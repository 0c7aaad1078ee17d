/*
 * Sizes of the fixed tables. Nothing in the agent grows past these: a
 * configuration that wants more is refused with the limit's name, and what
 * comes from outside is cut or refused where it enters.
 */
/* The folder of this file is searched before the system's: <limits.h> lands here
 * and is passed on. Outside the guard, since the compiler's own <limits.h> comes
 * by a second time on its way to the C library's. */
#include_next <limits.h>

#ifndef WNA_LIMITS_H
#define WNA_LIMITS_H

enum {
	LIMIT_CHECKS = 16,         /* [check NAME] sections */
	LIMIT_NETS = 16,           /* networks in one list */
	LIMIT_NAME = 64,           /* names given by an operator, with the NUL */
	LIMIT_PATH = 256,          /* configured paths, with the NUL */
	LIMIT_HOST = 256,          /* host names (RFC 1035: 253), with the NUL */
	LIMIT_VALUE = 512,         /* any other configured text, with the NUL */
	LIMIT_CONF_LINE = 1024,    /* one line of a configuration file */
	LIMIT_CONF_FILES = 64,     /* agent.conf and its drop-ins */
	LIMIT_FACT_TEXT = 96,      /* struct msg.text, with the NUL */
	LIMIT_FACT_WHY = 160,      /* struct msg.why, with the NUL */
	LIMIT_TIMELINE = 64,       /* remembered changes */
	LIMIT_HTTP_REQUEST = 1024, /* request line and headers of one request */
	LIMIT_CONNECTIONS = 4096,  /* upper bound of health.max_connections */
	LIMIT_PEERS = 40,          /* connections to the hub at a time */
};

#endif
