/*
 * wnactl reload: asks the agent to read its configuration again, and tells how
 * that went.
 */
#ifndef CTL_RELOAD_H
#define CTL_RELOAD_H

#include "ctl.h"
#include "view.h"

enum { RELOAD_LIMIT_MS = 10 * 1000 };

enum reload_answer { RELOAD_PENDING, RELOAD_TAKEN, RELOAD_REFUSED };

/* What the view says of an attempt before which there had been `tries`. Pure. */
enum reload_answer reload_judge(const struct view *view, int64_t tries);

/* CTL_OK the new configuration is in force; CTL_NO it was refused, with the
 * reason on err; CTL_DENIED not root; CTL_TIMEOUT; CTL_UNREACHABLE; CTL_BAD. */
enum ctl_exit reload(const struct ctl *ctl);

#endif
