/*
 * /status (verdict.h) as wnactl understands it. Members it does not know are
 * passed over, so that a newer agent can be asked; what it knows must be of
 * the right type. Texts are kept as they came: ctl_text.h makes them safe to show.
 */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "verdict.h"

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
	char why[VIEW_TEXT];
};

struct view_job {
	char name[LIMIT_NAME];
	enum verdict_level level;
	int64_t since_ms;
	char what[VIEW_TEXT], why[VIEW_TEXT], next[VIEW_TEXT];
};

struct view_check {
	char name[LIMIT_NAME], type[16], scope[16];
	enum verdict_level level;
	int64_t since_ms;
	int64_t last_us; /* -1 = not known */
	char why[VIEW_TEXT];
};

struct view_process {
	char role[LIMIT_NAME], state[24];
	int64_t since_ms;
	char what[VIEW_TEXT], why[VIEW_TEXT];
};

struct view_event {
	int64_t at_ms;
	char what[VIEW_TEXT];
};

struct view_counter {
	char name[LIMIT_NAME];
	int64_t value;
};

struct view {
	char version[32];
	int64_t started_ms, now_ms;
	int64_t loaded_ms;     /* of the configuration, Unix time */
	char error[VIEW_TEXT]; /* of the last attempt to load it */
	struct view_page healthz, readyz;
	int64_t push_sent; /* fact push-sent: data CloudWatch took; -1 = not known */
	int jobs, checks, processes, events, counters;
	struct view_job job[VIEW_JOBS];
	struct view_check check[LIMIT_CHECKS];
	struct view_process process[VIEW_PROCESSES];
	struct view_event event[LIMIT_TIMELINE]; /* oldest first */
	struct view_counter counter[VIEW_COUNTERS];
};

/* 0, or -EBADMSG with the reason in why[why_size] ("jobs[1].level: ..."). */
int view_parse(const char *text, size_t len, struct view *ret, char *why, size_t why_size);

/* NULL if there is no job of this name. */
const struct view_job *view_job(const struct view *view, const char *name);

/* "2026-11-23T08:15:30Z" as Unix ms; false if it is anything else. */
bool view_time(const char *text, int64_t *ret_ms);

#endif
