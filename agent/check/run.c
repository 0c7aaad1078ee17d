/*
 * Run by wna-check. May block on a local disk (file and disk checks), on
 * nothing else. Owns the run's timer and, through run_tcp.c and run_http.c,
 * its connection.
 */
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "clock.h"

/* The only way out of a run: out of the loop, so that a connection is never
 * freed under one of its own callbacks. */
static void run_finish(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	if (!run->active)
		return;
	if (!run->settled) {
		if (run->conf->type == CHECK_HTTP)
			run_http_timeout(run);
		else
			run_tcp_timeout(run);
	}
	run_cancel(run);
	run->done(run, &run->result, run->arg);
}

int run_init(struct run *ret, const struct conf_check *conf, const struct check_env *env,
             struct event_base *base,
             void (*done)(struct run *run, const struct check_result *result, void *arg), void *arg)
{
	memset(ret, 0, sizeof *ret);
	ret->conf = conf;
	ret->env = env;
	ret->base = base;
	ret->done = done;
	ret->arg = arg;
	ret->fd = -1;
	if (conf->type == CHECK_HTTP &&
	    url_target_parse(conf->url, conf->host, &ret->target, &ret->target_why) == 0)
		ret->target_why = NULL;
	ret->timer = evtimer_new(base, run_finish, ret);
	return ret->timer != NULL ? 0 : -ENOMEM;
}

/* A look that is already over; too long is bad, whatever it saw. */
static void run_look(struct run *run, int64_t wall_ms)
{
	char took[32], allowed[32];
	int64_t ms;

	switch (run->conf->type) {
	case CHECK_FILE: local_file(run->env, run->conf, wall_ms, &run->result); break;
	case CHECK_DISK: local_disk(run->env, run->conf, &run->result); break;
	case CHECK_PROCESS: local_process(run->env, run->conf, &run->memo, &run->result); break;
	default: check_bad(&run->result, EINVAL, "unknown type of check"); break;
	}
	ms = (clock_us() - run->start_us) / 1000;
	if (run->result.value >= 0 && ms > run->conf->timeout_ms)
		check_bad(&run->result, ETIMEDOUT, "took %s, at most %s allowed",
		          clock_span(ms, took, sizeof took),
		          clock_span(run->conf->timeout_ms, allowed, sizeof allowed));
	run_settle(run);
}

void run_start(struct run *run, int64_t wall_ms)
{
	struct timeval timeout = {
		.tv_sec = run->conf->timeout_ms / 1000,
		.tv_usec = (run->conf->timeout_ms % 1000) * 1000,
	};

	assert(!run->active);
	run->active = true;
	run->settled = false;
	run->start_us = clock_us();
	/* The loop's idea of now may be as old as the last stall. */
	event_base_update_cache_time(run->base);
	evtimer_add(run->timer, &timeout);
	if (run->conf->type == CHECK_HTTP)
		run_http_start(run);
	else if (run->conf->type == CHECK_TCP)
		run_tcp_start(run);
	else
		run_look(run, wall_ms);
}

void run_cancel(struct run *run)
{
	if (!run->active)
		return;
	run->active = false;
	evtimer_del(run->timer);
	run_http_clean(run);
	run_tcp_clean(run);
}

bool run_waits(const struct run *run)
{
	return run->active && (run->conf->type == CHECK_HTTP || run->conf->type == CHECK_TCP);
}

void run_settle(struct run *run)
{
	if (run->settled)
		return;
	run->settled = true;
	event_active(run->timer, EV_TIMEOUT, 0);
}
