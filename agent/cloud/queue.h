/*
 * What CloudWatch has not accepted yet, on disk with its original timestamps.
 * Delivery is at least once: a datum is removed only after a 2xx, so that one
 * whose acceptance was not heard of, or could not be noted, is sent again.
 *
 * While the disk cannot be used (full, read-only, missing, damaged) data waits in
 * memory, bounded, and moves to disk when that works again. A damaged file is set
 * aside as queue.db.corrupt-UNIXTIME, one at a time, and a new one begun; so is one of
 * a later version of the agent, as queue.db.later-UNIXTIME, which that takes in again.
 */
#ifndef CLOUD_QUEUE_H
#define CLOUD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwatch.h"
#include "limits.h"

enum {
	QUEUE_MEMORY_MAX = 1000,   /* data kept while there is no disk */
	QUEUE_REMOVE_MAX = 256,    /* ids in one queue_remove */
	QUEUE_RETRY_MS = 30 * 1000 /* between two looks at a disk in trouble */
};

struct queue_entry {
	int64_t id;  /* given by the queue */
	int64_t era; /* of the clock that stamped it: see skew.h */
	struct cwatch_series series;
	struct datum datum;
};

/* False ends the visit. */
typedef bool queue_visit(void *arg, const struct queue_entry *entry);

struct queue;

/* Keeps `dir`. `max` bounds the data on disk: the oldest is dropped beyond it.
 * NULL only when out of memory. */
struct queue *queue_open(const char *dir, int64_t max, int64_t now_ms, int64_t wall_ms);
void queue_close(struct queue *queue);

int64_t queue_count(const struct queue *queue);

/* Why data waits in memory; empty if the disk is well. */
const char *queue_trouble(const struct queue *queue);

/* Data dropped so far, by the queue itself or by queue_drop; *ret_why is the last
 * reason and lives as long as the queue. */
int64_t queue_lost(const struct queue *queue, const char **ret_why);

/* Takes data in one transaction. At most 8 at a time. */
void queue_add(struct queue *queue, const struct queue_entry *entries, size_t count);

/* Visits up to `limit` data, the newest first. The queue must not be changed
 * from within. */
void queue_newest(struct queue *queue, size_t limit, queue_visit *visit, void *arg);

/* Accepted by CloudWatch: gone from here. */
void queue_remove(struct queue *queue, const int64_t *ids, size_t count);

/* Refused by CloudWatch for good: gone, and counted as lost for this reason. */
void queue_drop(struct queue *queue, int64_t id, const char *why);

/* Drops and counts what CloudWatch would not take: before oldest, after newest. */
void queue_expire(struct queue *queue, int64_t oldest_ms, int64_t newest_ms);

/* Moves the timestamps of the data of era `from` by `by_ms`; they are of the era
 * `to` then, which may be the same. */
void queue_shift(struct queue *queue, int64_t from, int64_t to, int64_t by_ms);

/* Whose data the queue has: an image made from a running node must not make every
 * clone send that node's backlog. Another's data is dropped and counted. */
void queue_claim(struct queue *queue, const char *instance_id);

/* Looks after a disk in trouble. May give data other ids: those that were visited
 * before are of no use after it. */
void queue_turn(struct queue *queue, int64_t now_ms, int64_t wall_ms);

#endif
