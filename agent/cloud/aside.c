/* Run by wna-cloud, seldom. Blocks on the local disk. Owns the files queue.db.*-UNIXTIME. */
#include "aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limits.h"
#include "log.h"
#include "str.h"

#define CORRUPT ASIDE_QUEUE ".corrupt-"
#define LATER   ASIDE_QUEUE ".later-"
#define LOG     "-wal"

enum { MOVE_AT_ONCE = 16, NAME_SIZE = 64, FILES_MAX = 16 };

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

void aside_corrupt(const char *dir, int64_t wall_ms)
{
	char path[LIMIT_PATH + NAME_SIZE], to[LIMIT_PATH + NAME_SIZE], log[LIMIT_PATH + NAME_SIZE];
	DIR *folder = opendir(dir);
	const struct dirent *item;

	while (folder != NULL && (item = readdir(folder)) != NULL) {
		if (begins(item->d_name, CORRUPT))
			unlinkat(dirfd(folder), item->d_name, 0);
	}
	if (folder != NULL)
		closedir(folder);
	snprintf(path, sizeof(path), "%s/" ASIDE_QUEUE, dir);
	snprintf(log, sizeof(log), "%s/" ASIDE_QUEUE LOG, dir);
	snprintf(to, sizeof(to), "%s/" CORRUPT "%lld", dir, (long long)(wall_ms / 1000));
	/* If neither works the next open fails again, and that is said then. */
	if (rename(path, to) < 0)
		unlink(path);
	unlink(log);
	log_warning("queue: %s was damaged, set aside as %s", path, to);
}

int aside_later(const char *dir, int64_t wall_ms)
{
	char to[NAME_SIZE], log[NAME_SIZE + sizeof(LOG)];
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), rc = 0;
	int64_t number = wall_ms / 1000;

	if (fd < 0)
		return -errno;
	/* Never over another: the clock may have been set back. */
	do {
		snprintf(to, sizeof(to), LATER "%lld", (long long)number++);
		snprintf(log, sizeof(log), "%s" LOG, to);
	} while (faccessat(fd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	/* The log first: one that is left behind would be taken for the new file's. */
	if (renameat(fd, ASIDE_QUEUE LOG, fd, log) < 0 && errno != ENOENT)
		rc = -errno;
	if (rc == 0 && renameat(fd, ASIDE_QUEUE, fd, to) < 0) {
		rc = -errno;
		renameat(fd, log, fd, ASIDE_QUEUE LOG);
	}
	close(fd);
	if (rc == 0)
		log_warning("queue: %s/" ASIDE_QUEUE
		            " is of a later version of the agent, kept for "
		            "it as %s; a new one is begun",
		            dir, to);
	return rc;
}

struct mover {
	struct queue_entry entries[MOVE_AT_ONCE];
	int64_t ids[MOVE_AT_ONCE];
	size_t count;
};

static bool move_visit(void *arg, const struct queue_entry *entry)
{
	struct mover *mover = arg;

	mover->ids[mover->count] = entry->id;
	mover->entries[mover->count++] = *entry;
	return mover->count < MOVE_AT_ONCE;
}

int aside_move(struct store *from, struct store *to, int64_t *damaged)
{
	struct mover *mover = malloc(sizeof(*mover));
	int r = mover == NULL ? -ENOMEM : 0;

	while (r == 0 && store_count(from) > 0) {
		int64_t before = store_count(from);

		mover->count = 0;
		r = store_newest(from, MOVE_AT_ONCE, move_visit, mover, damaged);
		/* None was visited if all were damaged: they are gone, and more may follow. */
		if (r == 0 && mover->count > 0)
			r = store_add(to, mover->entries, mover->count);
		if (r == 0 && mover->count > 0)
			r = store_remove(from, mover->ids, mover->count);
		/* What does not shrink would never end. */
		if (r == 0 && store_count(from) >= before)
			r = -EBADMSG;
	}
	free(mover);
	return r;
}

/* What cannot be taken in, or not all of it, stays: the next start tries again. */
static void adopt(const char *dir, const char *name, struct store *to, const char *owner,
                  int64_t *others, int64_t *damaged)
{
	char path[LIMIT_PATH + NAME_SIZE];
	int64_t before = store_count(to);
	struct store *from;
	int r;

	/* It fits: `name` has NAME_SIZE. */
	r = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (r < 0 || (size_t)r >= sizeof(path))
		return;
	r = store_open(path, &from);
	if (r < 0) {
		if (r != -ENOTSUP)
			log_warning("queue: %s stays aside: %s", path, strerror(-r));
		return;
	}
	r = store_claim(from, owner, others);
	if (r == 0)
		r = aside_move(from, to, damaged);
	store_close(from);
	if (r < 0) {
		log_warning("queue: %s stays aside: %s", path, strerror(-r));
		return;
	}
	/* Its log went with the last connection. */
	unlink(path);
	log_info("queue: took %lld data over from %s", (long long)(store_count(to) - before), name);
}

void aside_adopt(const char *dir, struct store *to, const char *owner, int64_t *others,
                 int64_t *damaged)
{
	char names[FILES_MAX][NAME_SIZE];
	DIR *folder = opendir(dir);
	const struct dirent *item;
	size_t count = 0;

	/* First all names: files come and go while a store is open. */
	while (folder != NULL && count < FILES_MAX && (item = readdir(folder)) != NULL) {
		if (begins(item->d_name, LATER) && str_only(item->d_name + strlen(LATER), "") &&
		    str_copy(names[count], NAME_SIZE, item->d_name))
			count++;
	}
	if (folder != NULL)
		closedir(folder);
	for (size_t i = 0; i < count; i++)
		adopt(dir, names[i], to, owner, others, damaged);
}
