/*
 * The processes. wnad's messages, the core's tables and the logs all name a
 * process by its role.
 */
#ifndef WNA_ROLE_H
#define WNA_ROLE_H

#include <stdbool.h>
#include <stdint.h>

enum role {
	ROLE_WNAD,  /* root supervisor */
	ROLE_CORE,  /* answers; user wna */
	ROLE_MOUNT, /* one mount operation; root */
	ROLE_PROBE, /* one probe of the mount; user wna-probe */
	ROLE_CHECK, /* this node's own checks; user wna-check */
	ROLE_RDS,   /* the database; user wna-rds */
	ROLE_CLOUD, /* AWS: metadata and metrics; user wna-cloud */
	ROLE_HOOK,  /* one run of an operator's scripts; configured user */
	ROLE_MAX
};

/* "wnad" "core" "mount" "probe" "check" "rds" "cloud" "hook"; "?" outside. */
const char *role_name(enum role role);

/*
 * The states of a child as wnad sees it; FACT_CHILD's value. A late child is
 * asked (TERM), then killed, then declared stuck: its slot stays taken until
 * the kernel gives it back, and no second one is started beside it.
 */
enum child_state {
	CHILD_OFF, /* not wanted (its job is not configured), or between one-shots */
	CHILD_RUNNING,
	CHILD_TERM,    /* asked to leave */
	CHILD_KILL,    /* SIGKILL sent to its process group */
	CHILD_STUCK,   /* survived SIGKILL: asleep in the kernel */
	CHILD_BACKOFF, /* ended; will be started again after a delay */
	CHILD_MAX
};

/* "off" "running" "term" "kill" "stuck" "back-off" */
const char *child_state_name(enum child_state state);

#endif
