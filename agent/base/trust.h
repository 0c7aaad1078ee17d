/*
 * Whether root alone can change a directory. Every component of the path must be a directory,
 * not a symbolic link; its owner must be root, and no other user may write it. A sticky
 * directory of root's, for example /tmp, is allowed, since no other user can rename root's
 * files in it. The check is of the opened descriptors: no rename can come between.
 */
#ifndef WNA_TRUST_H
#define WNA_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "limits.h"

enum { TRUST_PATH = LIMIT_PATH + LIMIT_NAME };

struct local_user {
	uid_t uid;
	gid_t gid;
};

/* A user of /etc/passwd, to which sysusers adds the agent's users: a directory server, which may
 * be silent, is not asked. False if there is no user of that name. */
bool trust_local_user(const char *name, struct local_user *ret);

/* The name of a user of /etc/passwd, or its number as text. Returns `ret`. */
char *trust_user_name(uid_t uid, char *ret, size_t size);

/*
 * Opens `path` (absolute) as O_PATH. `owner`, beside root, is trusted as well: tests do not run
 * as root. 0; -ENOENT; -ELOOP a component is a symbolic link; -ENOTDIR; -EPERM not root's, or
 * writable by others; -EINVAL not absolute, or with ".."; -errno. The caller closes *ret_fd.
 * After a failure `ret_wrong`, of TRUST_PATH bytes, is the directory that is wrong: `path` or
 * one above it.
 */
int trust_open_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong);

/* The same, and makes missing directories, with mode 0755. */
int trust_make_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong);

/* What a refusal means: "is not a directory" ... */
const char *trust_explain(int rc);

/*
 * The same for the directory `wrong`, with its owner, group and mode if they are the reason:
 * "is of user root, group apache, mode 2775: it must be ...". The names come from local files:
 * no directory server is waited for. Returns `ret`.
 */
char *trust_explain_dir(const char *wrong, int rc, char *ret, size_t size);

#endif
