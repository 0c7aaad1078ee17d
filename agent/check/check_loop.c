/*
 * Run by wna-check. May block on a local disk, by check_run.c. Owns the runs and the event that
 * starts them.
 */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "str.h"

static void decide(struct check_window *window, enum check_state state)
{
	window->state = state;
	window->decided = true;
}

void check_window_put(struct check_window *window, bool good, int32_t rise, int32_t fall)
{
	if (window->last != good)
		window->run = 0;
	if (window->run < CHECK_RUN_MAX)
		window->run++;
	window->last = good;
	if (good && (window->run >= rise || !window->proven))
		decide(window, CHECK_GOOD);
	else if (!good && window->run >= fall)
		decide(window, CHECK_BAD);
	window->proven |= good;
}

static void arm(struct check_loop *loop, int64_t now_ms)
{
	int64_t next_ms = check_sched_next(&loop->sched);
	struct timeval wait = { .tv_sec = 0 };

	if (next_ms == INT64_MAX)
		return;
	if (next_ms > now_ms) {
		wait.tv_sec = (next_ms - now_ms) / 1000;
		wait.tv_usec = (next_ms - now_ms) % 1000 * 1000;
	}
	evtimer_add(loop->turn, &wait);
}

void check_fact(const struct check_slot *slot, int64_t found_ms, struct msg *ret)
{
	*ret = (struct msg){
		.id = FACT_CHECK,
		.value = slot->window.decided ? slot->window.state : CHECK_UNDECIDED,
		.more = { [CHECK_LAST] = slot->last.value, [CHECK_RUN] = slot->window.run },
		.found_ms = found_ms,
	};
	str_copy(ret->text, sizeof ret->text, slot->run.conf->name);
	if (slot->last.value < 0)
		str_copy(ret->why, sizeof ret->why, slot->last.text);
}

static void take(struct check_loop *loop, struct check_slot *slot,
                 const struct check_result *result, int64_t now_ms)
{
	const struct conf_check *conf = slot->run.conf;

	log_debug("check %s: %s", conf->name, result->text);
	loop->silent -= slot->window.run == 0;
	slot->last = *result;
	check_window_put(&slot->window, result->value >= 0, conf->rise, conf->fall);
	loop->report(slot, now_ms, loop->arg);
}

static void on_done(struct check_run *run, const struct check_result *result, void *arg)
{
	struct check_loop *loop = arg;
	int i = (int)(run->conf - loop->conf->item);
	bool remote = run->conf->type == CHECK_HTTP || run->conf->type == CHECK_TCP;
	int64_t now_ms = clock_ms();

	/* A slow disk is a bad result. A late answer of a server is none: this process was late. */
	if (remote && check_sched_late(&loop->sched, i, now_ms)) {
		check_sched_void(&loop->sched, i, now_ms);
		log_debug("check %s: runs again, since this process was late", run->conf->name);
	} else {
		check_sched_done(&loop->sched, i, result->value >= 0, now_ms, clock_random());
		take(loop, &loop->slot[i], result, now_ms);
	}
	arm(loop, now_ms);
}

/* A disk has stalled this process, which could not read answers: the servers may have answered
 * in time. */
static void void_waiting(struct check_loop *loop, int64_t now_ms)
{
	for (int i = 0; i < loop->sched.count; i++) {
		struct check_run *run = &loop->slot[i].run;

		if (!check_run_waits(run))
			continue;
		check_run_cancel(run);
		check_sched_void(&loop->sched, i, now_ms);
	}
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct check_loop *loop = arg;
	int64_t now_ms = clock_ms(), after_ms;
	int i = check_sched_due(&loop->sched, now_ms);

	(void)fd;
	(void)what;
	/* One check a turn: a slow disk keeps the loop from its sockets for one look at most. */
	if (i >= 0) {
		check_sched_start(&loop->sched, i, now_ms);
		check_run_start(&loop->slot[i].run, clock_wall_ms());
		after_ms = clock_ms();
		if (after_ms - now_ms > CHECK_LATE_MS) {
			log_info("check %s: stalled this process for %lld ms",
			         loop->conf->item[i].name, (long long)(after_ms - now_ms));
			void_waiting(loop, after_ms);
		}
		now_ms = after_ms;
	}
	arm(loop, now_ms);
}

int check_loop_init(struct check_loop *ret, const struct conf_checks *conf,
                    const struct check_env *env, struct event_base *base,
                    void (*report)(const struct check_slot *slot, int64_t found_ms, void *arg),
                    void *arg)
{
	int64_t now_ms = clock_ms();
	int rc;

	memset(ret, 0, sizeof *ret);
	ret->conf = conf;
	ret->env = *env;
	ret->base = base;
	ret->report = report;
	ret->arg = arg;
	ret->silent = conf->count;
	check_sched_init(&ret->sched, conf, now_ms);
	ret->turn = evtimer_new(base, on_turn, ret);
	if (!ret->turn)
		return -ENOMEM;
	for (int i = 0; i < conf->count; i++) {
		rc = check_run_init(&ret->slot[i].run, &conf->item[i], &ret->env, base, on_done,
		                    ret);
		if (rc < 0)
			return rc;
	}
	arm(ret, now_ms);
	return 0;
}
