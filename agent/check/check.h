/*
 * The room of wna-check: this node's own checks, the [check NAME] sections. One process runs
 * all of them on one event loop. Checks of http and tcp wait in the loop; checks of files,
 * disks and processes look once, without the loop, and only a local disk can delay them.
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

/* ---- the outcome of one run (check_run.c) ---- */

struct check_result {
	int64_t value;             /* us it took, >= 0: good; or -errno: bad */
	char text[LIMIT_FACT_WHY]; /* what was seen ("status 200"), or why it is bad */
};

/* Fill a result. A text that is too long is cut; `error` is a positive errno. */
__attribute__((format(printf, 3, 4))) void check_good(struct check_result *ret, int64_t us,
                                                      const char *format, ...);
__attribute__((format(printf, 3, 4))) void check_bad(struct check_result *ret, int error,
                                                     const char *format, ...);

/* ---- check_sched.c: when each check runs. Pure; all times monotonic ms ---- */

enum {
	CHECK_FIRST_MS = 500, /* between two runs until the first good one, at most */
	CHECK_JITTER_PERCENT = 10,
	/* If a timer fires this late, this process did not run. That says nothing of what it
	 * checks. */
	CHECK_LATE_MS = 500,
};

struct check_turn {
	int64_t interval_ms, timeout_ms;
	int64_t start_ms, next_ms;
	bool running;
	bool succeeded; /* at least once since the start */
};

/*
 * A check starts at once. It runs every CHECK_FIRST_MS (or every interval, if that is shorter)
 * until its first success, and every interval after that, with a jitter of up to
 * CHECK_JITTER_PERCENT. A period begins when the run begins. If a run is longer than a period,
 * the next run begins at its end; runs that were missed are not caught up.
 */
struct check_sched {
	int count;
	struct check_turn item[LIMIT_CHECKS];
};

void check_sched_init(struct check_sched *ret, const struct conf_checks *conf, int64_t now_ms);

/* The check that has been due for longest at `now_ms` and is not running; -1 if none is due. */
int check_sched_due(const struct check_sched *sched, int64_t now_ms);

/* When the next one will be due; INT64_MAX if all are running. */
int64_t check_sched_next(const struct check_sched *sched);

void check_sched_start(struct check_sched *sched, int i, int64_t now_ms);

/* True if run `i` ends long after its time-out: this process did not run in time, and the
 * result says nothing of what was checked. */
bool check_sched_late(const struct check_sched *sched, int i, int64_t now_ms);

/* Run `i` ended with a result that counts. */
void check_sched_done(struct check_sched *sched, int i, bool good, int64_t now_ms, uint32_t random);

/* Run `i` ended without a result that counts: it is due again now. */
void check_sched_void(struct check_sched *sched, int i, int64_t now_ms);

/* ---- check_disk.c, check_process.c: looks that only a local disk can delay ---- */

struct check_env {
	const char *mountinfo;  /* normally "/proc/self/mountinfo" */
	int proc;               /* descriptor of /proc; not owned */
	const char *mount_path; /* conf.mount.path, or empty: never touched */
};

/* conf.path is a regular file not older than file_max_age_ms at wall_ms (Unix ms). */
void check_file(const struct check_env *env, const struct conf_check *conf, int64_t wall_ms,
                struct check_result *ret);

/* The file system of conf.path has as many free bytes, percent and inodes as configured. */
void check_disk(const struct check_env *env, const struct conf_check *conf,
                struct check_result *ret);

/* How many percent of `free + used` are free, rounded down, as df(1) calculates; 100 if both are
 * 0, since the file system does not count. Pure. */
int check_percent(uint64_t free, uint64_t used);

/* "41.2 GiB", "512 B". Pure. Returns `ret`. */
char *check_bytes(uint64_t bytes, char *ret, size_t size);

enum { CHECK_MEMO = 32 };

/* The processes that matched last time. They are looked at first: on a healthy node it is not
 * necessary to read all of /proc each time. */
struct check_memo {
	int count;
	int pid[CHECK_MEMO];
};

/*
 * At least conf.min_count processes have the name conf.process, which is the kernel's name
 * (comm, at most 15 bytes) or the base name of argv[0]. Zombies do not count. Stops as soon
 * as there are enough.
 */
void check_process(const struct check_env *env, const struct conf_check *conf,
                   struct check_memo *memo, struct check_result *ret);

/* ---- check_run.c: one run of one check, which ends in the event loop only ---- */

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
	struct event *timer; /* the time-out; activated earlier when there is a result */
	struct url_target target;
	const char *target_why; /* why the URL cannot be used; NULL if it can */
	struct check_memo memo;
	/* of the present run */
	bool active;
	bool settled; /* result is filled */
	int64_t start_us;
	struct check_result result;
	int fd;           /* tcp: its socket, else -1 */
	struct event *io; /* tcp: its connect */
	struct evhttp_connection *http;
	bool http_headers;                 /* http: the headers have come */
	bool http_chunked;                 /* http: the body comes in chunks */
	bufferevent_event_cb http_connect; /* http: evhttp's own, while connecting */
	int http_error;                    /* http: enum evhttp_request_error + 1, 0 = none */
	int http_errno;                    /* http: errno beside it */
};

/*
 * Prepares *ret. `done` is called from the loop, with `arg`, at the end of each run or at its
 * time-out. The pointers are kept. 0 or -ENOMEM.
 */
int check_run_init(struct check_run *ret, const struct conf_check *conf,
                   const struct check_env *env, struct event_base *base,
                   void (*done)(struct check_run *run, const struct check_result *result,
                                void *arg),
                   void *arg);

/* Starts a run; none may be active. wall_ms is Unix time. */
void check_run_start(struct check_run *run, int64_t wall_ms);

/* Ends the active run, if there is one, without a report. */
void check_run_cancel(struct check_run *run);

/* True if a run is active that waits in the loop. When a disk stalls this process, it cannot
 * read an answer that has come in time. */
bool check_run_waits(const struct check_run *run);

/* For check_http.c and check_tcp.c: the result is there, and is reported from the loop. */
void check_run_settle(struct check_run *run);

/* ---- check_http.c, check_tcp.c. start: begins a run, or settles it at once; timeout: fills the
 * result of a run that has none; clean: closes and frees everything ---- */

void check_http_start(struct check_run *run);
void check_http_timeout(struct check_run *run);
void check_http_clean(struct check_run *run);
void check_tcp_start(struct check_run *run);
void check_tcp_timeout(struct check_run *run);
void check_tcp_clean(struct check_run *run);

/* ---- check_loop.c: the state of each check from its results (pure), and all checks ---- */

enum { CHECK_RUN_MAX = 32 }; /* the most that rise and fall may be */

struct check_window {
	enum check_state state;
	bool decided; /* `state` is valid; false at the start, in a zeroed struct */
	bool proven;  /* there has been a good result */
	bool last;    /* the newest result; true: good */
	int32_t run;  /* results in a row that are like the newest one, 0..CHECK_RUN_MAX */
};

/*
 * Takes one result. The first good one makes the check good at once, for a node that boots
 * serves as soon as it can; after that `rise` good results in a row make it good, and `fall`
 * bad ones in a row make it bad. Both are 1..CHECK_RUN_MAX.
 */
void check_window_put(struct check_window *window, bool good, int32_t rise, int32_t fall);

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
 * Prepares *ret, with all checks due; they start when the loop runs. `report` is called from
 * the loop after each result, which was found at `found_ms` (monotonic). The pointers (conf,
 * those in env) are kept. 0 or -ENOMEM.
 */
int check_loop_init(struct check_loop *ret, const struct conf_checks *conf,
                    const struct check_env *env, struct event_base *base,
                    void (*report)(const struct check_slot *slot, int64_t found_ms, void *arg),
                    void *arg);

/*
 * The fact about a check after a result. It is CHECK_UNDECIDED until the window has decided,
 * after one good result or `fall` bad ones in a row: until then the core keeps the report of
 * the process before this one, for max_age, or uses `initial` if there was none. Therefore one
 * bad result at a restart does not make the node unhealthy, and a check that was bad is not
 * called good because `initial` is.
 */
void check_fact(const struct check_slot *slot, int64_t found_ms, struct msg *ret);

#endif
