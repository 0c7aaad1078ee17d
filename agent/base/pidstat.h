/* The few fields of /proc/PID/stat (proc_pid_stat(5)) that are looked at. */
#ifndef WNA_PIDSTAT_H
#define WNA_PIDSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pidstat {
	char state; /* 'Z' a zombie, 'X' gone ... */
	pid_t parent, group, session;
	int64_t start; /* clock ticks since the boot: tells a number's holders apart */
};

/* Reads the entry `pid` (decimal, or "self") below the directory `proc`. Reading
 * this file waits for nobody, unlike cmdline. False: there is no such process. */
bool pidstat_read(int proc, const char *pid, struct pidstat *ret);

#endif
