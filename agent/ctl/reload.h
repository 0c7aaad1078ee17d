/*
 * wnactl reload: asks the agent to read its configuration again, and tells how
 * that went.
 */
#ifndef CTL_RELOAD_H
#define CTL_RELOAD_H

#include "ctl.h"
#include "view.h"

enum {
	RELOAD_LIMIT_MS = 10 * 1000,
	/* An attempt reads a few local files. An error that after so long is
	 * still the one from before is that of the new attempt as well. */
	RELOAD_SAME_MS = 3000,
};

enum reload_answer { RELOAD_PENDING, RELOAD_TAKEN, RELOAD_REFUSED };

/*
 * What the view says of an attempt that began elapsed_ms ago, when `loads`
 * configurations had been loaded and `error` was the last attempt's. Pure.
 */
enum reload_answer reload_judge(const struct view *view, int64_t loads, const char *error,
                                int64_t elapsed_ms);

/* CTL_OK the new configuration is in force; CTL_NO it was refused, with the
 * reason on err; CTL_DENIED not root; CTL_TIMEOUT; CTL_UNREACHABLE; CTL_BAD. */
enum ctl_exit reload(const struct ctl *ctl);

#endif
