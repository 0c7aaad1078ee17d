/*
 * A bare mount point is an ordinary directory on the root disk, which a web server
 * would serve and write to; so it is made immutable. A mount over an immutable
 * directory works. What the agent has made so it has on record (guarded.h), and it
 * takes back nothing else.
 */
#ifndef WNA_MOUNT_GUARD_H
#define WNA_MOUNT_GUARD_H

#include <stdbool.h>

#include "limits.h"

struct guard {
	bool immutable;           /* the bare directory refuses writes, root's too */
	char why[LIMIT_FACT_WHY]; /* why it is not, or what lies hidden in it */
};

/*
 * Makes the bare directory of `path` immutable if `wanted`, after it has noted so in
 * the folder `record`; if not wanted takes back what it has noted. Tells whether it
 * is immutable. With a record that is damaged it changes nothing and says so.
 */
void guard_set(const char *path, bool wanted, const char *record, struct guard *ret);

/*
 * Takes back all on record but that of `keep`, which is the path of an agent that stays:
 * then what is away, or another directory meanwhile, stays on record. NULL, at the
 * removal: all, and what is away is forgotten. Says each; 0 if all is done or was done by
 * others already; -errno of the last failure, which stays on record; -EBADMSG if the
 * record is damaged: it is not written, and only at the removal what can be read of it
 * is taken back.
 */
int guard_release(const char *record, const char *keep);

#endif
