/* What every child of the agent does between fork and exec. */
#ifndef WNA_CHILD_H
#define WNA_CHILD_H

#include <sys/types.h>

/*
 * For the child alone, right after fork(2). The descriptor fds[i] becomes number i, of which
 * -1 stands for /dev/null; all other descriptors are closed. No signal is blocked, and SIGPIPE
 * ends the process. The kernel kills the child when `parent` ends, whose number is taken
 * before the fork. `count` is 3 to CHILD_FDS. 0 or -errno.
 */
enum { CHILD_FDS = 8 };
int child_begin(pid_t parent, const int fds[], int count);

#endif
