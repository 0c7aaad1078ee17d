/*
 * Run by wna-check. May block on a local disk (checks of files and disks), and on nothing else.
 * Owns the run's timer and, by check_tcp.c and check_http.c, its connection.
 */
#include "check.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

void check_good(struct check_result *ret, int64_t us, const char *format, ...)
{
	va_list args;

	ret->value = us;
	va_start(args, format);
	vsnprintf(ret->text, sizeof ret->text, format, args);
	va_end(args);
}

void check_bad(struct check_result *ret, int error, const char *format, ...)
{
	va_list args;

	ret->value = error > 0 ? -error : -EIO;
	va_start(args, format);
	vsnprintf(ret->text, sizeof ret->text, format, args);
	va_end(args);
}

/* The only end of a run, called by the loop: a connection must not be freed within its own
 * callback. */
static void finish(evutil_socket_t fd, short what, void *arg)
{
	struct check_run *run = arg;

	(void)fd;
	(void)what;
	if (!run->active)
		return;
	if (!run->settled) {
		if (run->conf->type == CHECK_HTTP)
			check_http_timeout(run);
		else
			check_tcp_timeout(run);
	}
	check_run_cancel(run);
	run->done(run, &run->result, run->arg);
}

int check_run_init(struct check_run *ret, const struct conf_check *conf,
                   const struct check_env *env, struct event_base *base,
                   void (*done)(struct check_run *run, const struct check_result *result,
                                void *arg),
                   void *arg)
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
	ret->timer = evtimer_new(base, finish, ret);
	return ret->timer ? 0 : -ENOMEM;
}

/* A check that does not wait in the loop. It is bad if it was too slow, whatever it found. */
static void look(struct check_run *run, int64_t wall_ms)
{
	char took[32], allowed[32];
	int64_t ms;

	switch (run->conf->type) {
	case CHECK_FILE: check_file(run->env, run->conf, wall_ms, &run->result); break;
	case CHECK_DISK: check_disk(run->env, run->conf, &run->result); break;
	case CHECK_PROCESS: check_process(run->env, run->conf, &run->memo, &run->result); break;
	default: check_bad(&run->result, EINVAL, "unknown type of check"); break;
	}
	ms = (clock_us() - run->start_us) / 1000;
	if (run->result.value >= 0 && ms > run->conf->timeout_ms)
		check_bad(&run->result, ETIMEDOUT, "took %s, at most %s allowed",
		          clock_span(ms, took, sizeof took),
		          clock_span(run->conf->timeout_ms, allowed, sizeof allowed));
	check_run_settle(run);
}

void check_run_start(struct check_run *run, int64_t wall_ms)
{
	struct timeval timeout = {
		.tv_sec = run->conf->timeout_ms / 1000,
		.tv_usec = (run->conf->timeout_ms % 1000) * 1000,
	};

	assert(!run->active);
	run->active = true;
	run->settled = false;
	run->start_us = clock_us();
	/* The loop's cached time is old if this process was stalled. */
	event_base_update_cache_time(run->base);
	evtimer_add(run->timer, &timeout);
	if (run->conf->type == CHECK_HTTP)
		check_http_start(run);
	else if (run->conf->type == CHECK_TCP)
		check_tcp_start(run);
	else
		look(run, wall_ms);
}

void check_run_cancel(struct check_run *run)
{
	if (!run->active)
		return;
	run->active = false;
	evtimer_del(run->timer);
	check_http_clean(run);
	check_tcp_clean(run);
}

bool check_run_waits(const struct check_run *run)
{
	return run->active && (run->conf->type == CHECK_HTTP || run->conf->type == CHECK_TCP);
}

void check_run_settle(struct check_run *run)
{
	if (run->settled)
		return;
	run->settled = true;
	event_active(run->timer, EV_TIMEOUT, 0);
}
