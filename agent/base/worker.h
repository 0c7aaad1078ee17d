/*
 * What all processes of the agent have in common: one call for the configuration, the log,
 * systemd and the hub. Each process is a service of systemd; without systemd (in a container,
 * a debugger, a test) it runs in the foreground with
 *
 *	--config FILE      the snapshot (SNAPSHOT_FILE)
 *	--hub PATH         the hub (HUB_SOCKET)
 *	--run-dir FOLDER   where its files for others go (CONF_RUN_DIR/ROLE)
 *	--state-dir FOLDER its durable state (CONF_STATE_DIR/ROLE)
 *
 * Exit codes: 0 it was told to end, or its part of the configuration has changed;
 * WORKER_EXIT_OFF its job is not configured, therefore it is not started again before the
 * next reload; any other is a failure.
 *
 * Signals: TERM ends it; HUP reads the configuration again (systemctl reload).
 */
#ifndef WNA_WORKER_H
#define WNA_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "peer.h"
#include "snapshot.h"
#include "trend.h"

enum {
	WORKER_EXIT_OFF = 77, /* RestartPreventExitStatus= and SuccessExitStatus= of the units */
	/* The longest wait of a loop. Every unit has a WatchdogSec= of 5 s or more. */
	WORKER_ALIVE_MS = 2000,
};

/* A message of worker_recv that is not from the hub: a reload. The process tries at once what
 * waits for a back-off. value: 1 if a part of the configuration that this role depends on has
 * changed; then the process ends with exit code 0, and systemd starts it anew. */
#define WORKER_RELOAD HUB_TYPE_MAX

struct worker {
	enum role role;
	int fd;                  /* readable when worker_recv has something to do */
	const struct conf *conf; /* mapped read-only, for the life of the process */
	const struct snapshot *snapshot;
	struct peer *peer; /* to the hub; NULL in the core */
	const char *hub;   /* path of the hub */
	const char *run_dir, *state_dir;
};

/*
 * Reads the command line (`extra` returns true for an option of the process's own; NULL: there
 * is none), maps the configuration, switches core dumps off, starts the log, and makes SIGHUP
 * a message. Connects to the hub and tells systemd READY=1, but not in the core. `wants`:
 * HUB_WANTS bits. Exits with 2 and a message for a wrong command line, with 1 if there is no
 * configuration of this build, with WORKER_EXIT_OFF if there is no work for the role.
 */
void worker_init(struct worker *ret, enum role role, int64_t wants, int argc, char **argv,
                 bool (*extra)(const char *name, const char *value));

/* Sends one fact without more[] (peer_say); text and why may be NULL. */
void worker_fact(const struct worker *worker, enum fact_id id, int64_t value, const char *text,
                 const char *why);

/* Sends one fact (peer_say). */
void worker_say(const struct worker *worker, const struct msg *msg);

/* Adds a value to a trend, and sends its fact `id` when a minute is complete. */
void worker_trend(const struct worker *worker, enum fact_id id, struct trend *trend, int64_t now_ms,
                  int64_t value);

/* Tells the hub that all facts have been sent once since the start of this process; call once. */
void worker_spoken(const struct worker *worker);

/* Tells systemd "READY=1", "STATUS=..." Never waits. */
void worker_notify(const struct worker *worker, const char *text);

/* Tells systemd's watchdog that the process lives. Call it at least every WORKER_ALIVE_MS; more
 * often does no harm. */
void worker_alive(const struct worker *worker);

/* Takes one message: from the hub, or WORKER_RELOAD. False if there is none. */
bool worker_recv(const struct worker *worker, struct msg *ret);

/* file_write of file.h. */
int worker_write_file(const char *dir, const char *name, const char *data, size_t len);

#endif
