/*
 * The inside of push, shared by its files (push.c windows and turns, push_send.c
 * requests and answers, push_request.c one request, push_facts.c what the core
 * is told). Nobody else includes it.
 */
#ifndef CLOUD_PUSH_ROOM_H
#define CLOUD_PUSH_ROOM_H

#include "conf.h"
#include "cpu.h"
#include "cwatch.h"
#include "endpoint.h"
#include "gate.h"
#include "push.h"
#include "queue.h"
#include "series.h"
#include "skew.h"

enum {
	/* Data in one request: the newest always, older ones as long as that works.
	 * Starts small, doubles with each success, falls back with each failure, so
	 * that a backlog never holds up the current window for long. */
	PUSH_BATCH_FIRST = 20,
	PUSH_BATCH_MAX = 200,
	PUSH_ANSWER_MAX = 16 * 1024,
	PUSH_CONNECT_MS = 3000,
	PUSH_PACE_MS = 1000,        /* between two requests of a backlog, about */
	PUSH_BACKOFF_MS = 1000,     /* first wait after a failure */
	PUSH_DROPS_MAX = 3,         /* data given up in a row until the cause is in doubt */
	PUSH_DENIED_MS = 60 * 1000, /* first wait after a refusal that only people end */
	PUSH_DENIED_MAX_MS = 10 * 60 * 1000,
	PUSH_FACTS_MS = 5000,             /* all facts again */
	PUSH_FUTURE_MS = 2 * 3600 * 1000, /* CloudWatch takes data this far ahead */
};

_Static_assert((int)PUSH_BATCH_MAX <= (int)QUEUE_REMOVE_MAX, "a batch is removed at once");
_Static_assert((int)PUSH_BATCH_MAX <= (int)CWATCH_DATA_MAX, "a batch is one request");

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
	unsigned long repeats; /* of the same state, for the log */
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
	struct endpoint_env env;
	struct cpu cpu;
	int cpu_error;        /* last -errno of reading, for the log's sake */
	int64_t cpu_permille; /* of the last sample; -1 = none yet */
	struct series series;
	int64_t series_era;
	struct skew skew;
	struct gate gate;
	struct gate_memory memory;
	struct queue *queue; /* NULL: metrics are off */
	bool early;          /* a series has just begun: do not wait for its window's end */
	struct push_send send;
	bool facts_dirty;
	int64_t facts_ms; /* when all facts were last sent */
};

/* push_send.c */
void send_init(struct push_send *send);
/* New data is queued: push it within `delay_ms`, unless a back-off is running. */
void send_kick(struct push *push, int64_t now_ms, int64_t delay_ms);
/* A request is under way, or its answer has not been acted on. */
bool send_busy(const struct push *push);
void send_turn(struct push *push, int64_t now_ms, int64_t wall_ms);
int64_t send_deadline(const struct push *push);

/* push.c: AWS's clock turned out to differ by this from what was believed. */
void push_shift(struct push *push, int64_t by_ms);

/* push_request.c: builds, signs and starts one request of the newest data. 0, with
 * send->call, ids and count set; -ENODATA if nothing could be put in; -errno. */
int request_start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                  int64_t wall_ms);

/* push_facts.c */
void facts_cpu(const struct push *push);
void facts_send(struct push *push, int64_t now_ms);

#endif
