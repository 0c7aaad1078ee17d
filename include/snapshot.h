/*
 * The configuration in force: one file that `wnactl load` writes (root) and every
 * process maps. Nobody else reads agent.conf, hence a half-written or bad edit
 * changes nothing, whichever process crashes meanwhile. It holds no secrets.
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
	                                   * since the boot; conf holds defaults then */
	int64_t loaded_ms;                /* Unix time */
	struct conf conf;
};

/* Written beside `path` and renamed, 0644. 0 or -errno. `why` and conf are the caller's;
 * the rest is filled here. */
int snapshot_write(const char *path, struct snapshot *snapshot);

/* Maps it read-only. NULL with errno: ENOENT; EPROTO if another build wrote it; EINVAL
 * if it is nothing of ours; others of open(2). */
const struct snapshot *snapshot_map(const char *path);

/* Gives a mapping back; NULL is allowed. */
void snapshot_unmap(const struct snapshot *snapshot);

/* Whether this configuration has work for the role. */
bool snapshot_wants(const struct conf *conf, enum role role);

/* A hash of the parts of the configuration that the role depends on. */
int64_t snapshot_hash(const struct conf *conf, enum role role);

/* Whether a part that the role depends on differs. The log level is nobody's part. */
bool snapshot_differs(const struct conf *a, const struct conf *b, enum role role);

#endif
