/*
 * What every child has in common: the contract with wnad, and one call that
 * takes it up. A child is executed with
 *
 *	argv[1]  its slot or event, a small decimal number (one-shots only)
 *	fd 3     WORKER_FD_WNAD, its end of a SOCK_SEQPACKET socketpair to wnad
 *	fd 4     WORKER_FD_CONF, the parsed configuration, a sealed memfd with the mark
 *	         of this contract; a worker of another build refuses it
 *	fd 6     WORKER_FD_LOG, where its log lines go: a pipe that never blocks
 *	fd 5, 7  what its role alone gets (below)
 *
 * as its own user and process group, with its bounding set cut, without new
 * privileges, without core dumps, an empty environment but for PATH, LANG,
 * NOTIFY-free, and (cloud only) the AWS SDKs' variables.
 * Resident workers leave when fd 3 reports the end; one-shots send their
 * facts and exit.
 *
 * Exit codes: 0 done, WORKER_EXIT_CONTRACT the contract was broken,
 * WORKER_EXIT_REOPEN hand me my secret files anew (they changed), anything
 * else a failure that wnad logs and backs off from.
 */
#ifndef WNA_WORKER_H
#define WNA_WORKER_H

#include <stdint.h>

#include "conf.h"
#include "fact.h"

enum {
	WORKER_FD_WNAD = 3,
	WORKER_FD_CONF = 4,
	WORKER_FD_LOG = 6, /* non-blocking pipe to wnad, which writes it on */
	/* core */
	CORE_FD_CONTROL = 5, /* listening Unix socket for wnactl; -1 if wnad could have none */
	CORE_FD_LISTEN = 7,  /* listening TCP socket, health checks */
	/* rds */
	RDS_FD_PASSWORD = 5, /* rds.password_file, opened by wnad; read-only */
	/* cloud */
	CLOUD_FD_SHARED_CREDENTIALS = 5, /* metrics.credentials_file; -1 if not configured,
	                                  * or if wnad could not open it */
	/* all */
	WORKER_FD_ENDS = 8, /* nothing above is inherited */
};

enum {
	WORKER_EXIT_CONTRACT = 64,
	WORKER_EXIT_REOPEN = 65,
};

struct worker {
	enum role role;
	int fd;                  /* WORKER_FD_WNAD, non-blocking */
	const struct conf *conf; /* mapped read-only */
	unsigned arg;            /* argv[1] of a one-shot, else 0 */
};

/*
 * Takes up the contract: checks descriptors, maps the configuration, arms
 * PR_SET_PDEATHSIG and checks the parent, switches dumps off, starts the log
 * (without WORKER_FD_LOG, as in a test, on standard error).
 * Exits with WORKER_EXIT_CONTRACT and a message when run by hand; handles
 * --version and --help.
 */
void worker_init(struct worker *ret, enum role role, int argc, char **argv);

/*
 * Sends one fact; text and why may be NULL and are cleaned and cut. A full
 * socket loses it silently (it is sent again at the next period); a closed
 * one ends the process.
 */
void worker_fact(const struct worker *worker, enum fact_id id, unsigned slot, int64_t value,
                 const char *text, const char *why);

/* The same for what was found at `found_ms` (clock_ms; 1 or more), which may be a
 * while ago: a finding keeps its number when it is said again. */
void worker_finding(const struct worker *worker, enum fact_id id, unsigned slot, int64_t value,
                    const char *text, const char *why, int64_t found_ms);

/* A sign of life, for a worker with nothing new to say. At least every 2 s. */
void worker_alive(const struct worker *worker);

/*
 * Takes one message from wnad. True with *ret filled (MSG_TELL, MSG_REFRESH);
 * false when there is none. Ends the process when the socket is closed.
 */
bool worker_recv(const struct worker *worker, struct msg *ret);

/* Opens `name` in `dir` for an atomic write: 0644, written as ".name.tmp",
 * synced and renamed. 0 or -errno; the old file stays on failure. */
int worker_write_file(const char *dir, const char *name, const char *data, size_t len);

#endif
