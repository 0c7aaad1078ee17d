/*
 * Which directories the agent has made immutable, so that it can take that back: when
 * mount.guard is switched off, when mount.path becomes another, and when the agent is
 * removed. A line for each, "INODE PATH": a directory that somebody else has made
 * immutable, or made anew in its place, is not ours.
 */
#ifndef WNA_MOUNT_GUARDED_H
#define WNA_MOUNT_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

#define GUARDED_NAME "guarded"

enum { GUARDED_MAX = 64 };

struct guarded {
	uint64_t inode;
	char path[LIMIT_PATH];
};

struct guarded_list {
	size_t count;
	struct guarded item[GUARDED_MAX];
};

/*
 * Reads `dir`/guarded. `refuse` is told the number of every line that is none: it is
 * left out. A file that is not there is an empty list; -EPERM one that is not root's
 * alone or no regular file; -errno.
 */
int guarded_read(const char *dir, struct guarded_list *ret, void (*refuse)(void *arg, int line),
                 void *arg);

/* The whole file at once, synced, in a folder that is made if it is missing; none at
 * all for an empty list. 0 or -errno. */
int guarded_write(const char *dir, const struct guarded_list *list);

/* Its place in the list, or -1. */
int guarded_find(const struct guarded_list *list, const char *path, uint64_t inode);

/* In memory. -ENOSPC if there are too many; one of the same path and inode is kept. */
int guarded_add(struct guarded_list *list, const char *path, uint64_t inode);
void guarded_drop(struct guarded_list *list, size_t at);

#endif
