/*
 * The mount itself, by libmount, in a child process of its own: libmount forks
 * the helper (mount.efs, mount.nfs4) and waits for it without a limit, and the
 * helper's reason exists only as text on its standard error. The child stays
 * in wna-mount's process group, on which wnad's kill ladder works.
 */
#ifndef WNA_MOUNT_ATTACH_H
#define WNA_MOUNT_ATTACH_H

#include <stdbool.h>

#include "limits.h"
#include "mountinfo.h"
#include "target.h"

struct attach {
	int status;                /* 0: it says that it worked; else mount(8)'s exit code,
	                            * 128 + n when killed by signal n */
	char said[LIMIT_FACT_WHY]; /* last meaningful line of the helper or of libmount */
};

/*
 * Mounts and waits until that is done. `heard` is called with the last
 * meaningful line each time there is more of it. 0 with *ret filled, or
 * -errno if it could not even be tried.
 */
int attach(const struct target *target, const char *path,
           void (*heard)(void *arg, const char *line), void *arg, struct attach *ret);

/*
 * Kernels since 5.4 read ahead 128 KiB on NFS whatever rsize is; AWS's helper
 * sets 15 times rsize, and so does this, for a mount made without it. With
 * `default_only` a value other than the kernel's is left alone. The value set in
 * KiB, 0 if none was (also if `there` has no rsize), or -errno.
 */
int attach_read_ahead(const struct mountinfo *there, bool default_only);

#endif
