/* Run by wnactl. Blocks on what it writes to. Owns nothing. */
#include <inttypes.h>
#include <string.h>

#include "ctl_view.h"

enum { COL_AGO = 13, COL_EVENT = 30, COL_VALUE = 26, EVENT_NARROWER = 70 };

void screen_checks(struct screen *screen)
{
	for (int i = 0; i < screen->view->checks; i++) {
		const struct view_check *check = &screen->view->check[i];
		bool well = check->level == LEVEL_OK;
		char what[VIEW_TEXT + 32];
		struct screen_item item = {
			.indent = 2,
			.name = check->name,
			.state = verdict_level_name(check->level),
			.style = page_level_style(check->level),
			.well = well,
			.since_ms = check->since_ms,
			.what = well ? what : "", /* `why` names it */
			.why = check->why,
			.next = check->next,
			.reason = check->reason,
			.todo = check->todo,
		};

		if (well && !screen->how->verbose)
			continue;
		if (check->last_us >= 0)
			snprintf(what, sizeof what, "%s, %.1f ms", check->what,
			         (double)check->last_us / 1000);
		else
			snprintf(what, sizeof what, "%s", check->what);
		screen_item(screen, &item);
	}
}

void screen_processes(struct screen *screen)
{
	bool headed = false;

	for (int i = 0; i < screen->view->processes; i++) {
		const struct view_process *process = &screen->view->process[i];
		bool well = strcmp(process->state, "running") == 0 && process->why[0] == '\0';
		struct screen_item item = {
			.name = process->role,
			.state = process->state,
			.style = well ? PAGE_PLAIN : PAGE_BAD,
			.well = well,
			.since_ms = process->since_ms,
			.what = process->what,
			.why = process->why,
			.next = "",
			.reason = process->reason,
			.todo = process->todo,
		};

		if (well && !screen->how->verbose)
			continue;
		if (!headed)
			screen_heading(screen, "PROCESS");
		headed = true;
		screen_item(screen, &item);
	}
}

/* The endpoints follow the jobs: a line of theirs is left out beside a job's of that instant. */
static bool is_consequence(const struct view *view, int i)
{
	const struct view_event *event = &view->event[i];

	if (strncmp(event->what, "healthz: ", 9) != 0 && strncmp(event->what, "readyz: ", 8) != 0)
		return false;
	return i > 0 && view->event[i - 1].at_ms == event->at_ms;
}

/* "database: ok -> degraded" of "database: ok -> degraded after 2 min 0 s: ...": the row of the job
 * has the reason. */
static size_t event_len(const char *what)
{
	const char *arrow = strstr(what, " -> "), *after = arrow ? strstr(arrow, " after ") : NULL;

	return after ? (size_t)(after - what) : strlen(what);
}

static void screen_event(struct screen *screen, const struct view_event *event)
{
	struct page *page = screen->page;
	int indent = page->width < EVENT_NARROWER ? 2 : COL_EVENT;
	char span[32];

	screen_clock(screen, event->at_ms);
	page_to(page, COL_AGO);
	page_printf(page, PAGE_DIM, "%s ago", screen_span(screen, event->at_ms, span, sizeof span));
	if (indent == 2 && screen->how->verbose)
		page_end(page);
	page_to(page, indent);
	if (screen->how->verbose) {
		page_wrap(page, indent, PAGE_PLAIN, event->what);
		return;
	}
	page_printf(page, PAGE_PLAIN, "%.*s", (int)event_len(event->what), event->what);
	page_end(page);
}

void screen_events(struct screen *screen)
{
	const struct view *view = screen->view;
	int shown = 0;

	for (int i = view->events - 1; i >= 0; i--) {
		if (!screen->how->verbose &&
		    (shown >= screen->how->events || is_consequence(view, i)))
			continue;
		if (shown++ == 0) {
			page_put(screen->page, PAGE_DIM, "LAST CHANGES");
			page_end(screen->page);
		}
		screen_event(screen, &view->event[i]);
	}
}

void screen_counters(struct screen *screen)
{
	const struct view *view = screen->view;
	struct page *page = screen->page;
	char span[32];

	page_put(page, PAGE_DIM, "COUNTERS");
	page_end(page);
	page_printf(page, PAGE_PLAIN, "configuration loaded %s ago",
	            screen_span(screen, view->loaded_ms, span, sizeof span));
	page_end(page);
	for (int i = 0; i < view->counters; i++) {
		page_put(page, PAGE_PLAIN, view->counter[i].name);
		page_to(page, COL_VALUE);
		page_printf(page, PAGE_PLAIN, "%" PRId64, view->counter[i].value);
		page_end(page);
	}
}
