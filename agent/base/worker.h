/*
 * What all processes of the agent have in common: one call that takes up the
 * configuration, the log, systemd and the hub. Each is a systemd service; outside of
 * systemd (a container, a debugger, a test) it runs in the foreground with
 *
 *	--config FILE      the snapshot (SNAPSHOT_FILE)
 *	--hub PATH         the hub (HUB_SOCKET)
 *	--run-dir FOLDER   where its files for others go (CONF_RUN_DIR/ROLE)
 *	--state-dir FOLDER its durable state (CONF_STATE_DIR/ROLE)
 *
 * Exit codes: 0 asked to leave, or its part of the configuration changed;
 * WORKER_EXIT_OFF its job is not configured, so that it need not be started before
 * the next reload; anything else a failure.
 *
 * Signals: TERM ends; HUP takes up the configuration again (systemctl reload).
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

enum {
	WORKER_EXIT_OFF = 77, /* RestartPreventExitStatus= and SuccessExitStatus= of the units */
};

/* A message of worker_recv that comes from no peer: a reload, for which what waits for a
 * back-off is tried again now. value: 1 if a part of the configuration that this role
 * depends on changed, which it takes up by leaving with exit code 0 (wnactl load restarts
 * its service then, hence that is seldom). */
#define WORKER_RELOAD HUB_TYPE_MAX

struct worker {
	enum role role;
	int fd;                  /* readable when worker_recv has something to do; in the core,
	                          * which opens no file, on SIGHUP: it leaves then */
	const struct conf *conf; /* mapped read-only, for the life of the process */
	const struct snapshot *snapshot;
	struct peer *peer; /* to the hub; NULL in the core */
	const char *hub;   /* path of the hub */
	const char *run_dir, *state_dir;
};

/*
 * Reads the command line (`extra` may take an option that is its own and return true;
 * NULL: there are none), maps the configuration, switches dumps off, starts the log,
 * takes SIGHUP as a message, and connects to the hub, but for the core. `wants`:
 * HUB_WANTS bits. Tells systemd READY=1, but for the core. Exits with 2 and a message
 * for a wrong command line, with 1 if there is no configuration of this build, with
 * WORKER_EXIT_OFF if there is no work for the role.
 */
void worker_init(struct worker *ret, enum role role, int64_t wants, int argc, char **argv,
                 bool (*extra)(const char *name, const char *value));

/* Says one fact without more[] (peer_say); text and why may be NULL. */
void worker_fact(const struct worker *worker, enum fact_id id, int64_t value, const char *text,
                 const char *why);

/* Says one fact (peer_say). */
void worker_say(const struct worker *worker, const struct msg *msg);

/* All that this process can know has been said once since its start; call once. */
void worker_spoken(const struct worker *worker);

/* Tells systemd "READY=1", "STATUS=..." Never waits. */
void worker_notify(const struct worker *worker, const char *text);

/* A sign of life for systemd's watchdog, for which it may be called too often. At least
 * every 2 s. */
void worker_alive(const struct worker *worker);

/* Takes one message: what the process wanted to hear from the hub, or WORKER_RELOAD.
 * False when there is none. */
bool worker_recv(const struct worker *worker, struct msg *ret);

/* file_write of file.h. */
int worker_write_file(const char *dir, const char *name, const char *data, size_t len);

#endif
