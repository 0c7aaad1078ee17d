/*
 * wnactl wait: the last line of a script that starts a node.
 */
#ifndef CTL_WAIT_H
#define CTL_WAIT_H

#include "ctl.h"
#include "ctl_view.h"

enum wait_goal {
	WAIT_READY,
	WAIT_HEALTHY,
	WAIT_MOUNTED,
	WAIT_DATABASE,
	WAIT_METRICS,
	WAIT_IDENTITY,
	WAIT_GOAL_MAX
};

enum wait_answer { WAIT_DONE, WAIT_NOT_YET, WAIT_IS_OFF, WAIT_NO_JOB };

/* "ready" "healthy" "mounted" "database" "metrics" "identity"; "?" outside. */
const char *wait_goal_name(enum wait_goal goal);
/* WAIT_GOAL_MAX if there is none of this name. */
enum wait_goal wait_goal_of(const char *name);

/* Has the goal been reached in this view, and if not, why: "mount: fail: ...".
 * Pure. */
enum wait_answer wait_judge(const struct view *view, enum wait_goal goal, char *why,
                            size_t why_size);

/*
 * Asks every ctl->poll_ms until the goal is reached; an agent that does not
 * run yet is waited for as well. CTL_OK; CTL_TIMEOUT after timeout_ms (0: one
 * look); CTL_OFF if the job is switched off; CTL_DENIED; CTL_BAD. The last
 * line on err says what is wrong.
 */
enum ctl_exit wait_for(const struct ctl *ctl, enum wait_goal goal, int64_t timeout_ms);

#endif
