/* The processes, each of which has a role; messages, tables and logs use its name. */
#ifndef WNA_ROLE_H
#define WNA_ROLE_H

#include <stdbool.h>
#include <stdint.h>

enum role {
	ROLE_CORE,    /* hub and answers; user wna */
	ROLE_MOUNT,   /* keeper of the mount; root */
	ROLE_CHECK,   /* this node's own checks; user wna-check */
	ROLE_RDS,     /* the database; user wna-rds */
	ROLE_CLOUD,   /* AWS: metadata and metrics; user wna-cloud */
	ROLE_HOOKS,   /* runs an operator's scripts; configured user */
	ROLE_SOCKETS, /* ends connections to a former or dead database; user wna-sockets */
	ROLE_CTL,     /* wnactl, or another program that listens and asks; any user */
	ROLE_MAX
};

struct role_name {
	const char *name; /* "cloud": in logs, pages and names of folders */
	const char *exe;  /* "wna-cloud" */
	const char *user; /* NULL: root; "": a configured one, or any */
};

/* The line of the table; question marks outside of the enum. */
const struct role_name *role_of(int64_t role);

/* role_of(role)->name. */
const char *role_name(int64_t role);

#endif
