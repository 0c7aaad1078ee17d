/*
 * May this path be touched without waiting for another machine? Answered from
 * mountinfo, component by component, before each component is touched: a
 * symbolic link on a local disk may lead onto the network, and so may a mount
 * that was made after `wnactl check` looked.
 */
#ifndef WNA_LOCALPATH_H
#define WNA_LOCALPATH_H

#include <stddef.h>

/*
 * Follows the symbolic links of `path` (absolute) to where it really is, by the
 * mountinfo file of that name (normally "/proc/self/mountinfo"). 0 with the
 * place in ret[size], free of links; -EREMOTE if it lies on, or passes through,
 * a network file system, an automounter or below `shared` (conf.mount.path, or
 * empty), which then was not touched; -ENOENT, -EACCES, -ELOOP and the like from
 * readlink(2); -EIO if mountinfo could not be read. On failure why[why_size] has
 * the reason for people.
 */
int localpath_resolve(const char *mountinfo, const char *shared, const char *path, char *ret,
                      size_t size, char *why, size_t why_size);

#endif
