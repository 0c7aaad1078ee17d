/*
 * Run by wnactl status --watch, until a signal or a key ends it. Waits for the
 * agent, the clock and keys. Owns the terminal's cursor and gives it back.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };

static volatile sig_atomic_t ended, stopped;

static void on_signal(int number)
{
	if (number == SIGTSTP)
		stopped = 1;
	else if (number != SIGWINCH) /* SIGWINCH only ends the wait: a new page is drawn */
		ended = 1;
}

/* Signals are unblocked only while waiting: a signal between a look at the flags and the wait
 * would be missed. */
static void watch_signals(sigset_t *ret_waiting)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	ended = stopped = 0;
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, ret_waiting);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		sigdelset(ret_waiting, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
}

static void watch_begin(const struct ctl *ctl)
{
	keys_begin(ctl);
	if (ctl->out_tty)
		fputs("\033[?25l\033[H\033[2J", ctl->out); /* cursor off, clear */
}

static void watch_end(const struct ctl *ctl)
{
	if (ctl->out_tty)
		fputs("\033[?25h\n", ctl->out);
	fflush(ctl->out);
	keys_end(ctl);
}

struct watch {
	const struct ctl *ctl;
	bool verbose;
	struct view view;
	bool seen;       /* view is filled */
	int64_t lost_ms; /* wall time since which the agent does not answer, 0 = it does */
	char lost[512];
	uint64_t shown; /* without a terminal: screen_shape() of the last page */
	bool shown_lost;
	int top; /* lines of the page that are scrolled away */
};

/* What stands above the screen while the agent does not answer. NULL when out of memory. */
static char *watch_lost(const struct watch *watch)
{
	const struct ctl *ctl = watch->ctl;
	char since[32], line[640], *text = NULL;
	struct page page;
	size_t len;
	FILE *memory = open_memstream(&text, &len);

	if (memory == NULL)
		return NULL;
	page_init(&page, memory, ctl_width(ctl->out, ctl->width), ctl->colour, ctl->utf8);
	if (watch->lost_ms > 0) {
		snprintf(line, sizeof line, "No answer since %s; trying again: %s",
		         clock_iso8601(watch->lost_ms, since, sizeof since), watch->lost);
		page_wrap(&page, 2, PAGE_BAD, line);
		if (watch->seen) {
			page_wrap(&page, 2, PAGE_WARN, "Below is its last answer.");
			page_end(&page);
		}
	}
	if (fclose(memory) == 0)
		return text;
	free(text);
	return NULL;
}

static int watch_rows(const struct watch *watch)
{
	return watch->ctl->out_tty ? ctl_rows(watch->ctl->out, watch->ctl->height) : 0;
}

/* The whole page, as short as the terminal if that is possible. NULL when out of memory. */
static char *watch_page(const struct watch *watch)
{
	const struct ctl *ctl = watch->ctl;
	char *lost = watch_lost(watch), *text = NULL, *ret = NULL;
	int rows = watch_rows(watch);
	struct page page;

	if (lost == NULL || !watch->seen)
		return lost;
	page_init(&page, NULL, ctl_width(ctl->out, ctl->width), ctl->colour, ctl->utf8);
	if (rows > 0 && rows > screen_lines(lost))
		rows -= screen_lines(lost);
	text = screen_fit(&page, &watch->view, watch->verbose, rows);
	if (text == NULL || asprintf(&ret, "%s%s", lost, text) < 0)
		ret = NULL;
	free(lost);
	free(text);
	return ret;
}

static void watch_scroll(struct watch *watch, enum keys_step step)
{
	int rows = watch_rows(watch);

	switch (step) {
	case KEYS_LINE: watch->top++; break;
	case KEYS_LINE_BACK: watch->top--; break;
	case KEYS_PAGE: watch->top += rows / 2; break;
	case KEYS_PAGE_BACK: watch->top -= rows / 2; break;
	default: break;
	}
}

static const char *watch_line(FILE *out, const char *text)
{
	size_t len = strcspn(text, "\n");

	fwrite(text, 1, len, out);
	return text + len + (text[len] == '\n');
}

/* Draws over the previous page, line by line, down to the last row. If there are more lines, the
 * first, with the verdict, stays, and the last row says so. */
static void watch_draw(struct watch *watch, const char *text)
{
	FILE *out = watch->ctl->out;
	int rows = watch_rows(watch), lines = screen_lines(text), room = rows - 2;
	bool whole = rows < 3 || lines <= rows;

	if (whole)
		room = lines;
	if (watch->top > lines - 1 - room)
		watch->top = lines - 1 - room;
	if (watch->top < 0 || whole)
		watch->top = 0;
	fputs("\033[H", out);
	for (int row = 0; *text != '\0' && row <= room; row++) {
		text = watch_line(out, text);
		for (int i = 0; row == 0 && i < watch->top; i++)
			text = strchr(text, '\n') + 1;
		fputs("\033[K", out);
		if (rows == 0 || row + 1 < rows)
			fputc('\n', out); /* in the last row it would scroll */
	}
	if (!whole)
		fprintf(out, "[lines %d to %d of %d: up, down; q ends]\033[K", watch->top + 2,
		        watch->top + 1 + room, lines);
	fputs("\033[J", out);
	fflush(out);
}

static void watch_show(struct watch *watch)
{
	uint64_t shape = screen_shape(&watch->view);
	bool lost = watch->lost_ms > 0;
	char *text;

	/* In a file or a pipe: a page when something changed, not one a second. */
	if (!watch->ctl->out_tty && watch->shown != 0 && shape == watch->shown &&
	    lost == watch->shown_lost)
		return;
	text = watch_page(watch);
	if (text) {
		if (watch->ctl->out_tty)
			watch_draw(watch, text);
		else
			fprintf(watch->ctl->out, "%s%s", watch->shown != 0 ? "\n" : "", text);
		fflush(watch->ctl->out);
	}
	free(text);
	watch->shown = shape;
	watch->shown_lost = lost;
}

static void watch_ask(struct watch *watch)
{
	char why[256];
	int r = status_ask(watch->ctl, &watch->view, why, sizeof why, NULL);

	if (r == 0) {
		watch->seen = true;
		watch->lost_ms = 0;
		return;
	}
	if (watch->lost_ms == 0)
		watch->lost_ms = clock_wall_ms();
	ctl_phrase(watch->ctl, r, why, watch->lost, sizeof watch->lost);
}

/* Until the next page is due. False: the end. */
static bool watch_wait(struct watch *watch, const sigset_t *waiting)
{
	const struct ctl *ctl = watch->ctl;
	int64_t due_ms = clock_ms() + ctl->watch_ms, left_ms;
	struct pollfd pollfd = { .fd = ctl->in, .events = POLLIN };

	while (!ended && !stopped && (left_ms = due_ms - clock_ms()) > 0) {
		struct timespec left = { .tv_sec = left_ms / 1000,
			                 .tv_nsec = left_ms % 1000 * 1000000 };
		enum keys_step step;

		if (ppoll(&pollfd, 1, &left, waiting) < 0)
			return true; /* a signal: another size, or the end */
		step = keys_read(ctl);
		if (step == KEYS_END)
			return false;
		if (step == KEYS_NONE)
			continue;
		watch_scroll(watch, step);
		watch_show(watch);
	}
	return true;
}

enum ctl_exit status_watch(const struct ctl *ctl, bool verbose)
{
	static struct watch watch; /* large */
	sigset_t waiting;

	memset(&watch, 0, sizeof watch);
	watch.ctl = ctl;
	watch.verbose = verbose;
	watch_signals(&waiting);
	watch_begin(ctl);
	while (!ended) {
		watch_ask(&watch);
		watch_show(&watch);
		if (ferror(ctl->out) || !watch_wait(&watch, &waiting))
			break;
		if (stopped) {
			/* Ctrl-Z: the shell gets its cursor; after fg the page is drawn again. */
			stopped = 0;
			watch_end(ctl);
			raise(SIGSTOP);
			watch_begin(ctl);
		}
	}
	watch_end(ctl);
	return CTL_OK;
}
