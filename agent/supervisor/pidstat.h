/* The few fields of /proc/PID/stat (proc(5)) that wnad looks at. */
#ifndef SUPERVISOR_PIDSTAT_H
#define SUPERVISOR_PIDSTAT_H

#include <stdbool.h>
#include <sys/types.h>

struct pidstat {
	char state; /* 'Z' a zombie ... */
	pid_t parent;
	pid_t group;
};

/* Reads the entry `pid` (decimal) below the directory `proc`. Reading this file
 * waits for nobody, unlike cmdline. False: there is no such process. */
bool pidstat_read(int proc, const char *pid, struct pidstat *ret);

/* The text of such a file. False if it is none. */
bool pidstat_parse(const char *text, struct pidstat *ret);

#endif
