/* Two fields of /proc/PID/stat (proc_pid_stat(5)). */
#ifndef WNA_PIDSTAT_H
#define WNA_PIDSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pidstat {
	char state;    /* 'Z' a zombie, 'X' gone ... */
	int64_t start; /* clock ticks since the boot: a later process of that number has another */
};

/* Reads that of process `pid` below the directory `proc`, an open /proc. This file, unlike
 * cmdline, is read without waiting for the process. False if there is none. */
bool pidstat_read(int proc, pid_t pid, struct pidstat *ret);

#endif
