/*
 * The room of wna-check: this node's own checks, the [check NAME] sections. One
 * process runs them all on one event loop; http and tcp wait in the loop, file,
 * disk and process look once, straight through, which only a local disk may stall.
 */
#ifndef WNA_CHECK_H
#define WNA_CHECK_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "url.h"

/* ---- check_result.c: the outcome of one run ---- */

struct check_result {
	int64_t value;             /* us it took, >= 0: good; or -errno: bad */
	char text[LIMIT_FACT_WHY]; /* what was seen ("status 200"), or why it is bad */
};

/* Fill a result; the text is cut. `error` is a positive errno. */
__attribute__((format(printf, 3, 4))) void check_good(struct check_result *ret, int64_t us,
                                                      const char *format, ...);
__attribute__((format(printf, 3, 4))) void check_bad(struct check_result *ret, int error,
                                                     const char *format, ...);

/* ---- check_window.c: the state of one check, from its results. Pure ---- */

enum { CHECK_RUN_MAX = 32 }; /* the most that rise and fall may be */

struct check_window {
	enum check_state state;
	bool decided; /* `state` has been found; false in a zeroed struct, the start */
	bool proven;  /* there has been a good result */
	bool last;    /* the newest result; true: good */
	int32_t run;  /* results in a row like the newest, 0..CHECK_RUN_MAX */
};

/*
 * One result. The first good one makes the check good at once: a node that boots serves
 * as soon as it can. Afterwards `rise` good results in a row do. `fall` bad ones in a row
 * make it bad. Both are 1..CHECK_RUN_MAX.
 */
void check_window_put(struct check_window *window, bool good, int32_t rise, int32_t fall);

/* ---- check_sched.c: when each check runs. Pure; all times monotonic ms ---- */

enum {
	CHECK_FIRST_MS = 500, /* between two runs until the first good one, at most */
	CHECK_JITTER_PERCENT = 10,
	/* A timer that fires this late means that this process, not the thing
	 * it checks, was not running. */
	CHECK_LATE_MS = 500,
};

struct check_turn {
	int64_t interval_ms, timeout_ms;
	int64_t start_ms, next_ms;
	bool running;
	bool succeeded; /* ever, since start */
};

/*
 * A check starts at once; until its first success it runs every CHECK_FIRST_MS (or
 * its interval, if that is shorter), afterwards every interval, moved by up to
 * CHECK_JITTER_PERCENT either way. Periods count from the start of a run. A run that
 * overstays its turn is followed at once by the next one; missed turns are not made
 * up for.
 */
struct check_sched {
	int count;
	struct check_turn item[LIMIT_CHECKS];
};

void check_sched_init(struct check_sched *ret, const struct conf_checks *conf, int64_t now_ms);

/* The check most overdue at `now_ms` that is not running; -1 if none is due. */
int check_sched_due(const struct check_sched *sched, int64_t now_ms);

/* When the next one will be due; INT64_MAX if all are running. */
int64_t check_sched_next(const struct check_sched *sched);

void check_sched_start(struct check_sched *sched, int i, int64_t now_ms);

/* True if run `i` ends too long after its time-out: this process did not run in time, and
 * the result says nothing of what was checked. */
bool check_sched_late(const struct check_sched *sched, int i, int64_t now_ms);

/* Run `i` ended with a result that counts. */
void check_sched_done(struct check_sched *sched, int i, bool good, int64_t now_ms, uint32_t random);

/* Run `i` ended without a result that counts: it is due again now. */
void check_sched_void(struct check_sched *sched, int i, int64_t now_ms);

/* ---- check_disk.c, check_process.c: looks that a local disk may stall ---- */

struct check_env {
	const char *mountinfo;  /* normally "/proc/self/mountinfo" */
	int proc;               /* descriptor of /proc; not owned */
	const char *mount_path; /* conf.mount.path, or empty: never touched */
};

/* conf.path is a regular file not older than file_max_age_ms at wall_ms (Unix ms). */
void check_file(const struct check_env *env, const struct conf_check *conf, int64_t wall_ms,
                struct check_result *ret);

/* The file system of conf.path has the free bytes, percent and inodes that are wanted. */
void check_disk(const struct check_env *env, const struct conf_check *conf,
                struct check_result *ret);

/* Percent of `free` in `free + used`, rounded down, as df(1) reckons; 100 if
 * the file system does not count (total 0). Pure. */
int check_percent(uint64_t free, uint64_t used);

/* "41.2 GiB", "512 B". Pure. Returns `ret`. */
char *check_bytes(uint64_t bytes, char *ret, size_t size);

enum { CHECK_MEMO = 32 };

/* Processes that matched last time: looked at first, since reading all of /proc at
 * every interval would be work for nothing on a healthy node. */
struct check_memo {
	int count;
	int pid[CHECK_MEMO];
};

/*
 * At least conf.min_count live processes are named conf.process: by the
 * kernel's name (comm, of which it keeps 15 bytes) or the base name of
 * argv[0]. Zombies do not count. Stops as soon as there are enough.
 */
void check_process(const struct check_env *env, const struct conf_check *conf,
                   struct check_memo *memo, struct check_result *ret);

/* ---- check_run.c: one run of one check, ended from the event loop only ---- */

enum {
	CHECK_BODY_MAX = 1024 * 1024, /* bytes of an http answer's body; more is bad */
	CHECK_HEADERS_MAX = 16 * 1024,
};

struct check_run {
	/* set by check_run_init */
	const struct conf_check *conf;
	const struct check_env *env;
	struct event_base *base;
	void (*done)(struct check_run *run, const struct check_result *result, void *arg);
	void *arg;
	struct event *timer; /* the time-out; made active by hand when there is a result */
	struct url_target target;
	const char *target_why; /* why the URL cannot be used; NULL if it can */
	struct check_memo memo;
	/* of the run under way */
	bool active;
	bool settled; /* result is filled */
	int64_t start_us;
	struct check_result result;
	int fd;           /* tcp: its socket, else -1 */
	struct event *io; /* tcp: its connect */
	struct evhttp_connection *http;
	bool http_headers;                 /* http: seen */
	bool http_chunked;                 /* http: the body comes in chunks */
	bufferevent_event_cb http_connect; /* http: evhttp's own, while connecting */
	int http_error;                    /* http: enum evhttp_request_error + 1, 0 = none */
	int http_errno;                    /* http: errno beside it */
};

/*
 * Prepares *ret; `done` is called from the loop at the end of each run, or at its
 * time-out, with `arg`. The pointers are kept. 0 or -ENOMEM.
 */
int check_run_init(struct check_run *ret, const struct conf_check *conf,
                   const struct check_env *env, struct event_base *base,
                   void (*done)(struct check_run *run, const struct check_result *result,
                                void *arg),
                   void *arg);

/* Starts a run; there must be none under way. wall_ms is Unix time. */
void check_run_start(struct check_run *run, int64_t wall_ms);

/* Ends the run under way, if there is one, without a report. */
void check_run_cancel(struct check_run *run);

/* True if a run is under way that waits in the loop: a disk that stalls this process
 * keeps it waiting through no fault of what it asks. */
bool check_run_waits(const struct check_run *run);

/* For check_http.c and check_tcp.c: the result is there; it is reported from the loop. */
void check_run_settle(struct check_run *run);

/* ---- check_http.c, check_tcp.c. start: begins, or settles; timeout: fills the
 * result of a run that has none; clean: drops everything ---- */

void check_http_start(struct check_run *run);
void check_http_timeout(struct check_run *run);
void check_http_clean(struct check_run *run);
void check_tcp_start(struct check_run *run);
void check_tcp_timeout(struct check_run *run);
void check_tcp_clean(struct check_run *run);

/* ---- check_loop.c: all checks ---- */

struct check_slot {
	struct check_run run;
	struct check_window window;
	struct check_result last;
};

struct check_loop {
	const struct conf_checks *conf;
	struct check_env env;
	struct event_base *base;
	struct event *turn;
	struct check_sched sched;
	int silent; /* checks without a result yet */
	struct check_slot slot[LIMIT_CHECKS];
	void (*report)(const struct check_slot *slot, int64_t found_ms, void *arg);
	void *arg;
};

/*
 * Prepares *ret and makes all checks due; they start when the loop runs. `report` is
 * called from the loop after each result, which was found at `found_ms` (monotonic).
 * The pointers (conf, those in env) are kept. 0 or -ENOMEM.
 */
int check_loop_init(struct check_loop *ret, const struct conf_checks *conf,
                    const struct check_env *env, struct event_base *base,
                    void (*report)(const struct check_slot *slot, int64_t found_ms, void *arg),
                    void *arg);

/*
 * What is said to the hub of a check after a result. Until the window has decided, which
 * takes one good result or `fall` bad ones in a row, that is CHECK_UNDECIDED: the core
 * goes by what a former process said, for max_age, or by `initial` if there is nothing.
 * A bad result at a restart therefore does not cost the node, and a check that was bad is
 * not called good because `initial` is.
 */
void check_fact(const struct check_slot *slot, int64_t found_ms, struct msg *ret);

#endif
