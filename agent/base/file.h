/*
 * Small local files, read whole. The reader trusts nothing: the owner of a file may have put
 * anything there, a FIFO or a file that never ends among them.
 */
#ifndef WNA_FILE_H
#define WNA_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

/* The owner and the mode that a file must have. */
enum file_rule {
	FILE_OF_ANYBODY, /* any */
	FILE_OF_ROOT,    /* root's; only root and root's group can write it */
	FILE_OF_SECRET, /* root's; only root can write it, and only root and its group can read it */
};

/* 0; -EINVAL not a regular file; -EPERM against the rule. Pure. */
int file_allows(const struct stat *st, enum file_rule rule);

/*
 * Opens the file for reading. `name` is relative to the directory `dir_fd`, as for openat(2).
 * A symbolic link is not followed, and a FIFO or a device is not waited for. The caller closes
 * the descriptor. -ELOOP a symbolic link; as file_allows; other -errno.
 */
int file_open(int dir_fd, const char *name, enum file_rule rule);

/*
 * The whole file from its beginning, wherever the descriptor stands, with a NUL behind it.
 * Its length; -EFBIG if it has `size` bytes or more, `ret` has the first size - 1 then; other
 * -errno, `ret` is empty then. Files of the kernel are read as well: their stated size does
 * not count.
 */
ssize_t file_read(int fd, char *ret, size_t size);

/* file_open and file_read in one. */
ssize_t file_load(int dir_fd, const char *name, enum file_rule rule, char *ret, size_t size);

/*
 * Replaces the file `name` in the folder `dir`, mode 0644, in one step: a reader has the old
 * file or the new one, after a power cut as well. 0 or -errno; the old file stays then.
 */
int file_write(const char *dir, const char *name, const void *data, size_t len);

#endif
