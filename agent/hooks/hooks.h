/*
 * The room of wna-hooks: it runs an operator's scripts on the events of the database. Each
 * event is a fact of wna-rds, and the name of a folder with its scripts.
 */
#ifndef WNA_HOOKS_H
#define WNA_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hub.h"
#include "once.h"

/* ---- hooks_due.c: which event the scripts run for next, and when ---- */

enum { HOOKS_GAP_MS = 10 * 1000 }; /* php-fpm's workers finish what they do meanwhile */

/* One kind of event. */
struct hooks_due {
	struct once once; /* the last event for which scripts have run */
	bool pending;     /* the scripts have not run for `fact` yet */
	struct msg fact;
	int64_t not_before_ms;
};

/* once_init, in the file `event` of `dir`. */
void hooks_due_init(struct hooks_due *ret, const char *dir, const char *event);

/* Takes the event's fact. Of several events of a kind only the last one is kept. */
void hooks_due_hear(struct hooks_due *due, const struct msg *fact);

/* True, with the fact in *ret and its number noted, if the scripts are due at `now_ms`. */
bool hooks_due_take(struct hooks_due *due, int64_t now_ms, struct msg *ret);

/* The scripts have ended; the next run begins HOOKS_GAP_MS later at the earliest. */
void hooks_due_done(struct hooks_due *due, int64_t now_ms);

/* When hooks_due_take returns true; INT64_MAX if nothing is pending. */
int64_t hooks_due_ms(const struct hooks_due *due);

/* ---- hooks_environment.c: a script's whole environment. Pure ---- */

enum { HOOKS_VARIABLES = 8, HOOKS_VARIABLE = 320 };

struct hooks_environment {
	int count;
	char line[HOOKS_VARIABLES][HOOKS_VARIABLE];
	char *list[HOOKS_VARIABLES + 1]; /* for execve */
};

/*
 * PATH, LANG=C, WNA_EVENT and, from the event's fact, WNA_RDS_ENDPOINT and
 *	FACT_RDS_DOWN    WNA_RDS_ADDRESS
 *	FACT_RDS_CHANGE  WNA_RDS_FROM, WNA_RDS_TO, WNA_RDS_OUTAGE_MIN_MS and, if it is known,
 *	                 WNA_RDS_OUTAGE_MAX_MS
 *	FACT_RDS_UP      WNA_RDS_ADDRESS and, if it is known, WNA_RDS_OUTAGE_MAX_MS
 * Always fills *ret. -EBADMSG, without all of WNA_RDS_*, if the fact does not have its
 * addresses, or a duration is below 0.
 */
int hooks_environment(const char *event, const char *endpoint, const struct msg *fact,
                      struct hooks_environment *ret);

/* ---- hooks_output.c: a script's output as clean log lines. Pure but for the sink ---- */

enum { HOOKS_LINE = 240, HOOKS_LINES = 40 };

struct hooks_output {
	void (*sink)(void *arg, const char *line);
	void *arg;
	char line[HOOKS_LINE];
	size_t len;
	int lines;             /* given to the sink */
	long dropped;          /* lines beyond HOOKS_LINES */
	char last[HOOKS_LINE]; /* the last line that was not empty, also if it was dropped */
};

void hooks_output_init(struct hooks_output *ret, void (*sink)(void *arg, const char *line),
                       void *arg);
void hooks_output_feed(struct hooks_output *output, const char *data, size_t len);
/* Gives the sink a last line without a newline, and how many lines were dropped. */
void hooks_output_end(struct hooks_output *output);

/* ---- hooks_run.c: one script, run and waited for ---- */

enum {
	HOOKS_LATE = 124,    /* ended by wna-hooks; timeout(1)'s code */
	HOOKS_REFUSED = 126, /* could not be executed; the shell's code */
	HOOKS_SIGNAL = 128,  /* + the signal that ended it */
};

/*
 * Call once, before the first run: a process that a script leaves behind becomes a child of
 * this process (prctl(2), subreaper), and is killed when this process exits. 0 or -errno.
 */
int hooks_run_init(void);

/*
 * Runs a script by its open descriptor. After `limit_ms` it gets SIGTERM; a second later it is
 * killed, with all processes that scripts have left behind. Its output goes to `output`, its
 * input is /dev/null, its working directory "/". `on_turn(arg)` is called at least once a
 * second. 0..255 as above, or -errno if it could not be started.
 */
int hooks_run(int fd, const char *name, char *const environment[], int64_t limit_ms,
              struct hooks_output *output, void (*on_turn)(void *arg), void *arg);

/* Reaps processes that scripts have left behind and that have ended. */
void hooks_run_reap(void);

/* ---- hooks_list.c: the scripts in a directory ---- */

enum {
	HOOKS_NAMES = 32, /* scripts of one event */
	HOOKS_NAME = 64,  /* bytes of a script's name, with the NUL */
};

struct hooks_names {
	int count;
	char name[HOOKS_NAMES][HOOKS_NAME];
	int strange; /* entries with a name that is not a script's: passed over */
};

/*
 * Whether it can be a script's name: only [A-Za-z0-9._-], not a dot or hyphen in front, and
 * no suffix of files that package managers and editors leave behind (.rpmsave, .rpmnew,
 * .dpkg-old, .bak ...).
 */
bool hooks_is_name(const char *name);

/*
 * Opens the script `name` in that directory for reading and execution. `owner` stands for
 * root in tests. A descriptor, close-on-exec; -ELOOP a symbolic link; -EINVAL not a regular
 * file; -EPERM not root's, or writable by others, or set-user-ID; -EACCES not executable;
 * -errno.
 */
int hooks_open(int dir_fd, const char *name, uid_t owner);

/* The scripts' names in the directory, in the order of their bytes (LC_ALL=C). 0; -E2BIG if there
 * are more than HOOKS_NAMES; -errno. */
int hooks_list(int dir_fd, struct hooks_names *ret);

/* ---- hooks_event.c: all scripts of an event ---- */

/*
 * Runs the scripts in `directory`/`event` that are root's, in the order of their names.
 * Together they have `limit_ms`, and each one its share of what is left. Fills value, text and
 * why of *ret as FACT_HOOK has them; false if there are no scripts. on_turn as for hooks_run.
 */
bool hooks_event(const char *directory, const char *event,
                 const struct hooks_environment *environment, int64_t limit_ms,
                 void (*on_turn)(void *arg), void *arg, struct msg *ret);

#endif
