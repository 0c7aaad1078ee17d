/*
 * wnactl's common ground: where the agent is, where words go to, and how it
 * ends.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Documented in wnactl(1). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_NO = 1, /* a negative answer: not ready, absent, refused */
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3, /* the agent does not run or does not answer */
	CTL_TIMEOUT = 4,
	CTL_DENIED = 5, /* this user may not */
	CTL_BAD = 6,    /* what answers is not this agent */
	CTL_OFF = 7,    /* the job waited for is switched off */
};

struct ctl {
	const char *socket;  /* path of the hub */
	const char *run_dir; /* where facts.json and facts.env are */
	FILE *out;           /* answers */
	FILE *err;           /* progress and complaints */
	bool out_tty, err_tty;
	bool colour;       /* on out */
	bool utf8;         /* the terminal's character set */
	int width;         /* columns, when it cannot be asked for */
	int64_t answer_ms; /* how long one answer may take */
	int64_t poll_ms;   /* between two questions of wait and reload */
	int64_t watch_ms;  /* between two pages of status --watch */
	int64_t firm_ms;   /* wait believes a refusal that lasts this long */
};

/* Fills in what the environment says (terminal, NO_COLOR, TERM, locale) and
 * the defaults; `out` and `err` are stdout and stderr. */
void ctl_init(struct ctl *ret);

/* Columns of the terminal behind `file`, or `otherwise`; at least 20. */
int ctl_width(FILE *file, int otherwise);
/* Its rows, or 0 if it has none. */
int ctl_rows(FILE *file);

/*
 * Says on err why talking to the agent failed (-errno of talk or view_parse,
 * with the reason of the latter) and returns the exit code for it.
 */
enum ctl_exit ctl_complain(const struct ctl *ctl, int error, const char *why);

/* The same as one phrase, for progress lines. Returns `ret`. */
char *ctl_phrase(const struct ctl *ctl, int error, const char *why, char *ret, size_t size);

#endif
