/*
 * Run by wna-cloud. May block on the local disk (see store.h). Owns the two
 * stores, and the files queue.db* in its folder.
 */
#include "queue.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aside.h"
#include "log.h"
#include "str.h"

struct queue {
	char path[LIMIT_PATH + sizeof(ASIDE_QUEUE)];
	const char *dir;
	int64_t max;
	struct store *disk;   /* NULL: not open */
	struct store *memory; /* NULL: never needed yet */
	bool disk_ok;         /* false: the disk is neither read nor written until retry_ms */
	int64_t retry_ms, wall_ms;
	/* Accepted, but the disk did not take the note: disk_ok stays false, and no
	 * row is read, until it has; or they would be sent again and again. */
	int64_t undone[QUEUE_REMOVE_MAX];
	size_t undone_count;
	char trouble[LIMIT_FACT_WHY];
	int64_t lost;
	char lost_why[LIMIT_FACT_WHY];
	char owner[LIMIT_FACT_TEXT];
};

static void count_lost(struct queue *queue, int64_t count, const char *why)
{
	if (count <= 0)
		return;
	queue->lost += count;
	str_copy(queue->lost_why, sizeof(queue->lost_why), why);
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

/* A new file in place of one that cannot be used. 0 or -errno. */
static int begin_anew(struct queue *queue)
{
	int r;

	queue->undone_count = 0;
	r = store_open(queue->path, &queue->disk);
	if (r == 0 && queue->owner[0] != '\0')
		r = store_claim(queue->disk, queue->owner, &queue->lost);
	return r;
}

static void disk_failed(struct queue *queue, int error)
{
	if (error == -ENOTSUP) {
		error = aside_later(queue->dir, queue->wall_ms);
		if (error == 0)
			error = begin_anew(queue);
		if (error == 0)
			return;
	}
	if (error == -EBADMSG) {
		int64_t count = queue->disk != NULL ? store_count(queue->disk) : 0;

		store_close(queue->disk);
		queue->disk = NULL;
		aside_corrupt(queue->dir, queue->wall_ms);
		/* Unknown how many before the first count; at least one is assumed. */
		count_lost(queue, count > 0 ? count : 1, "the queue's file was damaged");
		error = begin_anew(queue);
		if (error == 0)
			return;
	}
	if (queue->trouble[0] == '\0')
		log_warning("queue: %s: %s, data waits in memory", queue->path,
		            trouble_text(error));
	snprintf(queue->trouble, sizeof(queue->trouble), "in memory: %s", trouble_text(error));
	queue->disk_ok = false;
}

/* True if the disk did it. False: it failed just now or is in trouble. */
static bool disk_did(struct queue *queue, int r)
{
	if (r < 0)
		disk_failed(queue, r);
	return r == 0;
}

struct queue *queue_open(const char *dir, int64_t max, int64_t now_ms, int64_t wall_ms)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return NULL;
	/* One thread uses it, and rarely: no locks, no arenas. Fails harmlessly when
	 * the library is in use already. */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	queue->dir = dir;
	queue->max = max;
	queue->wall_ms = wall_ms;
	queue->disk_ok = true;
	queue->retry_ms = now_ms + QUEUE_RETRY_MS;
	snprintf(queue->path, sizeof(queue->path), "%s/" ASIDE_QUEUE, dir);
	disk_did(queue, store_open(queue->path, &queue->disk));
	return queue;
}

void queue_close(struct queue *queue)
{
	if (queue == NULL)
		return;
	store_close(queue->disk);
	store_close(queue->memory);
	free(queue);
}

int64_t queue_count(const struct queue *queue)
{
	int64_t count = queue->memory != NULL ? store_count(queue->memory) : 0;

	if (queue->disk != NULL)
		count += store_count(queue->disk) - (int64_t)queue->undone_count;
	return count < 0 ? 0 : count;
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

static void add_to_memory(struct queue *queue, const struct queue_entry *entries, size_t count)
{
	int64_t dropped = 0;

	if (queue->memory == NULL && store_open(NULL, &queue->memory) < 0)
		queue->memory = NULL;
	if (queue->memory == NULL || store_add(queue->memory, entries, count) < 0) {
		count_lost(queue, (int64_t)count, "out of memory");
		return;
	}
	store_trim(queue->memory, QUEUE_MEMORY_MAX, &dropped);
	count_lost(queue, dropped, "too much to keep in memory, the oldest was dropped");
}

void queue_add(struct queue *queue, const struct queue_entry *entries, size_t count)
{
	int64_t dropped = 0;
	bool done = queue->disk_ok && disk_did(queue, store_add(queue->disk, entries, count));

	/* A damaged file has been replaced by now: the second try is for the new one. */
	if (!done && queue->disk_ok)
		done = disk_did(queue, store_add(queue->disk, entries, count));
	if (!done) {
		add_to_memory(queue, entries, count);
		return;
	}
	disk_did(queue, store_trim(queue->disk, queue->max, &dropped));
	count_lost(queue, dropped, "the queue is full (metrics.queue_max), the oldest was dropped");
}

struct counter {
	queue_visit *visit;
	void *arg;
	size_t left;
	bool stopped;
};

static bool count_visit(void *arg, const struct queue_entry *entry)
{
	struct counter *counter = arg;

	if (!counter->visit(counter->arg, entry)) {
		counter->stopped = true;
		return false;
	}
	counter->left--;
	return counter->left > 0;
}

void queue_newest(struct queue *queue, size_t limit, queue_visit *visit, void *arg)
{
	struct counter counter = { .visit = visit, .arg = arg, .left = limit };
	int64_t damaged = 0;

	/* What is in memory came while the disk was in trouble: it is newer. */
	if (queue->memory != NULL && limit > 0)
		store_newest(queue->memory, counter.left, count_visit, &counter, &damaged);
	if (queue->disk_ok && counter.left > 0 && !counter.stopped)
		disk_did(queue,
		         store_newest(queue->disk, counter.left, count_visit, &counter, &damaged));
	count_lost(queue, damaged, "a datum in the queue was damaged");
}

void queue_remove(struct queue *queue, const int64_t *ids, size_t count)
{
	int64_t disk[QUEUE_REMOVE_MAX], memory[QUEUE_REMOVE_MAX];
	size_t on_disk = 0, in_memory = 0;

	assert(count <= QUEUE_REMOVE_MAX);
	for (size_t i = 0; i < count; i++) {
		if (ids[i] > 0)
			disk[on_disk++] = ids[i];
		else
			memory[in_memory++] = ids[i];
	}
	if (in_memory > 0 && queue->memory != NULL)
		store_remove(queue->memory, memory, in_memory);
	if (on_disk == 0)
		return;
	if (queue->disk_ok && disk_did(queue, store_remove(queue->disk, disk, on_disk)))
		return;
	if (queue->disk == NULL || queue->disk_ok)
		return; /* a new file: they went with the old one */
	/* No row is read from a disk in trouble, so this is the only batch there is. */
	for (size_t i = 0; i < on_disk && queue->undone_count < QUEUE_REMOVE_MAX; i++)
		queue->undone[queue->undone_count++] = disk[i];
}

void queue_drop(struct queue *queue, int64_t id, const char *why)
{
	queue_remove(queue, &id, 1);
	count_lost(queue, 1, why);
}

void queue_expire(struct queue *queue, int64_t oldest_ms, int64_t newest_ms)
{
	int64_t dropped = 0;

	if (queue->memory != NULL)
		store_expire(queue->memory, oldest_ms, newest_ms, &dropped);
	if (queue->disk_ok)
		disk_did(queue, store_expire(queue->disk, oldest_ms, newest_ms, &dropped));
	count_lost(queue, dropped, "too old or too far in the future for CloudWatch");
}

void queue_shift(struct queue *queue, int64_t from, int64_t to, int64_t by_ms)
{
	if (queue->memory != NULL)
		store_shift(queue->memory, from, to, by_ms);
	if (queue->disk_ok)
		disk_did(queue, store_shift(queue->disk, from, to, by_ms));
}

void queue_claim(struct queue *queue, const char *instance_id)
{
	int64_t dropped = 0, damaged = 0;

	if (strcmp(queue->owner, instance_id) == 0)
		return;
	str_copy(queue->owner, sizeof(queue->owner), instance_id);
	if (queue->disk_ok && disk_did(queue, store_claim(queue->disk, queue->owner, &dropped)))
		aside_adopt(queue->dir, queue->disk, queue->owner, &dropped, &damaged);
	if (dropped > 0)
		log_warning("queue: it was another instance's, %lld data dropped",
		            (long long)dropped);
	count_lost(queue, dropped, "the queue was another instance's");
	count_lost(queue, damaged, "a datum in a queue that was set aside was damaged");
}

void queue_turn(struct queue *queue, int64_t now_ms, int64_t wall_ms)
{
	int64_t dropped = 0, damaged = 0;
	int r = 0;

	queue->wall_ms = wall_ms;
	if (queue->disk_ok || now_ms < queue->retry_ms)
		return;
	queue->retry_ms = now_ms + QUEUE_RETRY_MS;
	if (queue->disk == NULL)
		r = store_open(queue->path, &queue->disk);
	if (r == 0)
		r = store_probe(queue->disk);
	if (r == 0 && queue->owner[0] != '\0')
		r = store_claim(queue->disk, queue->owner, &dropped);
	if (r == 0 && queue->undone_count > 0)
		r = store_remove(queue->disk, queue->undone, queue->undone_count);
	if (r == 0) {
		queue->undone_count = 0;
		if (queue->memory != NULL)
			r = aside_move(queue->memory, queue->disk, &damaged);
	}
	count_lost(queue, dropped, "the queue was another instance's");
	count_lost(queue, damaged, "a datum in the queue was damaged");
	if (r < 0) {
		disk_failed(queue, r);
		return;
	}
	store_close(queue->memory);
	queue->memory = NULL;
	queue->disk_ok = true;
	queue->trouble[0] = '\0';
	log_info("queue: %s is usable again", queue->path);
}
