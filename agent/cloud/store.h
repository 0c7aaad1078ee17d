/*
 * One SQLite database of unsent data: queue.db on disk, or one in memory while
 * the disk cannot be used. Part of queue; nobody else includes it.
 *
 * On disk: a write-ahead log with synchronous = NORMAL. A commit is then one
 * append without an fsync: a power cut may lose the last windows (of a node that
 * is gone anyway) but never damages the file, and a slow disk delays the samples
 * least. The lock is exclusive, which keeps the log's index in memory too (no
 * -shm file). Pages are small and few are cached: a commit writes a handful.
 */
#ifndef CLOUD_STORE_H
#define CLOUD_STORE_H

#include "queue.h"

struct store;

/*
 * Opens or makes the database; `path` NULL is one in memory. 0; -EBADMSG if the
 * file is damaged or not ours; -ENOTSUP if it is of a later version, and then it is
 * not changed; -EBUSY if another process has it; -ENOSPC, -EROFS, -EACCES, -ENOMEM, -EIO. All functions below return these.
 */
int store_open(const char *path, struct store **ret);
void store_close(struct store *store);

int64_t store_count(const struct store *store);

/* One transaction: all or nothing. */
int store_add(struct store *store, const struct queue_entry *entries, size_t count);
int store_remove(struct store *store, const int64_t *ids, size_t count);

/* Visits up to `limit` rows, the newest first. Rows that make no sense are removed
 * and counted in *lost. `visit` must not change the store. */
int store_newest(struct store *store, size_t limit, queue_visit *visit, void *arg, int64_t *lost);

/* Removes what lies before `oldest_ms` or after `newest_ms`; adds to *lost. */
int store_expire(struct store *store, int64_t oldest_ms, int64_t newest_ms, int64_t *lost);

/* Removes the oldest rows beyond `max`; adds to *lost. */
int store_trim(struct store *store, int64_t max, int64_t *lost);

/* Moves what was stamped in the era `from`; it is of the era `to` then. */
int store_shift(struct store *store, int64_t from, int64_t to, int64_t by_ms);

/* Whether the store can be written: writes what is there already. */
int store_probe(struct store *store);

/* Whose data this is: empties the store if it is another's; adds to *lost. */
int store_claim(struct store *store, const char *owner, int64_t *lost);

#endif
