/*
 * wna-core, started by wnad as user wna. Blocks on nothing: after start it
 * opens no file, resolves no name, forks no child. Owns the health responder,
 * the control sessions and the verdict; its sockets were opened by wnad.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "core.h"
#include "http.h"
#include "log.h"
#include "sandbox.h"
#include "worker.h"

enum {
	MESSAGES = 16, /* taken per turn of the loop, so that answers come between */
	/* At the end, for who has connected and not been answered: a successor is
	 * there, and wnad asks (CHILDREN_DRAIN_MS) when that is too long. Once asked,
	 * connects may be waiting for a successor: only for what is under way. */
	DRAIN_MS = 4000,
	DRAIN_ASKED_MS = 1000,
	DRAIN_LOOK_MS = 20,
};

static struct {
	struct worker worker;
	struct core core;
	struct event_base *base;
	struct http *http;
	struct control *control;
	struct event wnad_event, timer, term_event;
	int64_t armed_ms; /* when the timer fires */
	int64_t end_ms;   /* not 0: leaving, at the latest then */
} self;

static void arm(int64_t at_ms, int64_t now_ms)
{
	int64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	struct timeval left = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };

	self.armed_ms = at_ms;
	event_add(&self.timer, &left);
}

/* After anything that may have moved the core: one timer, set back only. */
static void settle(int64_t now_ms)
{
	int64_t next_ms = core_next_ms(&self.core);

	if (self.core.accepting)
		http_accept(self.http);
	if (next_ms < self.armed_ms && self.end_ms == 0)
		arm(next_ms, now_ms);
}

static void leave(const char *why, int64_t within_ms)
{
	int64_t now_ms = clock_ms();

	if (self.end_ms == 0) {
		log_info("core: leaving: %s", why);
		self.end_ms = now_ms + within_ms;
		event_del(&self.wnad_event);
		control_stop(self.control);
		http_drain(self.http);
	} else if (now_ms + within_ms < self.end_ms) {
		self.end_ms = now_ms + within_ms;
	}
	arm(now_ms, now_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();

	(void)fd;
	(void)what;
	(void)arg;
	if (self.end_ms != 0) {
		if (http_connections(self.http) == 0 || now_ms >= self.end_ms)
			event_base_loopbreak(self.base);
		else
			arm(now_ms + DRAIN_LOOK_MS, now_ms);
		return;
	}
	core_step(&self.core, now_ms, wall_ms);
	page_date(http_pages(self.http), wall_ms);
	self.armed_ms = INT64_MAX;
	settle(now_ms);
}

static void on_wnad(evutil_socket_t fd, short what, void *arg)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();
	struct envelope envelope;

	(void)what;
	(void)arg;
	for (int i = 0; i < MESSAGES; i++) {
		int rc = envelope_recv(fd, &envelope);

		if (rc == -EAGAIN)
			break;
		if (rc == -EBADMSG) {
			http_counters(self.http)->bad_messages++;
			continue;
		}
		if (rc < 0) {
			leave("wnad closed the line", DRAIN_MS);
			return;
		}
		/* Others than facts are between wnad and its workers. */
		if (envelope.msg.type == MSG_FACT)
			core_take(&self.core, &envelope, now_ms, wall_ms);
	}
	settle(now_ms);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	leave("asked to", DRAIN_ASKED_MS);
	http_hurry(self.http);
}

static int send_order(void *ctx, const struct order *order)
{
	(void)ctx;
	return order_send(self.worker.fd, order);
}

static void on_changed(void *ctx)
{
	(void)ctx;
	page_render(http_pages(self.http), self.core.verdict.health, self.core.verdict.ready,
	            clock_wall_ms());
}

static size_t render_status(void *ctx, char *ret, size_t size)
{
	struct status_counters *counters = http_counters(self.http);
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();

	(void)ctx;
	/* libevent's clock is a coarse one: a deadline may have passed whose timer has
	 * not fired yet. Whoever reads the status and then the pages gets one story. */
	if (now_ms >= core_next_ms(&self.core))
		core_step(&self.core, now_ms, wall_ms);
	counters->control = control_count(self.control);
	return status_render(&self.core, counters, now_ms, wall_ms, ret, size);
}

static int order_reload(void *ctx, int64_t *ret_tries)
{
	const struct fact *tries = facts_get(&self.core.state.facts, FACT_TRIES, 0);

	(void)ctx;
	/* Without the number before it, the outcome could not be told from an older one. */
	if (!tries->seen)
		return -EAGAIN;
	*ret_tries = tries->value;
	return core_reload(&self.core);
}

static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_require_features(config, EV_FEATURE_O1) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/* libevent's table of descriptors grows by doubling; once is enough. */
static void grow_fd_map(int most)
{
	int high = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, most);
	int pair[2];
	struct event event;

	if (high >= 0)
		close(high);
	if (high < 0 || pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	if (dup3(pair[0], high, O_CLOEXEC) == high) {
		event_assign(&event, self.base, high, EV_READ, on_term, NULL);
		if (event_add(&event, NULL) == 0)
			event_del(&event);
		close(high);
	}
	close(pair[0]);
	close(pair[1]);
}

static int start(void)
{
	static const struct http_ops http_ops = { .status = render_status };
	static const struct control_ops control_ops = { .status = render_status,
		                                        .reload = order_reload };
	static const struct core_ops core_ops = { .order = send_order, .changed = on_changed };
	const struct conf *conf = self.worker.conf;
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();
	/* wnad may have had no place for it. Asked before the number is somebody else's. */
	bool control = fcntl(CORE_FD_CONTROL, F_GETFD) >= 0;
	int rc;

	sandbox_prepare();
	self.base = make_base();
	if (!self.base)
		return -ENOMEM;
	/* Below the limit that wnad sets: max_connections + 64. */
	grow_fd_map(conf->health.max_connections + 48);
	rc = http_init(&self.http, self.base, &conf->health, CORE_FD_LISTEN, &http_ops);
	if (rc == 0)
		rc = control_init(&self.control, self.base, control ? CORE_FD_CONTROL : -1,
		                  &control_ops);
	if (rc < 0)
		return rc;
	core_init(&self.core, conf, self.worker.arg, clock_random(), &core_ops, now_ms, wall_ms);
	/* Also reads /etc/localtime, which glibc does at the first conversion. */
	on_changed(NULL);
	event_assign(&self.wnad_event, self.base, self.worker.fd, EV_READ | EV_PERSIST, on_wnad,
	             NULL);
	event_assign(&self.timer, self.base, -1, 0, on_timer, NULL);
	event_assign(&self.term_event, self.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term, NULL);
	if (event_add(&self.wnad_event, NULL) < 0 || event_add(&self.term_event, NULL) < 0)
		return -ENOMEM;
	arm(now_ms, now_ms);
	if (self.core.accepting)
		http_accept(self.http);
	return sandbox_enter();
}

int main(int argc, char **argv)
{
	int rc;

	worker_init(&self.worker, ROLE_CORE, argc, argv);
	rc = start();
	if (rc < 0) {
		log_error("core: cannot start: %s", strerror(-rc));
		return EXIT_FAILURE;
	}
#ifdef CORE_TEST_OPENAT
	/* The test build: proves that the filter is on. */
	rc = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)rc;
#endif
	event_base_dispatch(self.base);
	return EXIT_SUCCESS;
}
