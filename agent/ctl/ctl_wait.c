/*
 * Run by wnactl wait. Waits for the agent and the clock. Owns nothing.
 */
#include "ctl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "clock.h"
#include "str.h"

static const struct {
	const char *name;
	const char *job; /* NULL: one of the two pages */
	const char *done;
} goals[WAIT_GOAL_MAX] = {
	[WAIT_READY] = { "ready", NULL, "ready" },
	[WAIT_HEALTHY] = { "healthy", NULL, "healthy" },
	[WAIT_MOUNTED] = { "mounted", "mount", "mounted" },
	[WAIT_DATABASE] = { "database", "database", "the database answers" },
	[WAIT_METRICS] = { "metrics", "metrics", "metrics are accepted" },
	[WAIT_IDENTITY] = { "identity", "identity", "the node's identity is known" },
};

/* How often a reason with a number that grows ("silent for 12 s") is written again. */
enum {
	REPEAT_MS = 10 * 1000,
	LEAST_MS = 100, /* for one question, though no time is left */
};

enum wait_goal wait_goal_of(const char *name)
{
	for (int goal = 0; goal < WAIT_GOAL_MAX; goal++)
		if (strcmp(goals[goal].name, name) == 0)
			return (enum wait_goal)goal;
	return WAIT_GOAL_MAX;
}

static enum wait_answer wait_page(const struct view_page *page, const char *name, char *why,
                                  size_t size)
{
	if (page->code == 200)
		return WAIT_DONE;
	snprintf(why, size, "/%s is %d: %s", name, page->code,
	         page->why[0] != '\0' ? page->why : verdict_level_name(page->level));
	return WAIT_NOT_YET;
}

static enum wait_answer wait_job(const struct view_job *job, char *why, size_t size)
{
	const char *reason = job->why[0] != '\0' ? job->why : job->what;

	snprintf(why, size, "%s: %s%s%s", job->name, verdict_level_name(job->level),
	         reason[0] != '\0' ? ": " : "", reason);
	return WAIT_NOT_YET;
}

/* A drained node has no ready page, and its jobs are as well as any node's. */
static enum wait_answer wait_jobs(const struct view *view, char *why, size_t size)
{
	for (int i = 0; i < view->jobs; i++) {
		const struct view_job *job = &view->job[i];

		if (job->level != LEVEL_OK && job->level != LEVEL_OFF)
			return wait_job(job, why, size);
	}
	return WAIT_DONE;
}

enum wait_answer wait_judge(const struct view *view, enum wait_goal goal, char *why,
                            size_t why_size)
{
	const struct view_job *job;

	why[0] = '\0';
	if (goal == WAIT_READY && view->readyz.level == LEVEL_DRAINING)
		return wait_jobs(view, why, why_size);
	if (goal == WAIT_READY)
		return wait_page(&view->readyz, "readyz", why, why_size);
	if (goal == WAIT_HEALTHY)
		return wait_page(&view->healthz, "healthz", why, why_size);
	job = view_job(view, goals[goal].job);
	if (job == NULL) {
		snprintf(why, why_size, "the agent's answer does not contain job %s",
		         goals[goal].job);
		return WAIT_NO_JOB;
	}
	if (job->level == LEVEL_OFF) {
		snprintf(why, why_size, "job %s is switched off in agent.conf", job->name);
		return WAIT_IS_OFF;
	}
	if (job->level == LEVEL_OK) {
		if (goal != WAIT_METRICS || view->push_sent > 0)
			return WAIT_DONE;
		snprintf(why, why_size, "%s: nothing sent yet", job->name);
		return WAIT_NOT_YET;
	}
	return wait_job(job, why, why_size);
}

struct waiting {
	const struct ctl *ctl;
	enum wait_goal goal;
	int64_t start_ms, timeout_ms;
	char why[768];   /* now */
	char shown[768]; /* last written, where there is no terminal, ... */
	int64_t shown_ms;
	/* A refusal, which waiting may not change: -errno and reason, and since when; 0: none. */
	int refusal;
	char refusal_why[512];
	int64_t refused_ms;
	bool line; /* an unfinished line stands on the terminal */
};

/* Whether the texts are equal apart from the numbers in them. */
static bool waiting_same(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;;) {
		a += strspn(a, digits);
		b += strspn(b, digits);
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

static bool waiting_is_news(const struct waiting *w, int64_t now)
{
	if (!waiting_same(w->why, w->shown))
		return true;
	return strcmp(w->why, w->shown) != 0 && now - w->shown_ms >= REPEAT_MS;
}

static void waiting_show(struct waiting *w, int64_t now)
{
	FILE *err = w->ctl->err;
	char took[32], limit[32];
	struct page page;

	if (!w->ctl->err_tty && !waiting_is_news(w, now))
		return;
	page_init(&page, err, ctl_width(err, w->ctl->width) - 1, false, w->ctl->utf8);
	if (w->ctl->err_tty) {
		fputc('\r', err);
		page_printf(&page, PAGE_PLAIN, "wnactl: %s of %s: %s",
		            clock_span(now - w->start_ms, took, sizeof took),
		            clock_span(w->timeout_ms, limit, sizeof limit), w->why);
		fputs("\033[K", err);
		w->line = true;
	} else {
		/* A log is no terminal: the line is not cut to its width. */
		fprintf(err, "wnactl: waiting for %s: %s\n", goals[w->goal].name, w->why);
		str_copy(w->shown, sizeof w->shown, w->why);
		w->shown_ms = now;
	}
	fflush(err);
}

/* Removes the progress line from the terminal. */
static void waiting_clear(struct waiting *w)
{
	if (w->line)
		fputs("\r\033[K", w->ctl->err);
	w->line = false;
}

static bool waiting_is_refusal(int r)
{
	return r == -EACCES || r == -EPERM || r == -EBADMSG || r == -EMSGSIZE;
}

/*
 * While systemd makes the socket, it is root's alone for an instant. Hence one refusal does
 * not end the wait. True if the refusal has lasted.
 */
static bool waiting_refused(struct waiting *w, int r, const char *why)
{
	int64_t now = clock_ms();

	if (w->refusal == 0)
		w->refused_ms = now;
	w->refusal = r;
	str_copy(w->refusal_why, sizeof w->refusal_why, why);
	return now - w->refused_ms >= w->ctl->firm_ms;
}

static enum ctl_exit waiting_complain(struct waiting *w)
{
	waiting_clear(w);
	return ctl_complain(w->ctl, w->refusal, w->refusal_why);
}

/* One look. True when there is nothing more to wait for. */
static bool waiting_look(struct waiting *w, enum ctl_exit *ret)
{
	static struct view view; /* large */
	int64_t left = w->start_ms + w->timeout_ms - clock_ms();
	struct ctl ctl = *w->ctl;
	char why[512];
	int r;

	if (left < LEAST_MS)
		left = LEAST_MS;
	if (left < ctl.answer_ms)
		ctl.answer_ms = left;
	r = status_ask(&ctl, &view, why, sizeof why, NULL);
	if (waiting_is_refusal(r)) {
		if (waiting_refused(w, r, why)) {
			*ret = waiting_complain(w);
			return true;
		}
	} else {
		w->refusal = 0;
	}
	if (r < 0) {
		ctl_phrase(w->ctl, r, why, w->why, sizeof w->why);
		return false;
	}
	switch (wait_judge(&view, w->goal, w->why, sizeof w->why)) {
	case WAIT_DONE: *ret = CTL_OK; return true;
	case WAIT_IS_OFF: *ret = CTL_OFF; break;
	case WAIT_NO_JOB: *ret = CTL_BAD; break;
	case WAIT_NOT_YET: return false;
	}
	waiting_clear(w);
	fprintf(w->ctl->err, "wnactl: cannot wait for %s: %s\n", goals[w->goal].name, w->why);
	return true;
}

enum ctl_exit wait_for(const struct ctl *ctl, enum wait_goal goal, int64_t timeout_ms)
{
	struct waiting w = { .ctl = ctl, .goal = goal, .timeout_ms = timeout_ms };
	enum ctl_exit ret = CTL_OK;
	char took[32];
	int64_t now;

	w.start_ms = clock_ms();
	while (!waiting_look(&w, &ret)) {
		int64_t left;

		now = clock_ms();
		left = w.start_ms + timeout_ms - now;
		if (left <= 0 && w.refusal != 0)
			return waiting_complain(&w);
		if (left <= 0) {
			waiting_clear(&w);
			fprintf(ctl->err, "wnactl: gave up waiting for %s after %s: %s\n",
			        goals[goal].name, clock_span(now - w.start_ms, took, sizeof took),
			        w.why);
			return CTL_TIMEOUT;
		}
		waiting_show(&w, now);
		poll(NULL, 0, (int)(left < ctl->poll_ms ? left : ctl->poll_ms));
	}
	if (ret == CTL_OK) {
		waiting_clear(&w);
		fprintf(ctl->err, "wnactl: %s after %s\n", goals[goal].done,
		        clock_span(clock_ms() - w.start_ms, took, sizeof took));
	}
	return ret;
}
