/*
 * The password file: root's, its group's to read, which is this process's own, and
 * nobody else's. It is read anew for every login and the password wiped after it, hence
 * a new password needs no restart.
 */
#ifndef WNA_RDS_SECRET_H
#define WNA_RDS_SECRET_H

#include <stdbool.h>
#include <stddef.h>

enum {
	SECRET_SIZE = 4096, /* an IAM token has about 1 KiB */
	SECRET_ID = 96,
};

/*
 * The file's first line without its end ("\n", "\r\n"). 0; -ENODATA empty;
 * -EMSGSIZE longer than size - 1; -EINVAL a NUL byte in it, or no regular file;
 * -EPERM not root's, or open to others; -errno unreadable.
 * `ret` is wiped on failure. The caller wipes it (explicit_bzero) after use.
 */
int secret_read(const char *path, char *ret, size_t size);

/* For people: "the password file is empty". */
const char *secret_explain(int rc);

/*
 * Which file it is, in which state: device, inode, size and time of
 * change as "a:b:c:d"; empty if there is none. Says nothing of its content.
 */
void secret_identify(const char *path, char *ret, size_t size);

#endif
