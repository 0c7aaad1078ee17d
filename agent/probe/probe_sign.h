/*
 * A sign of life of a mounted file system: calls that its server, and no
 * cache of this machine's, has to answer.
 */
#ifndef WNA_PROBE_SIGN_H
#define WNA_PROBE_SIGN_H

#include <stddef.h>
#include <stdint.h>

/*
 * statfs on the mount of id `mount_id` on `path`, and, if `file` is not empty,
 * an uncached read of that file below it (a relative path; no symbolic link,
 * regular files only). Sleeps as long as the server is silent.
 *
 * On NFS statfs is always a request to the server (nfs_statfs keeps nothing),
 * while stat is answered from the attribute cache for up to a minute (nfs(5),
 * acregmax); tests/vm shows both. 0, or -errno with a reason: -ESTALE the export
 * behind it is gone; -ENODEV the path leads to another mount, which was not asked.
 */
int sign_of_life(const char *path, const char *file, int64_t mount_id, char *ret_why,
                 size_t why_size);

#endif
