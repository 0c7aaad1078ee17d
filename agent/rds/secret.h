/*
 * The password, from the descriptor that wnad handed over (RDS_FD_PASSWORD).
 * It is read anew for every login and wiped after it. In-place edits of the
 * file are seen; for a file that was replaced the process has to be started
 * anew, because wnad opens it.
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
 * -EMSGSIZE longer than size - 1; -EINVAL a NUL byte in it; -errno unreadable.
 * `ret` is wiped on failure. The caller wipes it (explicit_bzero) after use.
 */
int secret_read(int fd, char *ret, size_t size);

/* For people: "the password file is empty". */
const char *secret_explain(int rc);

/*
 * Which file, in which state, was handed over: device, inode, size and time of
 * change as "a:b:c:d"; empty if there is none. Says nothing of its content.
 */
void secret_identify(int fd, char *ret, size_t size);

#endif
