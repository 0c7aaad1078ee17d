/*
 * wnactl load: takes the configuration into force. Run by the unit
 * web-node-agent.service, at its start and at `systemctl reload`.
 */
#ifndef CTL_LOAD_H
#define CTL_LOAD_H

#include "ctl.h"

/*
 * Reads `file`, tells all problems, and writes the snapshot (snapshot.h) into the run
 * directory. Bad files leave the snapshot as it is; where there is none, one of
 * defaults is written that bears the reason, with which the agent answers 503. What is
 * wrong with the machine only (a secret file, say) refuses a reload, but no first
 * load: the process concerned looks again by itself.
 *
 * `apply`: then has systemd reload, or start, the services that this configuration
 * concerns, without waiting for them.
 *
 * CTL_OK, or as ctl_check.
 */
int ctl_load(const struct ctl *ctl, const char *file, bool apply);

#endif
