/*
 * The folders: CONF_RUN_DIR and CONF_STATE_DIR are root's, 0755; each writer
 * owns one folder below and nothing else; documented names are root's links.
 */
#ifndef SUPERVISOR_RUNDIR_H
#define SUPERVISOR_RUNDIR_H

#include <sys/types.h>

#include "users.h"

/* Told of each path that cannot be had, and why (-errno). */
typedef void rundir_lacks(const char *path, int rc);

/*
 * Makes what is missing and repairs owners and modes. Health checks can be answered
 * with as little as CONF_RUN_DIR: 0, or -errno if that cannot be had. /run must exist.
 */
int rundir_make(const struct users *users, rundir_lacks *lacks);

/*
 * Takes this machine's one place for a wnad: a record lock on CONF_RUN_DIR/lock,
 * which no child inherits and which the kernel gives back at an end of any kind.
 * The folder must have been made. The caller's descriptor, to be kept open; or
 * -EBUSY if another process has it (*ret_holder: which, 0 if that cannot be told),
 * or -errno.
 */
int rundir_lock(pid_t *ret_holder);

#endif
