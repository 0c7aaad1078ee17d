/*
 * /proc/self/mountinfo (proc(5)), read without touching any mount: this file
 * never waits for a server. Parsing is pure; fuzzed.
 */
#ifndef WNA_MOUNTINFO_H
#define WNA_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mountinfo {
	int64_t id, parent;
	unsigned major, minor;
	char root[512]; /* octal escapes decoded in all texts; all but path
	                          * are cut where they do not fit */
	char path[512];
	char type[64];
	char source[512];
	char options[512];        /* per mount */
	char super_options[1024]; /* per file system: addr=, port=, vers= are here */
};

/* One line (without its newline). False if it is not a mountinfo line or its
 * path does not fit. */
bool mountinfo_parse_line(const char *line, size_t len, struct mountinfo *ret);

/* The next line of *text that is one; both move on behind it. False at the end. */
bool mountinfo_next(const char **text, size_t *len, struct mountinfo *ret);

/*
 * The topmost mount on exactly `path` (absolute, no "..", shorter than 512) in
 * the text of a mountinfo file: the one that a walk along the path comes to.
 * Where a mount over a parent directory hides all that are on the path, the one
 * of them that none of them lies upon; mountinfo_holding then gives the other.
 * 1 found, 0 nothing mounted there, -EBADMSG if the text is no mountinfo, or a
 * line of it does not parse whose mount the path may lie on.
 */
int mountinfo_topmost(const char *text, size_t len, const char *path, struct mountinfo *ret);

/* The mount that `path` lies on, found as the kernel walks: from mount to mount
 * by parent, so what is hidden does not count. Same returns. */
int mountinfo_holding(const char *text, size_t len, const char *path, struct mountinfo *ret);

/*
 * What tells this mount from another that was given the same id, which the
 * kernel does at once (the lowest free one): "TYPE SOURCE [DIGEST]", the digest
 * being of device, root, type, source and the server's address and port. The
 * same in every process. At most 81 bytes with the NUL. Returns `ret`.
 */
char *mountinfo_mark(const struct mountinfo *mi, char *ret, size_t size);

/*
 * Reads the whole file (up to 4 MiB) into a malloc'd text. 0 or -errno.
 * The caller frees *ret_text.
 */
int mountinfo_read(const char *file, char **ret_text, size_t *ret_len);

/* The value of the option `name` in a comma-separated list, empty if it has none. False if there
 * is no such option, or if its value is too long. */
bool mountinfo_option(const char *options, const char *name, char *ret, size_t size);

/* File-system types whose calls may wait for another machine: nfs, nfs4, efs,
 * cifs, smb3, ceph, 9p, afs, lustre, fuse.*, fuse and the like. */
bool mountinfo_is_network(const char *type);

#endif
