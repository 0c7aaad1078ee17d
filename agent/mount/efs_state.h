/*
 * The state files of efs-utils, by which its watchdog knows a mount: the proof
 * that an NFS mount of 127.0.0.1 is the configured file system and not
 * somebody else's tunnel.
 *
 * Source: aws/efs-utils, src/efs_utils_common/proxy.py and file_utils.py (2.x,
 * 3.x) and src/mount_efs (1.x). One file per mount in /var/run/efs, called
 * ID.PATH.PORT, PATH being the mount point with its slashes as dots and no dot
 * in front; "~" before the name while the helper is still at work. JSON: pid,
 * cmd (list), files; with TLS, since access points exist, accessPoint,
 * mountStateDir, certificate ...; since 2.x mountpoint; since 1.3x fsId.
 */
#ifndef WNA_MOUNT_EFS_STATE_H
#define WNA_MOUNT_EFS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

#define EFS_STATE_DIR "/var/run/efs"

struct efs_state {
	int64_t pid;
	bool tls;                      /* the proxy was started with TLS */
	char access_point[LIMIT_NAME]; /* empty: none */
};

/*
 * The state of the mount of `file_system` on `path` by `port`, read from the
 * folder `dir`. 0; -ENOENT no such file; -EINPROGRESS only the helper's
 * unfinished one; -EPERM a file that others than its owner root could write;
 * -EBADMSG not what efs-utils writes, or about another mount; -errno.
 */
int efs_state_read(const char *dir, const char *file_system, const char *path, unsigned port,
                   struct efs_state *ret);

/*
 * Does what a helper that was ended no longer does: gives its unfinished file, if it has
 * not been touched for `idle_ms`, its final name, by which efs-utils' watchdog looks
 * after the mount's proxy. For a mount that is there and whose file is trusted (root's,
 * as above) and whole: one that was cut would be of no use to the watchdog. `now_ms` is
 * wall-clock time, as files have it; one from the future has been idle. 0 if there is a
 * finished one now; -EINPROGRESS not yet; -EPERM, -EBADMSG as above, it is left as it is;
 * -errno.
 */
int efs_state_finish(const char *dir, const char *file_system, const char *path, unsigned port,
                     int64_t idle_ms, int64_t now_ms);

/* The pure part: checks and reads the JSON text. 0 or -EBADMSG. */
int efs_state_parse(const char *json, size_t len, const char *file_system, const char *path,
                    struct efs_state *ret);

#endif
