/*
 * What the core gives up after start: everything but answering.
 */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H

/*
 * Before the tables are made: no transparent huge pages, descriptors up to the
 * hard limit. Best effort.
 */
void sandbox_prepare(void);

/*
 * No new privileges, no core dumps, what is in memory stays there (best
 * effort: it needs RLIMIT_MEMLOCK), and from here on a system call that is not
 * on the list kills the process with SIGSYS. 0 or -errno.
 */
int sandbox_enter(void);

#endif
