/*
 * The folders: CONF_RUN_DIR and CONF_STATE_DIR are root's, 0755; each writer
 * owns one folder below and nothing else; documented names are root's links.
 */
#ifndef SUPERVISOR_RUNDIR_H
#define SUPERVISOR_RUNDIR_H

#include "users.h"

/* Makes what is missing and repairs owners and modes. 0 or -errno with the path
 * that failed in *ret_what (a constant). /run and /var/lib must exist. */
int rundir_make(const struct users *users, const char **ret_what);

#endif
