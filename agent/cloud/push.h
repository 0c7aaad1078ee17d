/*
 * The metric: samples of /proc/stat, windows, the queue on disk and the pushes
 * to CloudWatch. Driven by main's loop: push_turn when push_deadline has come
 * or anything changed.
 */
#ifndef CLOUD_PUSH_H
#define CLOUD_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "creds.h"
#include "http.h"
#include "identity.h"
#include "worker.h"

struct push;

struct push_deps {
	const struct worker *worker; /* facts go out through it */
	const struct conf *conf;
	struct http *http;
	struct creds_store *creds;
	const struct identity *identity; /* main keeps it current */
	const char *state_dir;           /* the queue's folder: CONF_STATE_DIR "/cloud" */
	const char *run_dir;             /* CONF_RUN_DIR "/cloud": remembers "healthy once
	                                    * since boot" over a restart of this process */
	const char *proc_stat;           /* "/proc/stat" */
};

/* NULL only when out of memory; a queue that cannot be opened is a fact with a
 * reason and data then waits in memory, bounded. Deps are kept by value. */
struct push *push_new(const struct push_deps *deps, int64_t now_ms, int64_t wall_ms);

/* Everything that is due: sample, close a window, start or retry a push. */
void push_turn(struct push *push, int64_t now_ms, int64_t wall_ms);

/* When push_turn is next needed, monotonic ms. */
int64_t push_deadline(const struct push *push);

/* TELL_HEALTHY came: /healthz has been 200 once since this boot. */
void push_healthy(struct push *push);

/* Sends all facts of the metric again. */
void push_refresh(struct push *push);

/* Commits what is sampled, cancels what is under way, frees. */
void push_free(struct push *push, int64_t now_ms, int64_t wall_ms);

#endif
