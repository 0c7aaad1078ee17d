/*
 * What a child does to itself between fork and exec, in the order that the
 * kernel's rules demand. All calls are async-signal-safe and return 0 or -errno.
 */
#ifndef SUPERVISOR_CONFINE_H
#define SUPERVISOR_CONFINE_H

#include "spawn.h"

/* Places spawn->fds at their numbers, /dev/null at 0, and marks all others
 * close-on-exec; *keep_fd, and *exe_fd if it is one, may be moved out of the way. */
int confine_fds(const struct spawn *spawn, int *keep_fd, int *exe_fd);

/* Resource limits, niceness, OOM score. The last two are wishes: without the
 * privilege for them (a container) the child runs without. */
int confine_limits(const struct spawn *spawn);

/* Cuts the bounding set; needs CAP_SETPCAP, so it comes before the user. */
int confine_bounding(const struct spawn *spawn);
int confine_securebits(const struct spawn *spawn);

/* Groups, group, user: all three ids of each. */
int confine_user(const struct user *user);

/* Empties the ambient and inheritable sets, and for a user that is not root
 * checks that nothing is left. */
int confine_caps(const struct user *user);

/* no_new_privs, and the wish to die with the parent, which every change of
 * credentials takes back: so this comes last. (Not being dumpable would be
 * undone by exec; worker_init() does that.) */
int confine_privs(const struct spawn *spawn);

#endif
