/*
 * wnactl status
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "ctl.h"
#include "ctl_view.h"

/*
 * Asks for the status and understands it. 0; otherwise -errno of talk or
 * view_parse, with the reason of the latter in why[why_size]. With ret_text
 * the JSON as it came, malloc'd, also when it could not be understood.
 */
int status_ask(const struct ctl *ctl, struct view *ret, char *why, size_t why_size,
               char **ret_text);

/* Shows it once, as a screen or as the agent's JSON. CTL_OK if the node is
 * ready, CTL_NO if it is not. */
enum ctl_exit status_once(const struct ctl *ctl, bool json, bool verbose);

/* Shows it again every second until a signal ends it; CTL_OK then. */
enum ctl_exit status_watch(const struct ctl *ctl, bool verbose);

#endif
