/*
 * The screen of `wnactl status`, for someone who was woken up: what the agent
 * answers, each job with its reason and what happens next, the checks,
 * processes if something is wrong with them, the last changes.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "ctl_page.h"
#include "ctl_view.h"

enum screen_detail {
	SCREEN_SHORT, /* what is well on one line, whatever has to be cut: for a low terminal */
	SCREEN_NORMAL,
	SCREEN_VERBOSE, /* and all processes, all remembered changes, the counters */
	SCREEN_DETAIL_MAX,
};

/* Times are reckoned from view->now_ms, the agent's own clock when it answered. */
void screen_show(struct page *page, const struct view *view, enum screen_detail detail);

/* A number that is the same for two views between which nothing has changed
 * but time. */
uint64_t screen_shape(const struct view *view);

#endif
