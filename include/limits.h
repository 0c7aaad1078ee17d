/*
 * Sizes of the fixed tables. A configuration that needs more is refused, and data from outside
 * are cut or refused.
 */
/* An #include <limits.h> finds this file first, hence the next one is included here; outside of
 * the guard, since the compiler's <limits.h> includes <limits.h> itself. */
#include_next <limits.h>

#ifndef WNA_LIMITS_H
#define WNA_LIMITS_H

enum {
	LIMIT_CHECKS = 16,      /* [check NAME] sections */
	LIMIT_NETS = 16,        /* networks in one list */
	LIMIT_NAME = 64,        /* names given by an operator, with the NUL */
	LIMIT_PATH = 256,       /* configured paths, with the NUL */
	LIMIT_HOST = 256,       /* host names (RFC 1035: 253), with the NUL */
	LIMIT_VALUE = 512,      /* any other configured text, with the NUL */
	LIMIT_CONF_LINE = 1024, /* one line of a configuration file */
	LIMIT_CONF_FILES = 64,  /* agent.conf and its drop-ins */
	LIMIT_LOGIN_TOKEN =
	        8192,         /* a database's login token, with the NUL; AWS's have 1 to 2 KiB */
	LIMIT_FACT_TEXT = 96, /* struct msg.text, with the NUL */
	LIMIT_FACT_WHY = 160, /* struct msg.why, with the NUL */
	LIMIT_TIMELINE = 64,  /* remembered changes */
	LIMIT_HTTP_REQUEST = 1024, /* request line and headers of one request */
	LIMIT_CONNECTIONS = 4096,  /* upper bound of health.max_connections */
	LIMIT_PEERS = 40,          /* connections to the hub at a time */
};

#endif
