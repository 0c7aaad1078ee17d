/*
 * Run by wnactl status --watch, until a signal ends it. Waits for the
 * agent and the clock. Owns the terminal's cursor and gives it back.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
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
	if (ctl->out_tty)
		fputs("\033[?25l\033[H\033[2J", ctl->out); /* cursor off, clear */
}

static void watch_end(const struct ctl *ctl)
{
	if (ctl->out_tty)
		fputs("\033[?25h\n", ctl->out);
	fflush(ctl->out);
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
};

/* One page into a text of its own: drawn in one write, it does not flicker. */
static int watch_render(const struct watch *watch, enum screen_detail detail, char **ret_text,
                        size_t *ret_len)
{
	const struct ctl *ctl = watch->ctl;
	FILE *memory = open_memstream(ret_text, ret_len);
	char since[32], line[640];
	struct page page;

	if (memory == NULL)
		return -errno;
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
	if (watch->seen)
		screen_show(&page, &watch->view, detail);
	return fclose(memory) == 0 ? 0 : -ENOMEM;
}

static bool watch_is_too_high(const struct watch *watch, const char *text)
{
	int rows = watch->ctl->out_tty ? ctl_rows(watch->ctl->out) : 0, lines = 0;

	while ((text = strchr(text, '\n')) != NULL) {
		lines++;
		text++;
	}
	return rows > 0 && lines > rows;
}

/* The page. If it is higher than the terminal, a shorter one, except with -v. */
static int watch_page(const struct watch *watch, char **ret_text)
{
	enum screen_detail detail = watch->verbose ? SCREEN_VERBOSE : SCREEN_NORMAL;
	size_t len;
	int r = watch_render(watch, detail, ret_text, &len);

	if (r < 0 || detail == SCREEN_VERBOSE || !watch_is_too_high(watch, *ret_text))
		return r;
	free(*ret_text);
	*ret_text = NULL;
	return watch_render(watch, SCREEN_SHORT, ret_text, &len);
}

/* Draws over the previous page, line by line, down to the last row. */
static void watch_draw(const struct watch *watch, const char *text)
{
	FILE *out = watch->ctl->out;
	int rows = ctl_rows(out);

	fputs("\033[H", out);
	for (int row = 1; *text != '\0'; row++) {
		size_t len = strcspn(text, "\n");
		bool last = rows > 0 && row >= rows;

		if (last && text[len] == '\n' && text[len + 1] != '\0')
			fputs("[more: the terminal is too low]", out);
		else
			fwrite(text, 1, len, out);
		fputs("\033[K", out);
		text += len + (text[len] == '\n');
		if (last)
			break; /* a newline here would scroll */
		fputc('\n', out);
	}
	fputs("\033[J", out);
	fflush(out);
}

static void watch_show(struct watch *watch)
{
	uint64_t shape = screen_shape(&watch->view);
	bool lost = watch->lost_ms > 0;
	char *text = NULL;

	/* In a file or a pipe: a page when something changed, not one a second. */
	if (!watch->ctl->out_tty && watch->shown != 0 && shape == watch->shown &&
	    lost == watch->shown_lost)
		return;
	if (watch_page(watch, &text) == 0) {
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
		struct timespec period = { .tv_sec = ctl->watch_ms / 1000,
			                   .tv_nsec = ctl->watch_ms % 1000 * 1000000 };

		watch_ask(&watch);
		watch_show(&watch);
		if (ferror(ctl->out))
			break; /* the reader is gone */
		ppoll(NULL, 0, &period, &waiting);
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
