/*
 * Runs one script by its open descriptor and waits for it, for so long. It
 * stays in our process group, so that wnad's kill takes it along; what a late
 * one leaves behind is found because we are its subreaper (prctl(2)).
 */
#ifndef HOOK_RUN_H
#define HOOK_RUN_H

#include <stdint.h>

#include "output.h"

enum {
	RUN_LATE = 124,    /* ended by us; timeout(1)'s code */
	RUN_REFUSED = 126, /* could not be executed; the shell's code */
	RUN_SIGNAL = 128,  /* + the signal that ended it */
};

/* Once, before the first run. 0 or -errno. */
int run_init(void);

/*
 * `limit_ms` from now it is asked (TERM), a moment later killed with all it
 * started. Its output goes to `output`, stdin is /dev/null, the working
 * directory "/". `on_turn(arg)` is called at least once a second. 0..255 as
 * above, or -errno if it could not be started.
 */
int run_script(int fd, const char *name, char *const environment[], int64_t limit_ms,
               struct output *output, void (*on_turn)(void *arg), void *arg);

#endif
