/*
 * The state of wnad: one struct, filled at start, walked by one event loop.
 * Which file does what:
 *
 *	supervisor.c  start, the loop, stop
 *	reload.c      a new configuration, and who has to be restarted for it
 *	children.c    all children: ladders ticked, orders, handover of the core
 *	child.c       one child: start, signal, bury
 *	relay.c       datagrams between the workers and the core
 *	report.c      wnad's own facts, STATUS= and WATCHDOG=1
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "conf.h"
#include "note.h"
#include "notify.h"
#include "sink.h"
#include "users.h"

struct event;
struct event_base;

struct supervisor_options {
	const char *conf_file;
	const char *libexec; /* folder of the workers' executables */
	bool debug;          /* log_level = debug, whatever the configuration says */
};

/* Exit codes beside enum conf_error (3..8). */
enum {
	SUPERVISOR_STOPPED = 0,
	SUPERVISOR_FAILED = 1, /* could not start; the log says why */
	SUPERVISOR_USAGE = 2,
};

/* What the core last told a worker. */
struct told {
	bool is_set;
	int64_t value;
};

struct supervisor {
	struct supervisor_options options;
	struct conf conf;
	int conf_fd;           /* sealed memfd of conf */
	int listen_fd;         /* health checks */
	int retired_fd;        /* the same at the address before, for as long as the core in charge
	                 * accepts from it; -1: none */
	int control_fd;        /* wnactl */
	int lock_fd;           /* that there is one wnad; see rundir.h */
	int exe_fds[ROLE_MAX]; /* the workers' executables; see spawn_hold() */
	struct users users;
	struct notify notify;
	struct sink sink;

	struct event_base *base;
	struct event *timer, *sink_event, *signals[4];

	struct child children[ROLE_MAX][ROLE_SLOTS_MAX];
	unsigned core; /* slot of the core that is obeyed */
	struct told told[ROLE_MAX][TELL_MAX];

	int64_t hooked;          /* which change of this wna-rds had its hook; 0 none */
	pid_t hooked_by;         /* the core that ordered it */
	int64_t healthz, readyz; /* enum verdict_level as of the last ORDER_VERDICT; -1 none yet */
	bool inherited;          /* in part a former core's word */
	struct note note;        /* what a core that starts now may go on from */
	int64_t conf_loads, conf_tries;
	char conf_why[LIMIT_FACT_WHY];  /* why the last attempt was not taken */
	char hooks_why[LIMIT_FACT_WHY]; /* why configured hooks are off since start; else empty */
	unsigned long relay_dropped;    /* datagrams that the core did not take in time */

	bool store_stale;   /* systemd keeps a listener that is none any more */
	bool stored;        /* it keeps listen_fd */
	bool ready;         /* READY=1 was sent */
	bool reload_unsaid; /* RELOADING=1 was sent, and not yet that it is over */
	bool reload_wanted;
	bool stopping;
	int64_t stop_core_ms, stop_by_ms; /* see children_stop() */
	int64_t wake_ms;                  /* when the loop meant to wake next */
	int64_t sink_due_ms, facts_due_ms, watchdog_due_ms;
	struct msg facts_sent[ROLE_MAX]; /* last FACT_CHILD of each role */
	char status_sent[256];
};

/* Runs the agent until SIGTERM. Returns the exit code; logs why. */
int supervisor_run(const struct supervisor_options *options);

/* Says that a path cannot be had (-errno), and that this is no reason to end. */
void supervisor_lacks(const char *path, int rc);
/* Makes the control socket; false: said that it cannot be had. An operator is then left
 * without wnactl; the load balancer need not be without us. */
bool supervisor_control(struct supervisor *sv);

/* reload.c: takes the configuration file anew, or says why not. */
void reload(struct supervisor *sv, int64_t now);

/* report.c */
void report_init(struct supervisor *sv, int64_t now);
/* Facts that changed or are due, STATUS=, READY=1, WATCHDOG=1. */
void report_turn(struct supervisor *sv, int64_t now);
int64_t report_next(const struct supervisor *sv);
/* What /healthz says now, for a core that starts, in this wnad or in the next; see note.h. */
void report_note(struct supervisor *sv);
/* All facts at the next turn: a new core knows nothing. */
void report_again(struct supervisor *sv);

#endif
