/*
 * What a dead wnad may have left behind. The unit's KillMode is process,
 * because the TLS proxy of EFS lives in the same control group and must
 * survive; so wnad cleans up after its predecessor, and after nobody else.
 */
#ifndef SUPERVISOR_LEFTOVER_H
#define SUPERVISOR_LEFTOVER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Kills every process of our own control group whose executable lies directly
 * in `libexec` (also one replaced by an upgrade), unless it belongs to another
 * living wnad (an ancestor has our executable). Returns how many were killed;
 * -errno if /proc or our control group cannot be read (nothing was killed).
 */
int leftover_kill(const char *libexec);

/* Whether `exe`, as readlink gives it for /proc/PID/exe, is a worker (wna-*)
 * directly in `folder` (a path without a trailing slash). Pure. */
bool leftover_is_ours(const char *exe, const char *folder);

/* Whether two such texts name the same program, though an upgrade may have replaced
 * the file of one meanwhile. Pure. */
bool leftover_same_exe(const char *a, const char *b);

/* The line of /proc/PID/cgroup that names the group for us: the unified
 * hierarchy's, else systemd's own. Points into `text`; NULL if neither. Pure. */
const char *leftover_cgroup(const char *text, size_t *ret_len);

#endif
