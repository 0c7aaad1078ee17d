/*
 * Queue files that are set aside. Part of queue; nobody else includes it.
 *
 *	queue.db.corrupt-UNIXTIME  damaged; the latest only, for somebody to look at
 *	queue.db.later-UNIXTIME    of a later version of the agent, which was here before a
 *	                           downgrade: kept until an agent that can read it is here
 */
#ifndef CLOUD_ASIDE_H
#define CLOUD_ASIDE_H

#include <stdint.h>

#include "store.h"

#define ASIDE_QUEUE "queue.db"

/* Moves `dir`/queue.db out of the way. Its log is of no use without it. */
void aside_corrupt(const char *dir, int64_t wall_ms);

/* The same with its log. 0 or -errno: it is where it was. */
int aside_later(const char *dir, int64_t wall_ms);

/* Takes in what lies aside and can be read by now, as far as it is `owner`'s; adds to
 * *others what is not, and to *damaged the rows that make no sense. What fails is said,
 * and stays aside. */
void aside_adopt(const char *dir, struct store *to, const char *owner, int64_t *others,
                 int64_t *damaged);

/* All of `from` into `to`, but rows that make no sense: they are removed and added to
 * *damaged, also on failure. 0; -EBADMSG if `from` has rows that do not go; -errno of
 * either. */
int aside_move(struct store *from, struct store *to, int64_t *damaged);

#endif
