/*
 * wnactl check and wnactl config: the configuration files, and this machine against
 * them. The agent need not run.
 */
#ifndef CTL_CONF_H
#define CTL_CONF_H

#include "conf_load.h"
#include "ctl.h"

/*
 * Both return an exit code: CTL_OK; CTL_NO if the answer could not be written or
 * memory is short; otherwise the enum conf_error of the first problem, after all
 * problems have been written to err.
 */

/* Writes all problems and remarks to err. */
void ctl_tell_problems(const struct ctl *ctl, const struct conf_draft *draft);

/* Reports all problems and remarks of the configuration in `file`. */
int ctl_check(const struct ctl *ctl, const char *file);

/* Prints the configuration in `file` with all defaults; nothing if it is bad. */
int ctl_config(const struct ctl *ctl, const char *file);

/* Prints the list of keys, with `roff` as agent.conf(5) shows it. */
int ctl_config_keys(const struct ctl *ctl, bool roff);

#endif
