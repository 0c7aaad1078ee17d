/*
 * The durable state of wna-rds, in RDS_DIR/state.env: the last writer, with which a
 * failover during a restart is still seen as one; the number of the last event, so
 * that listeners act on each once; and a refused password, which a restart is no
 * reason to try again. Monotonic times are good for this boot, and the folder is on a
 * tmpfs.
 */
#ifndef WNA_RDS_MEMORY_H
#define WNA_RDS_MEMORY_H

#include "rds_secret.h"
#include "rds_watch.h"

struct memory {
	char text[512]; /* as last written */
	int64_t written_ms;
	char secret[SECRET_ID]; /* secret_identify() of the password file that was refused */
};

/* Takes up the file if it is about this endpoint; call before watch_next. */
void memory_restore(struct memory *ret, struct watch *watch, int64_t now, uint32_t random);

/* Writes it if it changed; if only the time of the last good answer did, at
 * most every 10 s. Logs nothing: losing it costs precision only. */
void memory_save(struct memory *memory, const struct watch *watch, int64_t now);

#endif
