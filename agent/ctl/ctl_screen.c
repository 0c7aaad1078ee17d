/*
 * Run by wnactl. Blocks on what it writes to. Owns nothing.
 */
#include "ctl.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "str.h"

enum {
	COL_STATE = 12,
	COL_FOR = 26,   /* "503 degraded" stands before it, */
	COL_SINCE = 39, /* "23 h 59 min", */
	COL_WHAT = 53,  /* "11-23 08:15Z" */
	COL_EVENT = 30,
	NARROW = 90,   /* below: no column for the clock time */
	NARROWER = 70, /* below: what and why on lines of their own */
	EVENTS = 8,
};

/* Where the columns of this page are; 0 = not shown. */
struct layout {
	int since, what, indent;
	bool dense; /* SCREEN_SHORT: every row counts */
};

static struct layout screen_layout(const struct page *page, bool dense)
{
	if (page->width < NARROWER)
		return (struct layout){ 0, 0, 2, dense };
	if (page->width < NARROW)
		return (struct layout){ 0, COL_SINCE, COL_SINCE, dense };
	return (struct layout){ COL_SINCE, COL_WHAT, COL_WHAT, dense };
}

/* "08:15:30Z" today, "11-23 08:15Z" on another day of the agent's clock. */
static void screen_clock(struct page *page, int64_t at_ms, int64_t now_ms)
{
	time_t at = (time_t)(at_ms / 1000), now = (time_t)(now_ms / 1000);
	struct tm at_tm, now_tm;
	char text[32] = "";

	if (at_ms <= 0 || gmtime_r(&at, &at_tm) == NULL || gmtime_r(&now, &now_tm) == NULL)
		return;
	if (at_tm.tm_yday == now_tm.tm_yday && at_tm.tm_year == now_tm.tm_year)
		strftime(text, sizeof text, "%H:%M:%SZ", &at_tm);
	else
		strftime(text, sizeof text, "%m-%d %H:%MZ", &at_tm);
	page_put(page, PAGE_PLAIN, text);
}

static const char *screen_span(int64_t since_ms, int64_t now_ms, char *ret, size_t size)
{
	if (since_ms <= 0 || now_ms <= 0)
		return "";
	return clock_span(now_ms - since_ms, ret, size);
}

/* Name, state, for how long, since when; leaves the line open. */
static void screen_row(struct page *page, const struct layout *layout, const char *name,
                       const char *state, enum page_style style, int64_t since_ms, int64_t now_ms)
{
	char span[32];

	page_put(page, PAGE_BOLD, name);
	page_to(page, COL_STATE);
	page_put(page, style, state);
	if (since_ms <= 0)
		return;
	page_to(page, COL_FOR);
	page_put(page, PAGE_PLAIN, screen_span(since_ms, now_ms, span, sizeof span));
	if (layout->since == 0)
		return;
	page_to(page, layout->since);
	screen_clock(page, since_ms, now_ms);
}

/* The paragraphs of a row: the first may stand on the row's own line. */
static void screen_texts(struct page *page, const struct layout *layout, enum page_style style,
                         const char *first, const char *second, const char *third)
{
	const char *const texts[] = { first, second, third };
	const enum page_style styles[] = { PAGE_PLAIN, style, PAGE_DIM };

	for (int i = 0; i < 3; i++) {
		if (texts[i][0] == '\0')
			continue;
		if (page->column > 0 && layout->what == 0)
			page_end(page);
		page_to(page, layout->indent);
		if (i == 2)
			page_put(page, styles[i], "next: ");
		page_wrap(page, layout->indent, styles[i], texts[i]);
	}
	if (page->column > 0)
		page_end(page);
}

/* The one line of a job that is well; what is too long for it is cut. */
static void screen_rest(struct page *page, const struct layout *layout, const char *text)
{
	if (layout->what > 0 && text[0] != '\0') {
		page_to(page, layout->what);
		page_put(page, PAGE_PLAIN, text);
	}
	page_end(page);
}

static void screen_heading(struct page *page, const struct layout *layout, const char *name,
                           const char *text)
{
	if (!layout->dense)
		page_end(page);
	page_put(page, PAGE_DIM, name);
	page_to(page, COL_STATE);
	page_put(page, PAGE_DIM, "STATE");
	page_to(page, COL_FOR);
	page_put(page, PAGE_DIM, "FOR");
	if (layout->since > 0) {
		page_to(page, layout->since);
		page_put(page, PAGE_DIM, "SINCE");
	}
	if (layout->what > 0) {
		page_to(page, layout->what);
		page_put(page, PAGE_DIM, text);
	}
	page_end(page);
}

static void screen_page(struct page *page, const struct layout *layout, const char *name,
                        const struct view_page *at, int64_t now_ms)
{
	char state[32];

	snprintf(state, sizeof state, "%d %s", at->code, verdict_level_name(at->level));
	screen_row(page, layout, name, state,
	           at->code == 200 ? page_level_style(at->level) : PAGE_BAD, at->since_ms, now_ms);
	screen_texts(page, layout, PAGE_PLAIN, "", at->why, "");
}

static void screen_life(struct page *page, const struct layout *layout,
                        const struct view_life *life, int64_t now_ms)
{
	bool serves = life->state == LIFE_IN_SERVICE;

	if (life->state == LIFE_STATE_MAX || (layout->dense && serves))
		return;
	screen_row(page, layout, "lifecycle", life_state_name(life->state),
	           serves ? PAGE_GOOD : PAGE_WARN, life->since_ms, now_ms);
	if (layout->dense)
		screen_rest(page, layout, life->why);
	else
		screen_texts(page, layout, PAGE_PLAIN, "", life->why, life->next);
}

static void screen_head(struct page *page, const struct layout *layout, const struct view *view)
{
	struct view_page healthz = view->healthz;
	char span[32];

	if (layout->dense && strcmp(healthz.why, view->readyz.why) == 0)
		healthz.why[0] = '\0'; /* the next row says it */
	page_put(page, PAGE_BOLD, "web-node-agent");
	page_printf(page, PAGE_PLAIN, " %s", view->version);
	if (view->started_ms > 0)
		page_printf(page, PAGE_PLAIN, ", up %s",
		            screen_span(view->started_ms, view->now_ms, span, sizeof span));
	page_end(page);
	screen_page(page, layout, "healthz", &healthz, view->now_ms);
	screen_page(page, layout, "readyz", &view->readyz, view->now_ms);
	screen_life(page, layout, &view->life, view->now_ms);
	if (view->error[0] != '\0') {
		page_put(page, PAGE_BAD, "configuration");
		page_put(page, PAGE_PLAIN, " ");
		page_wrap(page, 2, PAGE_PLAIN, "no valid one has been loaded since the boot:");
		page_to(page, 2);
		page_wrap(page, 2, PAGE_BAD, view->error);
	}
}

static bool screen_is_well(enum verdict_level level)
{
	return level == LEVEL_OK || level == LEVEL_OFF;
}

static void screen_jobs(struct page *page, const struct layout *layout, const struct view *view)
{
	screen_heading(page, layout, "JOB", "WHAT");
	for (int i = 0; i < view->jobs; i++) {
		const struct view_job *job = &view->job[i];
		enum page_style style = page_level_style(job->level);

		screen_row(page, layout, job->name, verdict_level_name(job->level), style,
		           job->level == LEVEL_OFF ? 0 : job->since_ms, view->now_ms);
		if (layout->dense && screen_is_well(job->level))
			screen_rest(page, layout, job->what);
		else
			screen_texts(page, layout, style, job->what, job->why, job->next);
	}
}

/* "http local, 0.8 ms" */
static void screen_check_text(const struct view_check *check, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s %s", check->type, check->scope);

	if (check->last_us >= 0 && n > 0 && (size_t)n < size)
		snprintf(ret + n, size - (size_t)n, ", %.1f ms", (double)check->last_us / 1000);
}

static void screen_checks(struct page *page, const struct layout *layout, const struct view *view)
{
	bool headed = false;

	for (int i = 0; i < view->checks; i++) {
		const struct view_check *check = &view->check[i];
		enum page_style style = page_level_style(check->level);
		char text[96];

		/* The job's own line has their number. */
		if (layout->dense && screen_is_well(check->level))
			continue;
		if (!headed)
			screen_heading(page, layout, "CHECK", "WHAT");
		headed = true;
		screen_check_text(check, text, sizeof text);
		screen_row(page, layout, check->name, verdict_level_name(check->level), style,
		           check->since_ms, view->now_ms);
		screen_texts(page, layout, style, text, check->why, "");
	}
}

static void screen_processes(struct page *page, const struct layout *layout,
                             const struct view *view, bool verbose)
{
	bool headed = false;

	for (int i = 0; i < view->processes; i++) {
		const struct view_process *process = &view->process[i];
		bool normal = strcmp(process->state, "running") == 0 && process->why[0] == '\0';

		if (normal && !verbose)
			continue;
		if (!headed)
			screen_heading(page, layout, "PROCESS", "WHAT");
		headed = true;
		screen_row(page, layout, process->role, process->state,
		           normal ? PAGE_PLAIN : PAGE_BAD, process->since_ms, view->now_ms);
		screen_texts(page, layout, normal ? PAGE_DIM : PAGE_BAD, process->what,
		             process->why, "");
	}
}

static void screen_events(struct page *page, const struct layout *layout, const struct view *view,
                          bool verbose)
{
	int shown = verbose || view->events < EVENTS ? view->events : EVENTS;
	int indent = page->width < NARROWER ? 2 : COL_EVENT;
	char span[32];

	if (shown == 0)
		return;
	if (!layout->dense)
		page_end(page);
	page_put(page, PAGE_DIM, "LAST CHANGES, newest first");
	page_end(page);
	for (int i = view->events - 1; i >= view->events - shown; i--) {
		const struct view_event *event = &view->event[i];

		screen_clock(page, event->at_ms, view->now_ms);
		page_to(page, COL_STATE + 1);
		page_printf(page, PAGE_DIM, "%s ago",
		            screen_span(event->at_ms, view->now_ms, span, sizeof span));
		if (page->width < NARROWER)
			page_end(page);
		page_to(page, indent);
		page_wrap(page, indent, PAGE_PLAIN, event->what);
	}
}

static void screen_counters(struct page *page, const struct view *view)
{
	char span[32];

	page_end(page);
	page_put(page, PAGE_DIM, "COUNTERS");
	page_end(page);
	page_printf(page, PAGE_PLAIN, "configuration loaded %s ago",
	            screen_span(view->loaded_ms, view->now_ms, span, sizeof span));
	page_end(page);
	for (int i = 0; i < view->counters; i++) {
		page_put(page, PAGE_PLAIN, view->counter[i].name);
		page_to(page, COL_FOR);
		page_printf(page, PAGE_PLAIN, "%" PRId64, view->counter[i].value);
		page_end(page);
	}
}

void screen_show(struct page *page, const struct view *view, enum screen_detail detail)
{
	struct layout layout = screen_layout(page, detail == SCREEN_SHORT);
	bool verbose = detail == SCREEN_VERBOSE;

	screen_head(page, &layout, view);
	screen_jobs(page, &layout, view);
	screen_checks(page, &layout, view);
	screen_processes(page, &layout, view, verbose);
	screen_events(page, &layout, view, verbose);
	if (verbose)
		screen_counters(page, view);
}

uint64_t screen_shape(const struct view *view)
{
	uint64_t hash = STR_HASH;

	hash = str_hash(hash, &view->healthz.code, sizeof view->healthz.code);
	hash = str_hash(hash, &view->readyz.code, sizeof view->readyz.code);
	hash = str_hash(hash, &view->life.state, sizeof view->life.state);
	hash = str_hash(hash, view->error, strlen(view->error));
	for (int i = 0; i < view->jobs; i++)
		hash = str_hash(hash, &view->job[i].level, sizeof view->job[i].level);
	for (int i = 0; i < view->checks; i++)
		hash = str_hash(hash, &view->check[i].level, sizeof view->check[i].level);
	for (int i = 0; i < view->processes; i++)
		hash = str_hash(hash, view->process[i].state, strlen(view->process[i].state));
	if (view->events > 0) {
		const struct view_event *last = &view->event[view->events - 1];

		hash = str_hash(hash, &last->at_ms, sizeof last->at_ms);
		hash = str_hash(hash, last->what, strlen(last->what));
	}
	return hash;
}
