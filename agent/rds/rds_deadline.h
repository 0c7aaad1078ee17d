/*
 * A limit on a blocking call that has time-outs of its own, but per read, so
 * that a server sending a byte a second could keep it for ever. When time is
 * up, every socket that was opened after deadline_init is shut down,
 * again and again, until the call returns with an error. One at a time.
 */
#ifndef WNA_RDS_DEADLINE_H
#define WNA_RDS_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* Takes SIGALRM and ITIMER_REAL for the rest of the process's life. 0 or -errno. */
int deadline_init(void);

void deadline_start(int64_t ms);

/* Whether it struck. */
bool deadline_stop(void);

#endif
