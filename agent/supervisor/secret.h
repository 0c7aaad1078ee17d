/*
 * Opening a secret for a worker: wnad passes the descriptor on and never reads
 * from it.
 */
#ifndef SUPERVISOR_SECRET_H
#define SUPERVISOR_SECRET_H

#include <stddef.h>

/*
 * Opens `path` read-only, without following a last symbolic link. It must be a
 * regular file of root's with no access for group and others, on a file system
 * of this machine. `ret_fd` is close-on-exec and the caller's.
 * 0; -ELOOP a link, -EPERM not root's alone, -EINVAL not a regular file,
 * -EREMOTE on a network file system, -errno.
 */
int secret_open(const char *path, int *ret_fd);

/* "database.password_file: is a symbolic link": what secret_open meant. */
void secret_explain(int rc, const char *key, char *ret, size_t size);

#endif
