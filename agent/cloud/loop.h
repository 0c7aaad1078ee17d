/* wna-cloud's one loop, apart from main() so that a test can run it whole. */
#ifndef CLOUD_LOOP_H
#define CLOUD_LOOP_H

#include "worker.h"

/* Where the loop finds the machine; tests have their own folders. */
struct loop_places {
	const char *run_dir;   /* CONF_RUN_DIR "/cloud" */
	const char *state_dir; /* CONF_STATE_DIR "/cloud" */
	const char *proc_stat; /* "/proc/stat" */
};

/*
 * Runs until SIGTERM or SIGINT, which must be blocked by the caller before any
 * thread is made. Returns the process' exit code: 0, WORKER_EXIT_REOPEN, or 1
 * when there was not memory enough to begin. The closing of fd 3 ends the
 * process from within (worker.h).
 */
int loop_run(const struct worker *worker, const struct loop_places *places);

#endif
