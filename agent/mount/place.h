/*
 * The directory that is mounted upon. A bare mount point is an ordinary
 * directory on the root disk, which a web server would serve and write to; so
 * it is made immutable. A mount over an immutable directory works.
 */
#ifndef WNA_MOUNT_PLACE_H
#define WNA_MOUNT_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"

struct place_guard {
	bool immutable;           /* the bare directory refuses writes, root's too */
	char why[LIMIT_FACT_WHY]; /* why it is not, or what lies hidden in it */
};

/*
 * Makes the directory and its missing parents (root's, 0755). Follows no
 * symbolic link anywhere. 0, or -errno with a reason: -ELOOP a symbolic link
 * on the way, -ENOTDIR. May wait for whatever file system `path`'s parents
 * lie on.
 */
int place_make(const char *path, char *ret_why, size_t why_size);

/*
 * Makes the bare directory immutable if `wanted`, and tells whether it is. It
 * is reached beneath whatever may be mounted upon it (a private copy of the
 * parent's mount has no mounts upon it), by a descriptor checked to be on the
 * parent's device, so a mounted file system is neither touched nor waited for.
 */
void place_guard(const char *path, bool wanted, struct place_guard *ret);

#endif
