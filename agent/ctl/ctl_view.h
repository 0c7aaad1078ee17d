/*
 * What wnactl status shows. Pure, apart from writing to a stream.
 *
 *	ctl_view.c       the status as a struct
 *	ctl_text.c       text from outside, made safe for a terminal
 *	ctl_page.c       columns, paragraphs and colours
 *	ctl_screen.c     the screen: the verdict and the jobs
 *	ctl_list.c       ... checks, processes, changes, counters
 *	ctl_fit.c        ... on a terminal of so many rows
 */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fact.h"
#include "limits.h"
#include "verdict.h"

/* -- /status (verdict.h) as wnactl understands it: ctl_view.c -- */

enum {
	VIEW_JOBS = 8,
	VIEW_PROCESSES = 16,
	VIEW_COUNTERS = 32,
	VIEW_TEXT = 512,
};

/* Times are Unix ms, 0 = not known. */
struct view_page {
	int code;
	enum verdict_level level;
	int64_t since_ms;
	char why[VIEW_TEXT], todo[VIEW_TEXT];
};

struct view_job {
	char name[LIMIT_NAME];
	enum verdict_level level;
	int64_t since_ms;
	char what[VIEW_TEXT], why[VIEW_TEXT], next[VIEW_TEXT];
	char reason[LIMIT_NAME], todo[VIEW_TEXT];
};

struct view_check {
	char name[LIMIT_NAME], type[16], scope[16];
	enum verdict_level level;
	int64_t since_ms;
	int64_t last_us; /* -1 = not known */
	char what[VIEW_TEXT], why[VIEW_TEXT], next[VIEW_TEXT];
	char reason[LIMIT_NAME], todo[VIEW_TEXT];
};

struct view_process {
	char role[LIMIT_NAME], state[24];
	int64_t since_ms;
	char what[VIEW_TEXT], why[VIEW_TEXT], reason[LIMIT_NAME], todo[VIEW_TEXT];
};

struct view_event {
	int64_t at_ms;
	char what[VIEW_TEXT];
};

struct view_counter {
	char name[LIMIT_NAME];
	int64_t value;
};

/* verdict.h's "lifecycle". */
struct view_life {
	enum life_state state; /* LIFE_STATE_MAX: not known */
	int64_t since_ms;
	char why[VIEW_TEXT], next[VIEW_TEXT];
};

/* The fact mount-service (fact.h). */
struct view_service {
	enum service_state state; /* SERVICE_STATE_MAX: the fact is not there */
	int64_t since_ms, cause, tries, repairs;
	char last[VIEW_TEXT]; /* repair */
	char why[VIEW_TEXT];
};

struct view {
	char version[32];
	int64_t started_ms, now_ms;
	int64_t loaded_ms;     /* of the configuration, Unix time */
	char error[VIEW_TEXT]; /* not empty: no valid one has been loaded since the boot */
	struct view_page healthz, readyz;
	struct view_life life;
	struct view_service service;
	int64_t push_sent; /* fact push-sent: data CloudWatch took; -1 = not known */
	int jobs, checks, processes, events, counters;
	struct view_job job[VIEW_JOBS];
	struct view_check check[LIMIT_CHECKS];
	struct view_process process[VIEW_PROCESSES];
	struct view_event event[LIMIT_TIMELINE]; /* oldest first */
	struct view_counter counter[VIEW_COUNTERS];
};

/*
 * 0, or -EBADMSG with the reason in why[why_size] ("jobs[1].level: ..."). Members that are
 * not known are passed over, hence a newer agent can be asked; those that are must be of the
 * right type. Texts lose their control characters here, and text_write does the rest.
 */
int view_parse(const char *text, size_t len, struct view *ret, char *why, size_t why_size);

/* NULL if there is no job of this name. */
const struct view_job *view_job(const struct view *view, const char *name);

/* -- Text from outside on its way to a terminal: ctl_text.c -- */

/*
 * Takes one character (UTF-8) off `text`, which ends with NUL. Returns its
 * length in bytes, 0 at the end. *ret_cells is its width (0, 1 or 2), or -1
 * if it must not be shown: not UTF-8, control characters (C0, DEL, C1), those
 * that change the direction of writing or are invisible; outside ASCII also
 * if `utf8` is false. The process's LC_CTYPE must be UTF-8 if `utf8` is true.
 */
size_t text_next(const char *text, bool utf8, int *ret_cells);

/* Columns that `text` has when shown by text_write. */
int text_cells(const char *text, bool utf8);

/* Writes `len` bytes (no NUL among them) with '?' for what must not be shown;
 * newlines and tabs pass. */
void text_write(FILE *to, const char *text, size_t len, bool utf8);

/* -- A page for a terminal: ctl_page.c -- */

enum page_style { PAGE_PLAIN, PAGE_BOLD, PAGE_DIM, PAGE_GOOD, PAGE_WARN, PAGE_BAD, PAGE_STYLE_MAX };

/* No line is ever wider than the page, and no control character in it is from outside. */
struct page {
	FILE *to;
	int width;
	bool colour, utf8;
	int column; /* where the next character goes; `width` is past the end */
};

void page_init(struct page *ret, FILE *to, int width, bool colour, bool utf8);

enum page_style page_level_style(enum verdict_level level);

/* Text on the current line; what does not fit is cut and marked. */
void page_put(struct page *page, enum page_style style, const char *text);
__attribute__((format(printf, 3, 4))) void page_printf(struct page *page, enum page_style style,
                                                       const char *format, ...);

/* Blanks up to `column`; one blank if it has been passed, none at the line's start. */
void page_to(struct page *page, int column);

/* A paragraph from the current column on, broken between words, its further
 * lines from `indent` on; ends its last line. */
void page_wrap(struct page *page, int indent, enum page_style style, const char *text);

/* Ends the line. */
void page_end(struct page *page);

/* -- The screen: ctl_screen.c -- */

struct screen_how {
	bool verbose; /* also what is well: checks, processes; all changes, counters */
	bool brief;   /* one line for each text, without the next step */
	int events;   /* last changes, at most */
};

/*
 * The verdict and what follows from it, each job with its reason, what happens next and what to
 * do about it, checks and processes that are not well, the last changes. Each reason and each
 * instruction is there once. Times are reckoned from view->now_ms, the agent's own clock when it
 * answered.
 */
void screen_show(struct page *page, const struct view *view, const struct screen_how *how);

/*
 * The same as a malloc'd text of at most `rows` lines if it can be made as short, 0: of any length.
 * NULL when out of memory. `page->to` is not used. ctl_fit.c.
 */
char *screen_fit(const struct page *page, const struct view *view, bool verbose, int rows);

int screen_lines(const char *text);

/* Between ctl_screen.c and ctl_list.c: a screen in the making. */
struct screen {
	struct page *page;
	const struct view *view;
	const struct screen_how *how;
	int since, rest;                                                 /* columns; 0: not shown */
	const char *said[VIEW_JOBS + VIEW_PROCESSES + LIMIT_CHECKS + 2]; /* instructions so far */
	int said_count;
};

/* A row with its texts. */
struct screen_item {
	int indent; /* of the name */
	const char *name, *state;
	enum page_style style;
	bool well;
	int64_t since_ms; /* 0: not shown */
	const char *what, *why, *next, *reason, *todo;
};

void screen_item(struct screen *screen, const struct screen_item *item);
void screen_heading(struct screen *screen, const char *name);
/* "08:15:30Z" today, "11-23 08:15Z" on another day of the agent's clock. */
void screen_clock(const struct screen *screen, int64_t at_ms);
/* For how long; "" if it is not known. Returns `ret`. */
const char *screen_span(const struct screen *screen, int64_t since_ms, char *ret, size_t size);

/* ctl_list.c; the checks are rows below their job. */
void screen_checks(struct screen *screen);
void screen_processes(struct screen *screen);
void screen_events(struct screen *screen);
void screen_counters(struct screen *screen);

/* A number that is the same for two views between which nothing has changed
 * but time. */
uint64_t screen_shape(const struct view *view);

#endif
