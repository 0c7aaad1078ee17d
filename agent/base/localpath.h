/*
 * Whether a path can be used without waiting for another machine. mountinfo says it for each
 * component before that component is used: a symbolic link on a local disk may lead to a
 * network file system, and one may have been mounted since `wnactl check` looked.
 */
#ifndef WNA_LOCALPATH_H
#define WNA_LOCALPATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Follows the symbolic links in `path` (absolute) by the file `mountinfo` (normally
 * "/proc/self/mountinfo"). 0 with the path without links in ret[size]; -EREMOTE if it lies on,
 * or leads over, a network file system, an automounter, or `shared` (conf.mount.path, or
 * empty), which was not used then; -ENOENT, -EACCES, -ELOOP and others from readlink(2);
 * -EIO if mountinfo could not be read. After a failure why[why_size] has the reason.
 */
int localpath_resolve(const char *mountinfo, const char *shared, const char *path, char *ret,
                      size_t size, char *why, size_t why_size);

/* Whether a file system of this type may wait for another machine: nfs, nfs4, efs, cifs, smb3,
 * ceph, 9p, afs, lustre, fuse, fuse.* and others. */
bool localpath_is_network(const char *type);

#endif
