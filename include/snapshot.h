/*
 * The configuration in force: a file that `wnactl load` writes as root, and every process maps.
 * Only wnactl reads agent.conf: a half-written or bad edit changes nothing, also if a process
 * is restarted meanwhile. The snapshot has no secrets.
 */
#ifndef WNA_SNAPSHOT_H
#define WNA_SNAPSHOT_H

#include <stdint.h>

#include "conf.h"
#include "hub.h"
#include "role.h"

#define SNAPSHOT_FILE CONF_RUN_DIR "/config"

struct snapshot {
	char contract[HUB_CONTRACT_SIZE]; /* of the build that wrote it */
	char why[512];                    /* not empty: no valid configuration has been loaded
	                                   * since the boot, and conf has the defaults */
	int64_t loaded_ms;                /* Unix time */
	struct conf conf;
};

/* Writes it, mode 0644, in one step. 0 or -errno. The caller fills `why` and conf. */
int snapshot_write(const char *path, struct snapshot *snapshot);

/* Maps it read-only. NULL with errno: ENOENT; EPROTO another build has written it; EINVAL it is not
 * a snapshot; others of open(2). */
const struct snapshot *snapshot_map(const char *path);

/* Unmaps it; NULL is allowed. */
void snapshot_unmap(const struct snapshot *snapshot);

/* Whether this configuration has work for the role. */
bool snapshot_wants(const struct conf *conf, enum role role);

/* A hash of the parts of the configuration that the role depends on. */
int64_t snapshot_hash(const struct conf *conf, enum role role);

/* Whether a part that the role depends on differs. No role depends on the log level. */
bool snapshot_differs(const struct conf *a, const struct conf *b, enum role role);

#endif
