/*
 * Run by wna-cloud. May block on the local disk (see cloud_store.c). Owns the database and
 * the data that waits in memory while the disk is in trouble.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud_push.h"
#include "log.h"

enum { PATH_SIZE = LIMIT_PATH + sizeof QUEUE_FILE };

struct queue {
	char path[PATH_SIZE];
	char owner[LIMIT_FACT_TEXT]; /* "" = not known yet */
	int64_t max;
	struct store *disk; /* NULL: not open */
	bool disk_ok;       /* false: the disk is neither read nor written until retry_ms */
	int64_t retry_ms;
	struct queue_entry kept[QUEUE_MEMORY_MAX]; /* in memory, the oldest first */
	size_t kept_count;
	int64_t last_id; /* of `kept`, counting down from -1 */
	/* Rows that CloudWatch accepted or refused, not removed yet. All are of one request, since
	 * no row is read before they are removed. */
	int64_t accepted[PUSH_BATCH_MAX];
	size_t accepted_count;
	char trouble[LIMIT_FACT_WHY];
	int64_t lost;
	char lost_why[LIMIT_FACT_WHY];
};

static void count_lost(struct queue *queue, int64_t count, const char *why)
{
	if (count <= 0)
		return;
	queue->lost += count;
	str_copy(queue->lost_why, sizeof queue->lost_why, why);
}

static const char *trouble_text(int error)
{
	switch (-error) {
	case ENOSPC: return "disk full";
	case EROFS: return "read-only file system";
	case EACCES: return "the queue's file cannot be opened";
	case EBUSY: return "another process has the queue";
	case EBADMSG: return "the queue's file is damaged";
	default: return strerror(-error);
	}
}

/* Removes the write-ahead log as well, which belongs to the damaged file. */
static void set_aside(const struct queue *queue)
{
	char path[PATH_SIZE + sizeof ".corrupt"];

	snprintf(path, sizeof path, "%s-wal", queue->path);
	unlink(path);
	snprintf(path, sizeof path, "%s.corrupt", queue->path);
	if (rename(queue->path, path) == 0) {
		log_warning("queue: %s is damaged, renamed to %s", queue->path, path);
	} else {
		log_warning("queue: %s is damaged, removed: not renamed to %s: %s", queue->path,
		            path, strerror(errno));
		unlink(queue->path);
	}
}

static int claim(struct queue *queue)
{
	int64_t dropped = 0;
	int r = queue->owner[0] ? store_claim(queue->disk, queue->owner, &dropped) : 0;

	if (dropped > 0)
		log_warning("queue: %lld data of another instance dropped", (long long)dropped);
	count_lost(queue, dropped, "the queue was another instance's");
	return r;
}

static int open_disk(struct queue *queue)
{
	int r = queue->disk ? 0 : store_open(queue->path, &queue->disk);

	return r == 0 ? claim(queue) : r;
}

static void disk_failed(struct queue *queue, int error)
{
	if (error == -EBADMSG) {
		int64_t count = queue->disk ? store_count(queue->disk) : 0;

		count -= (int64_t)queue->accepted_count;

		store_close(queue->disk);
		queue->disk = NULL;
		set_aside(queue);
		queue->accepted_count = 0;
		/* Before the first count their number is unknown: at least one. */
		count_lost(queue, count > 0 ? count : 1, "the queue's file was damaged");
		error = open_disk(queue);
		if (error == 0)
			return;
	}
	if (!queue->trouble[0])
		log_warning("queue: %s: %s, data waits in memory", queue->path,
		            trouble_text(error));
	snprintf(queue->trouble, sizeof queue->trouble, "in memory: %s", trouble_text(error));
	queue->disk_ok = false;
}

/* True if `r` is a success. Otherwise handles the failure. */
static bool disk_did(struct queue *queue, int r)
{
	if (r < 0)
		disk_failed(queue, r);
	return r == 0;
}

struct queue *queue_open(const char *dir, int64_t max, int64_t now_ms)
{
	struct queue *queue = calloc(1, sizeof *queue);

	if (!queue)
		return NULL;
	queue->max = max;
	queue->disk_ok = true;
	queue->retry_ms = now_ms + QUEUE_RETRY_MS;
	snprintf(queue->path, sizeof queue->path, "%s/" QUEUE_FILE, dir);
	disk_did(queue, open_disk(queue));
	return queue;
}

static void forget(struct queue *queue, size_t i)
{
	free((char *)queue->kept[i].space);
	queue->kept_count--;
	memmove(queue->kept + i, queue->kept + i + 1,
	        (queue->kept_count - i) * sizeof queue->kept[0]);
}

static void keep(struct queue *queue, const struct queue_entry *entry)
{
	size_t space = strlen(entry->space) + 1, datum = strlen(entry->datum) + 1;
	char *texts = malloc(space + datum);

	if (!texts) {
		count_lost(queue, 1, "out of memory");
		return;
	}
	if (queue->kept_count == QUEUE_MEMORY_MAX) {
		forget(queue, 0);
		count_lost(queue, 1, "too much to keep in memory, the oldest was dropped");
	}
	queue->kept[queue->kept_count++] = (struct queue_entry){
		.id = --queue->last_id,
		.clock_ms = entry->clock_ms,
		.at_ms = entry->at_ms,
		.space = memcpy(texts, entry->space, space),
		.datum = memcpy(texts + space, entry->datum, datum),
	};
}

void queue_close(struct queue *queue)
{
	if (!queue)
		return;
	store_close(queue->disk);
	while (queue->kept_count > 0)
		forget(queue, queue->kept_count - 1);
	free(queue);
}

int64_t queue_count(const struct queue *queue)
{
	return (queue->disk ? store_count(queue->disk) : 0) + (int64_t)queue->kept_count;
}

const char *queue_trouble(const struct queue *queue)
{
	return queue->trouble;
}

int64_t queue_lost(const struct queue *queue, const char **ret_why)
{
	*ret_why = queue->lost_why;
	return queue->lost;
}

void queue_add(struct queue *queue, const struct queue_entry *entries, size_t count)
{
	int64_t dropped = 0;
	bool done = false;

	/* Twice: the first try may have replaced a damaged file by a new one. */
	for (int i = 0; i < 2 && !done && queue->disk_ok; i++)
		done = disk_did(queue, store_add(queue->disk, queue->owner, entries, count));
	if (!done) {
		for (size_t i = 0; i < count; i++)
			keep(queue, &entries[i]);
		return;
	}
	disk_did(queue, store_trim(queue->disk, queue->max, &dropped));
	count_lost(queue, dropped, "the queue is full (metrics.queue_max), the oldest was dropped");
}

void queue_newest(struct queue *queue, size_t limit, queue_visit *visit, void *arg)
{
	int64_t damaged = 0;

	/* Data in memory is newer than data on the disk. */
	for (size_t i = queue->kept_count; i > 0 && limit > 0; i--, limit--) {
		if (!visit(arg, &queue->kept[i - 1]))
			return;
	}
	if (queue->disk_ok && limit > 0)
		disk_did(queue, store_newest(queue->disk, limit, visit, arg, &damaged));
	count_lost(queue, damaged, "a datum in the queue was damaged");
}

static void forget_id(struct queue *queue, int64_t id)
{
	for (size_t i = 0; i < queue->kept_count; i++) {
		if (queue->kept[i].id == id) {
			forget(queue, i);
			return;
		}
	}
}

static int remove_accepted(struct queue *queue)
{
	int r = store_remove(queue->disk, queue->accepted, queue->accepted_count);

	if (r == 0)
		queue->accepted_count = 0;
	return r;
}

void queue_remove(struct queue *queue, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ids[i] < 0)
			forget_id(queue, ids[i]);
		else if (queue->accepted_count < PUSH_BATCH_MAX)
			queue->accepted[queue->accepted_count++] = ids[i];
	}
	if (queue->disk_ok && queue->accepted_count > 0)
		disk_did(queue, remove_accepted(queue));
}

void queue_drop(struct queue *queue, int64_t id, const char *why)
{
	queue_remove(queue, &id, 1);
	count_lost(queue, 1, why);
}

/* Data in memory is at most some hours old, hence not looked at. */
void queue_expire(struct queue *queue, int64_t oldest_ms, int64_t newest_ms)
{
	int64_t dropped = 0;

	if (queue->disk_ok)
		disk_did(queue, store_expire(queue->disk, oldest_ms, newest_ms, &dropped));
	count_lost(queue, dropped, "too old or too far in the future for CloudWatch");
}

void queue_shift(struct queue *queue, int64_t clock_ms, int64_t by_ms, int64_t to_ms)
{
	for (size_t i = 0; i < queue->kept_count; i++) {
		struct queue_entry *entry = &queue->kept[i];

		if (entry->clock_ms != 0 && llabs(entry->clock_ms - clock_ms) < SKEW_STEP_MS) {
			entry->at_ms += by_ms;
			entry->clock_ms = to_ms;
		}
	}
	if (queue->disk_ok)
		disk_did(queue, store_shift(queue->disk, clock_ms, by_ms, to_ms));
}

void queue_claim(struct queue *queue, const char *instance_id)
{
	if (strcmp(queue->owner, instance_id) == 0)
		return;
	str_copy(queue->owner, sizeof queue->owner, instance_id);
	if (queue->disk_ok)
		disk_did(queue, claim(queue));
}

void queue_turn(struct queue *queue, int64_t now_ms)
{
	int r;

	if (queue->disk_ok || now_ms < queue->retry_ms)
		return;
	queue->retry_ms = now_ms + QUEUE_RETRY_MS;
	r = open_disk(queue);
	if (r == 0)
		r = store_probe(queue->disk);
	if (r == 0)
		r = remove_accepted(queue);
	if (r == 0)
		r = store_add(queue->disk, queue->owner, queue->kept, queue->kept_count);
	if (!disk_did(queue, r))
		return;
	while (queue->kept_count > 0)
		forget(queue, queue->kept_count - 1);
	queue->disk_ok = true;
	queue->trouble[0] = '\0';
	log_info("queue: %s is usable again", queue->path);
}
