/*
 * Run by wnactl. Blocks on what it writes to. Owns nothing.
 *
 * The verdict stands first, and what is not well takes the most room.
 */
#include <string.h>
#include <time.h>

#include "clock.h"
#include "ctl_view.h"
#include "str.h"

enum {
	COL_STATE = 12,
	COL_FOR = 26,
	COL_SINCE = 39, /* "23 h 59 min" stands before it, */
	COL_REST = 53,  /* "11-23 08:15Z" */
	NARROW = 90,    /* below: no column for the clock time */
	NARROWER = 70,  /* below: texts on lines of their own */
	INDENT = 4,     /* of the texts of what is not well: an URL has room there */
	LABEL = 6,      /* "next: " */
};

void screen_clock(const struct screen *screen, int64_t at_ms)
{
	time_t at = (time_t)(at_ms / 1000), now = (time_t)(screen->view->now_ms / 1000);
	struct tm at_tm, now_tm;
	char text[32] = "";

	if (at_ms <= 0 || gmtime_r(&at, &at_tm) == NULL || gmtime_r(&now, &now_tm) == NULL)
		return;
	if (at_tm.tm_yday == now_tm.tm_yday && at_tm.tm_year == now_tm.tm_year)
		strftime(text, sizeof text, "%H:%M:%SZ", &at_tm);
	else
		strftime(text, sizeof text, "%m-%d %H:%MZ", &at_tm);
	page_put(screen->page, PAGE_PLAIN, text);
}

const char *screen_span(const struct screen *screen, int64_t since_ms, char *ret, size_t size)
{
	ret[0] = '\0';
	if (since_ms <= 0 || screen->view->now_ms <= 0)
		return ret;
	return clock_span(screen->view->now_ms - since_ms, ret, size);
}

void screen_heading(struct screen *screen, const char *name)
{
	struct page *page = screen->page;

	page_put(page, PAGE_DIM, name);
	page_to(page, COL_STATE);
	page_put(page, PAGE_DIM, "STATE");
	page_to(page, COL_FOR);
	page_put(page, PAGE_DIM, "FOR");
	if (screen->since > 0) {
		page_to(page, screen->since);
		page_put(page, PAGE_DIM, "SINCE");
	}
	page_end(page);
}

static void screen_row(struct screen *screen, const struct screen_item *item)
{
	struct page *page = screen->page;
	char span[32];

	page_to(page, item->indent);
	page_put(page, PAGE_BOLD, item->name);
	page_to(page, COL_STATE);
	page_put(page, item->style, item->state);
	if (item->since_ms <= 0)
		return;
	page_to(page, COL_FOR);
	page_put(page, PAGE_PLAIN, screen_span(screen, item->since_ms, span, sizeof span));
	if (screen->since == 0)
		return;
	page_to(page, screen->since);
	screen_clock(screen, item->since_ms);
}

/* A text on lines of its own; a brief one on one line, cut if it is too long. */
static void screen_text(struct screen *screen, enum page_style style, const char *label,
                        const char *text)
{
	struct page *page = screen->page;
	int indent = page->width < NARROWER ? 2 : INDENT;

	if (text[0] == '\0')
		return;
	page_to(page, indent);
	page_put(page, PAGE_DIM, label);
	if (label[0] != '\0')
		page_to(page, indent += LABEL);
	if (!screen->how->brief) {
		page_wrap(page, indent, style, text);
		return;
	}
	page_put(page, style, text);
	page_end(page);
}

/* An instruction that several items share is given once. */
static bool screen_is_news(struct screen *screen, const char *todo)
{
	int room = sizeof screen->said / sizeof screen->said[0];

	for (int i = 0; i < screen->said_count; i++)
		if (strcmp(screen->said[i], todo) == 0)
			return false;
	if (screen->said_count < room)
		screen->said[screen->said_count++] = todo;
	return true;
}

/* What is well takes one line. */
static void screen_well(struct screen *screen, const struct screen_item *item)
{
	struct page *page = screen->page;
	const char *text = item->why[0] != '\0' ? item->why : item->what;

	if (screen->rest == 0) {
		page_end(page);
		screen_text(screen, PAGE_PLAIN, "", text);
		return;
	}
	if (text[0] != '\0') {
		page_to(page, screen->rest);
		page_put(page, PAGE_PLAIN, text);
	}
	page_end(page);
	if (!screen->how->verbose)
		return;
	if (text != item->what)
		screen_text(screen, PAGE_PLAIN, "", item->what);
	screen_text(screen, PAGE_DIM, "next:", item->next);
}

void screen_item(struct screen *screen, const struct screen_item *item)
{
	struct page *page = screen->page;

	screen_row(screen, item);
	if (item->well) {
		screen_well(screen, item);
		return;
	}
	if (screen->rest > 0 && item->reason[0] != '\0') {
		page_to(page, screen->rest);
		page_put(page, PAGE_DIM, item->reason);
	}
	page_end(page);
	screen_text(screen, PAGE_PLAIN, "", item->what);
	screen_text(screen, item->style, "", item->why);
	if (!screen->how->brief)
		screen_text(screen, PAGE_DIM, "next:", item->next);
	if (screen_is_news(screen, item->todo))
		screen_text(screen, PAGE_BOLD, "do:", item->todo);
}

struct verdict_words {
	const char *verdict, *meaning;
	enum page_style style;
};

static struct verdict_words verdict_words(const struct view *view)
{
	enum verdict_level level = view->healthz.level;

	if (view->readyz.code == 200)
		return (struct verdict_words){ "IN SERVICE", "", PAGE_GOOD };
	if (view->healthz.code == 200)
		return (struct verdict_words){ "IN SERVICE, DEGRADED",
			                       "the node serves and is not replaced", PAGE_WARN };
	if (level == LEVEL_DRAINING)
		return (struct verdict_words){ "OUT OF SERVICE, DRAINING",
			                       "gets no new requests, serves on", PAGE_WARN };
	if (level == LEVEL_WAITING)
		return (struct verdict_words){ "NOT IN SERVICE YET",
			                       "gets no requests before it is", PAGE_WARN };
	return (struct verdict_words){ "OUT OF SERVICE",
		                       "gets no requests; its group may replace it", PAGE_BAD };
}

static void screen_page(struct screen *screen, const char *name, const struct view_page *at,
                        const char *end)
{
	char span[32];

	page_printf(screen->page, PAGE_DIM, "%s %d %s for %s%s", name, at->code,
	            verdict_level_name(at->level),
	            screen_span(screen, at->since_ms, span, sizeof span), end);
}

static void screen_head(struct screen *screen)
{
	const struct view *view = screen->view;
	struct page *page = screen->page;
	struct verdict_words words = verdict_words(view);
	int64_t since_ms =
	        view->healthz.code == 200 ? view->readyz.since_ms : view->healthz.since_ms;
	char span[32];

	page_put(page, words.style, words.verdict);
	if (since_ms > 0)
		page_printf(page, PAGE_BOLD, " for %s",
		            screen_span(screen, since_ms, span, sizeof span));
	if (words.meaning[0] != '\0') {
		page_put(page, PAGE_PLAIN, ": ");
		page_wrap(page, 2, PAGE_PLAIN, words.meaning);
	} else {
		page_end(page);
	}
	screen_page(screen, "/healthz", &view->healthz, ", ");
	screen_page(screen, "/readyz", &view->readyz, "");
	page_end(page);
	page_printf(page, PAGE_DIM, "web-node-agent %s", view->version);
	if (view->started_ms > 0)
		page_printf(page, PAGE_DIM, ", up %s",
		            screen_span(screen, view->started_ms, span, sizeof span));
	page_end(page);
}

/* What concerns the node and no job. */
static void screen_node(struct screen *screen)
{
	const struct view *view = screen->view;
	const struct view_life *life = &view->life;
	bool serves = life->state == LIFE_IN_SERVICE;
	struct screen_item item = {
		.name = "lifecycle",
		.state = life_state_name(life->state),
		.style = serves ? PAGE_GOOD : PAGE_WARN,
		.well = serves && life->next[0] == '\0',
		.since_ms = life->since_ms,
		.what = "",
		.why = life->why,
		.next = life->next,
		.reason = "",
		.todo = view->healthz.level == LEVEL_DRAINING ? view->healthz.todo : "",
	};

	if (view->error[0] != '\0') {
		page_put(screen->page, PAGE_BAD, "configuration: ");
		page_put(screen->page, PAGE_PLAIN, "no valid one has been loaded since the boot");
		page_end(screen->page);
		screen_text(screen, PAGE_BAD, "", view->error);
		screen_text(screen, PAGE_BOLD, "do:", view->healthz.todo);
	}
	/* A node that is in service, and of which there is no notice, needs no row. */
	if (life->state != LIFE_STATE_MAX &&
	    (!serves || life->why[0] != '\0' || screen->how->verbose))
		screen_item(screen, &item);
}

static bool screen_is_well(enum verdict_level level)
{
	return level == LEVEL_OK || level == LEVEL_OFF;
}

static void screen_jobs(struct screen *screen)
{
	for (int i = 0; i < screen->view->jobs; i++) {
		const struct view_job *job = &screen->view->job[i];
		bool checks = strcmp(job->name, job_name(JOB_CHECKS)) == 0;
		struct screen_item item = {
			.name = job->name,
			.state = verdict_level_name(job->level),
			.style = page_level_style(job->level),
			.well = screen_is_well(job->level),
			.since_ms = job->level == LEVEL_OFF ? 0 : job->since_ms,
			.what = job->what,
			.why = job->why,
			.next = job->next,
			.reason = job->reason,
			.todo = job->todo,
		};

		if (checks && screen->view->checks > 0) {
			/* The rows below have the reasons. */
			item.well = true;
			item.why = "";
		}
		screen_item(screen, &item);
		if (checks)
			screen_checks(screen);
	}
}

void screen_show(struct page *page, const struct view *view, const struct screen_how *how)
{
	struct screen screen = { .page = page, .view = view, .how = how };

	screen.since = page->width < NARROW ? 0 : COL_SINCE;
	screen.rest = page->width < NARROWER ? 0 : page->width < NARROW ? COL_SINCE : COL_REST;
	screen_head(&screen);
	screen_node(&screen);
	screen_heading(&screen, "JOB");
	screen_jobs(&screen);
	screen_processes(&screen);
	screen_events(&screen);
	if (how->verbose)
		screen_counters(&screen);
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
