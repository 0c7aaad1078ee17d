/* One run of a check on the test's own event loop. */
#ifndef TEST_CHECK_RUNNING_H
#define TEST_CHECK_RUNNING_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check.h"
#include "server.h"

enum { LONG_MS = 20000, SHORT_MS = 60 };

static struct event_base *base;
static struct check_env env = { .mountinfo = "/proc/self/mountinfo", .mount_path = "" };
static struct check_result result;
static int reports;

static int make_base(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as worker_init does */
	base = event_base_new();
	return base == NULL ? -1 : 0;
}

static int free_base(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

static void on_done(struct check_run *run, const struct check_result *got, void *arg)
{
	(void)run;
	(void)arg;
	result = *got;
	reports++;
	event_base_loopbreak(base);
}

static void run_conf(const struct conf_check *conf)
{
	struct check_run run;

	reports = 0;
	memset(&result, 0, sizeof result);
	assert_int_equal(check_run_init(&run, conf, &env, base, on_done, NULL), 0);
	check_run_start(&run, 0);
	assert_int_equal(reports, 0); /* never from within check_run_start */
	event_base_dispatch(base);
	assert_int_equal(reports, 1);
	assert_false(run.active);
	/* Nothing of it is left in the loop to report a second time. */
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(reports, 1);
	event_free(run.timer);
}

static void expect_bad(int error, const char *why)
{
	if (result.value != -error || strstr(result.text, why) == NULL)
		fail_msg("expected %d \"%s\", got %lld \"%s\"", -error, why,
		         (long long)result.value, result.text);
}

static void expect_good(const char *text)
{
	if (result.value < 0 || strcmp(result.text, text) != 0)
		fail_msg("expected \"%s\", got %lld \"%s\"", text, (long long)result.value,
		         result.text);
}

static struct conf_check http(uint16_t port, int64_t timeout_ms)
{
	struct conf_check conf = {
		.type = CHECK_HTTP, .timeout_ms = timeout_ms, .status_min = 200, .status_max = 399
	};

	snprintf(conf.url, sizeof conf.url, "http://127.0.0.1:%u/health?x=1", port);
	return conf;
}

#endif
