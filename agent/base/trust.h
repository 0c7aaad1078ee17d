/*
 * Whether a directory or script is the administrator's alone. Every component
 * of the path must be a directory, no symbolic link, owned by root and writable
 * by nobody else (a sticky directory of root's, such as /tmp, lets nobody
 * rename what is root's and passes); what is opened is what was checked.
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

/* A user of /etc/passwd, where sysusers puts the agent's own: no directory server is
 * asked, which may be silent. False if there is none of that name. */
bool trust_local_user(const char *name, struct local_user *ret);

/*
 * Opens `path` (absolute) as O_PATH. `owner` stands for root in tests; root is
 * trusted in any case. 0; -ENOENT; -ELOOP a component is a symbolic link; -ENOTDIR;
 * -EPERM not root's or writable by others; -EINVAL not absolute or with "..";
 * -errno. The caller closes *ret_fd. `ret_wrong` has TRUST_PATH bytes; after a
 * failure it says which directory it is about: `path` or one that it is below.
 */
int trust_open_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong);

/* The same, and makes what is missing, with mode 0755. */
int trust_make_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong);

/* "is a symbolic link": what a refusal meant. */
const char *trust_explain(int rc);

/*
 * The same of the directory `wrong`, with its owner, group and mode where these are
 * the reason: "is of user root, group apache, mode 2775, and ...". Names come from
 * the local files, so no directory server is waited for. Returns `ret`.
 */
char *trust_explain_dir(const char *wrong, int rc, char *ret, size_t size);

#endif
