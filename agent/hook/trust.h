/*
 * Whether a directory or script is the administrator's alone. Every component
 * of the path must be a directory, no symbolic link, owned by root and writable
 * by nobody else (a sticky directory of root's, such as /tmp, lets nobody
 * rename what is root's and passes); what is opened is what was checked.
 */
#ifndef HOOK_TRUST_H
#define HOOK_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "limits.h"

enum {
	TRUST_NAMES = 32, /* scripts of one event */
	TRUST_NAME = 64,  /* bytes of a script's name, with the NUL */
	TRUST_PATH = LIMIT_PATH + LIMIT_NAME,
};

struct trust_names {
	int count;
	char name[TRUST_NAMES][TRUST_NAME];
	int strange; /* entries with a name that is not one of a script: passed over */
};

/*
 * Opens `path` (absolute). `owner` stands for root in tests; root is trusted in
 * any case. 0; -ENOENT; -ELOOP a component is a symbolic link; -ENOTDIR;
 * -EPERM not root's or writable by others; -EINVAL not absolute or with "..";
 * -errno. The caller closes *ret_fd. `ret_wrong` has TRUST_PATH bytes; after a
 * failure it says which directory it is about: `path` or one that it is below.
 */
int trust_open_dir(const char *path, uid_t owner, int *ret_fd, char *ret_wrong);

/*
 * Opens the script `name` in that directory for reading and execution. 0;
 * -ELOOP a symbolic link; -EINVAL not a regular file; -EPERM not root's, or
 * writable by others, or set-user-ID; -EACCES not executable; -errno. The
 * caller closes *ret_fd, which is close-on-exec.
 */
int trust_open_script(int dir_fd, const char *name, uid_t owner, int *ret_fd);

/* "is a symbolic link": what a refusal meant. */
const char *trust_explain(int rc);

/*
 * A script's name: of [A-Za-z0-9._-], not beginning with a dot or hyphen, and
 * not one that package managers and editors leave behind (.rpmsave, .rpmnew,
 * .dpkg-old, .bak ...).
 */
bool trust_is_name(const char *name);

/* The scripts' names in the directory in the order of their bytes (LC_ALL=C).
 * 0; -E2BIG more than TRUST_NAMES; -errno. */
int trust_list(int dir_fd, struct trust_names *ret);

#endif
