/*
 * The metric: samples of /proc/stat, windows, the queue and the pushes to CloudWatch. Driven
 * by the loop: push_turn when push_deadline has come or anything changed.
 */
#ifndef CLOUD_PUSH_H
#define CLOUD_PUSH_H

#include "cloud_creds.h"
#include "cloud_send.h"
#include "worker.h"

struct push;

/* The jobs around push. Its files are in the worker's run_dir and state_dir. `identity` is always
 * current. */
struct push_deps {
	const struct worker *worker;
	const char *proc_stat; /* "/proc/stat" */
	struct http *http;
	struct creds_store *creds;
	const struct identity *identity;
};

/* NULL only when out of memory; a queue that cannot be opened is a fact with a reason, and
 * data then waits in memory, bounded. Deps are kept by value. */
struct push *push_new(const struct push_deps *deps, int64_t now_ms, int64_t wall_ms);

/* Everything that is due: sample, close a window, start or retry a push. */
void push_turn(struct push *push, int64_t now_ms, int64_t wall_ms);

/* When push_turn is next needed, monotonic ms. */
int64_t push_deadline(const struct push *push);

/* /healthz has been 200 once since this boot (HUB_VERDICT). */
void push_healthy(struct push *push);

/* Whether a push failed and is tried again later. */
bool push_is_waiting(const struct push *push);

/* Commits what is sampled, cancels what is under way, frees. */
void push_free(struct push *push, int64_t now_ms);

/*
 * cloud_loop.c: wna-cloud's one loop, apart from main() for a test that runs it whole. It runs
 * until SIGTERM or SIGINT, which the caller must have blocked before any thread is made, or until
 * a new process is wanted: after a reload, or for another file of credentials. Returns the
 * process' exit code: 0, or 1 if there was not memory enough to begin.
 */
int loop_run(const struct worker *worker);

/* From here on: the inside, for cloud_push.c, cloud_push_send.c and cloud_push_request.c. */
enum {
	/* Data in one request: the newest always, older ones as long as that works.
	 * Starts small, doubles with each success and falls back with each failure: a
	 * backlog never holds up the current window for long. */
	PUSH_BATCH_FIRST = 20,
	PUSH_BATCH_MAX = 200,
	PUSH_PACE_MS = 1000,        /* between two requests of a backlog, about */
	PUSH_BACKOFF_MS = 1000,     /* first wait after a failure */
	PUSH_DROPS_MAX = 3,         /* data given up in a row until the cause is in doubt */
	PUSH_DENIED_MS = 60 * 1000, /* first wait after a refusal that only people end */
	PUSH_DENIED_MAX_MS = 10 * 60 * 1000,
	PUSH_FACTS_MS = 5000,             /* all facts again */
	PUSH_FUTURE_MS = 2 * 3600 * 1000, /* CloudWatch takes data this far ahead */
};

_Static_assert((int)PUSH_BATCH_MAX <= 1000, "CloudWatch's limit of data in a request");

#define PUSH_NEVER INT64_MAX

/* The sending half. */
struct push_send {
	struct http_call *call;
	bool answered; /* `answer` waits to be acted on */
	struct cwatch_answer answer;
	int64_t ids[PUSH_BATCH_MAX];
	size_t count;          /* data in the request under way */
	int64_t era;           /* of the clock when it was signed */
	size_t limit;          /* of the next request's data */
	int64_t due_ms;        /* monotonic; PUSH_NEVER: nothing to do */
	unsigned attempt;      /* failures in a row */
	unsigned drops;        /* data dropped since something was accepted */
	bool clock_tried;      /* one retry at once for a corrected clock */
	char refused_key[129]; /* access key id that AWS refused; others are tried at once */
	enum push_state state;
	char why[LIMIT_FACT_WHY];
	int64_t accepted;       /* data, since start */
	int64_t accepted_at_ms; /* wall clock; 0 = never */
};

struct push {
	struct push_deps deps;
	const struct conf_metrics *conf;
	struct cpu cpu;
	int cpu_error;        /* last -errno of reading, for the log's sake */
	int64_t cpu_permille; /* of the last sample; -1 = none yet */
	struct series series;
	int64_t series_era;
	struct skew skew;
	struct gate gate;
	bool healthy;        /* /healthz has been 200 since boot */
	struct queue *queue; /* NULL: metrics are off */
	bool early;          /* a series has just begun: do not wait for its window's end */
	struct push_send send;
	bool facts_dirty;
	int64_t facts_ms; /* when all facts were last sent */
};

/* cloud_push.c: AWS's clock turned out to differ by this from what was believed. */
void push_shift(struct push *push, int64_t by_ms);

/* cloud_push_send.c */
void send_init(struct push_send *send);
/* New data is queued: push it within `delay_ms`, unless a back-off is running. */
void send_kick(struct push *push, int64_t now_ms, int64_t delay_ms);
/* A request is under way, or its answer has not been acted on. */
bool send_busy(const struct push *push);
void send_turn(struct push *push, int64_t now_ms, int64_t wall_ms);
int64_t send_deadline(const struct push *push);

/* cloud_push_request.c: builds, signs and starts one request of the newest data. 0, with
 * send->call, ids and count set; -ENODATA if nothing could be put in; -errno. */
int request_start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                  int64_t wall_ms);

#endif
