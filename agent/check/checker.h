/*
 * All checks of the configuration, each in its own rhythm, on one event loop.
 */
#ifndef WNA_CHECK_CHECKER_H
#define WNA_CHECK_CHECKER_H

#include <event2/event.h>

#include "check.h"
#include "run.h"
#include "sched.h"

struct checker_slot {
	struct run run;
	struct check_result last;
	int64_t last_ms; /* when it was found, monotonic, and its number; 0 = not yet */
};

struct checker {
	const struct conf_checks *conf;
	struct check_env env;
	struct event_base *base;
	struct event *turn;
	struct sched sched;
	struct checker_slot slot[LIMIT_CHECKS];
	void (*report)(int i, const struct check_result *result, int64_t found_ms, void *arg);
	void *arg;
};

/*
 * Prepares *ret and makes all checks due; they start when the loop runs.
 * `report` is called with each result, from the loop; no two results of a check
 * have the same found_ms (monotonic). The pointers (conf, those in env) are kept.
 * 0 or -ENOMEM.
 */
int checker_init(struct checker *ret, const struct conf_checks *conf, const struct check_env *env,
                 struct event_base *base,
                 void (*report)(int i, const struct check_result *result, int64_t found_ms,
                                void *arg),
                 void *arg);

/* Reports again what each check found last, and when, unless that is older than
 * its maximum age. */
void checker_refresh(const struct checker *checker, int64_t now);

#endif
