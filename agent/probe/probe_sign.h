/* A sign of life of a mounted file system: calls that its server must answer, and not a cache of
 * this machine. */
#ifndef WNA_PROBE_SIGN_H
#define WNA_PROBE_SIGN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Calls statfs on the mount `mount_id` on `path` and, if `file` is not empty, reads that file
 * without the cache: a path below the mount, without symbolic links, of a regular file. Sleeps
 * as long as the server is silent.
 *
 * On NFS each statfs is a request to the server (nfs_statfs has no cache), but stat is answered
 * from the attribute cache for up to a minute (nfs(5), acregmax); tests/vm shows both. 0; -errno
 * with a reason: -ESTALE the export is gone; -ENODEV the path leads to another mount, which was
 * not asked.
 */
int sign_of_life(const char *path, const char *file, int64_t mount_id, char *ret_why,
                 size_t why_size);

#endif
