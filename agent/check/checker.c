/*
 * Run by wna-check. May block on a local disk, through run.c. Owns the runs
 * and the event that starts them.
 */
#include "checker.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "log.h"

static void checker_arm(struct checker *checker, int64_t now)
{
	int64_t next = sched_next(&checker->sched);
	struct timeval wait = { .tv_sec = 0 };

	if (next == INT64_MAX)
		return;
	if (next > now) {
		wait.tv_sec = (next - now) / 1000;
		wait.tv_usec = (next - now) % 1000 * 1000;
	}
	evtimer_add(checker->turn, &wait);
}

static void checker_done(struct run *run, const struct check_result *result, void *arg)
{
	struct checker *checker = arg;
	int i = (int)(run->conf - checker->conf->item);
	struct checker_slot *slot = &checker->slot[i];
	bool remote = run->conf->type == CHECK_HTTP || run->conf->type == CHECK_TCP;
	int64_t now = clock_ms();

	/* Disks are judged by the time they take; what waits in the loop is not. */
	if (remote && sched_late(&checker->sched, i, now)) {
		sched_void(&checker->sched, i, now);
		log_debug("check %s: this process was not running, again", run->conf->name);
	} else {
		sched_done(&checker->sched, i, result->value >= 0, now, clock_random());
		slot->last = *result;
		/* One that overstayed and the next one may end within a millisecond. */
		slot->last_ms = now > slot->last_ms ? now : slot->last_ms + 1;
		log_debug("check %s: %s", run->conf->name,
		          result->value >= 0 ? result->text : result->why);
		checker->report(i, result, slot->last_ms, checker->arg);
	}
	checker_arm(checker, now);
}

/* A disk kept this process from reading answers: those who gave them in time
 * must not be blamed for it. */
static void checker_void_waiting(struct checker *checker, int64_t now)
{
	for (int i = 0; i < checker->sched.count; i++) {
		struct run *run = &checker->slot[i].run;

		if (!run_waits(run))
			continue;
		run_cancel(run);
		sched_void(&checker->sched, i, now);
	}
}

static void checker_turn(evutil_socket_t fd, short what, void *arg)
{
	struct checker *checker = arg;
	int64_t now = clock_ms();
	int i;

	(void)fd;
	(void)what;
	/* One a turn, so that a slow disk cannot keep the loop from its sockets
	 * for longer than one look; a run cannot be due again within a turn. */
	i = sched_due(&checker->sched, now);
	if (i >= 0) {
		struct run *run = &checker->slot[i].run;
		int64_t after;

		sched_start(&checker->sched, i, now);
		run_start(run, clock_wall_ms());
		after = clock_ms();
		if (after - now > SCHED_LATE_MS) {
			log_info("check %s: stalled this process for %lld ms", run->conf->name,
			         (long long)(after - now));
			checker_void_waiting(checker, after);
		}
		now = after;
	}
	checker_arm(checker, now);
}

int checker_init(struct checker *ret, const struct conf_checks *conf, const struct check_env *env,
                 struct event_base *base,
                 void (*report)(int i, const struct check_result *result, int64_t found_ms,
                                void *arg),
                 void *arg)
{
	int64_t now = clock_ms();
	int r;

	memset(ret, 0, sizeof *ret);
	ret->conf = conf;
	ret->env = *env;
	ret->base = base;
	ret->report = report;
	ret->arg = arg;
	sched_init(&ret->sched, conf, now);
	ret->turn = evtimer_new(base, checker_turn, ret);
	if (ret->turn == NULL)
		return -ENOMEM;
	for (int i = 0; i < conf->count; i++) {
		r = run_init(&ret->slot[i].run, &conf->item[i], &ret->env, base, checker_done, ret);
		if (r < 0)
			return r;
	}
	checker_arm(ret, now);
	return 0;
}

void checker_refresh(const struct checker *checker, int64_t now)
{
	for (int i = 0; i < checker->sched.count; i++) {
		const struct checker_slot *slot = &checker->slot[i];

		if (slot->last_ms > 0 && now - slot->last_ms <= slot->run.conf->max_age_ms)
			checker->report(i, &slot->last, slot->last_ms, checker->arg);
	}
}
