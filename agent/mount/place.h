/* The directory that is mounted upon: made, and reached when it is covered. */
#ifndef WNA_MOUNT_PLACE_H
#define WNA_MOUNT_PLACE_H

#include <stddef.h>

#include "limits.h"

/*
 * Makes the directory and its missing parents (root's, 0755). Follows no
 * symbolic link anywhere. 0, or -errno with a reason: -ELOOP a symbolic link
 * on the way, -ENOTDIR. May wait for whatever file system `path`'s parents
 * lie on.
 */
int place_make(const char *path, char *ret_why, size_t why_size);

/*
 * The bare directory itself, beneath whatever may be mounted upon it (a private copy
 * of the parent's mount has no mounts upon it), checked to be on the parent's device,
 * so a mounted file system is neither touched nor waited for. A descriptor or -errno.
 */
int place_open_bare(const char *path);

#endif
