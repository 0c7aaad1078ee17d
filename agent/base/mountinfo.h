/*
 * /proc/self/mountinfo (proc_pid_mountinfo(5)). The kernel never waits for a server when this
 * file is read. Parsing is pure; fuzzed.
 */
#ifndef WNA_MOUNTINFO_H
#define WNA_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mountinfo {
	int64_t id, parent;
	unsigned major, minor;
	char root[512]; /* no text has octal escapes; all but `path` are cut if they do not fit */
	char path[512];
	char type[64];
	char source[512];
	char options[512];        /* per mount */
	char super_options[1024]; /* per file system: addr=, port=, vers= are here */
};

/* One line, without its newline. False if it is not a line of mountinfo, or its path does not
 * fit. */
bool mountinfo_parse_line(const char *line, size_t len, struct mountinfo *ret);

/* The next line of *text that can be read; *text and *len move behind it. False at the end. */
bool mountinfo_next(const char **text, size_t *len, struct mountinfo *ret);

/*
 * The topmost mount on `path` itself (absolute, without "..", shorter than 512), which is the
 * one that the path leads to. If a mount on a parent directory hides all mounts on the path,
 * the topmost of the hidden ones: mountinfo_holding tells the difference. 1 found; 0 nothing is
 * mounted there; -EBADMSG if the text is not from mountinfo, or if it has a line that cannot be
 * read and may be about the path.
 */
int mountinfo_topmost(const char *text, size_t len, const char *path, struct mountinfo *ret);

/* The mount that `path` lies on, found as the kernel finds it: from mount to mount, by parent. A
 * hidden mount is never found. Returns the same. */
int mountinfo_holding(const char *text, size_t len, const char *path, struct mountinfo *ret);

/*
 * A text that is different for a later mount with the same id: the kernel gives a free id away
 * at once. "TYPE SOURCE [DIGEST]", with the digest of device, root, type, source and the
 * server's address and port. At most 81 bytes with the NUL. Returns `ret`.
 */
char *mountinfo_mark(const struct mountinfo *mi, char *ret, size_t size);

/*
 * Reads the whole file (up to 4 MiB) into a malloc'd text. 0 or -errno.
 * The caller frees *ret_text.
 */
int mountinfo_read(const char *file, char **ret_text, size_t *ret_len);

/* The value of the option `name` in a comma-separated list, empty if it has none. False if
 * the list does not have the option, or if the value is too long. */
bool mountinfo_option(const char *options, const char *name, char *ret, size_t size);

#endif
