/*
 * wna-core: user wna, no capabilities. Blocks on nothing: after its start it opens no
 * file, resolves no name, forks no child. Owns the health responder, the hub and the
 * verdict; its listeners are systemd's.
 *
 * Options beside the common ones (worker.h), for use outside of systemd:
 *	--listen ADDRESS:PORT  opens the health listener itself
 *	--roles-by-name yes    any user may claim any role
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core_serve.h"
#include "log.h"
#include "worker.h"

enum {
	/* At the end, for requests that are under way: new connects wait in the listener for
	 * the next core meanwhile. */
	DRAIN_MS = 200,
	DRAIN_LOOK_MS = 20,
	START_AGAIN_MS = 500,
};

static struct {
	struct worker worker;
	struct core core;
	struct event_base *base;
	struct http http;
	struct event reload_event, timer, alive_timer, term_event;
	struct core_listeners listeners;
	struct net_endpoint listen; /* --listen */
	bool roles_by_name;
	char status[160]; /* as systemd was told */
	int64_t armed_ms; /* when the timer fires */
	int64_t end_ms;   /* not 0: the latest time of the end */
} self;

static void arm(int64_t at_ms, int64_t now_ms)
{
	int64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	struct timeval left = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };

	self.armed_ms = at_ms;
	event_add(&self.timer, &left);
}

/* After anything that may have changed what is due next. The timer is only set to fire earlier. */
static void settle(int64_t now_ms)
{
	int64_t next_ms = core_next_ms(&self.core);

	if (self.core.accepting)
		http_accept(&self.http);
	if (next_ms < self.armed_ms && self.end_ms == 0)
		arm(next_ms, now_ms);
}

static void leave(const char *why)
{
	int64_t now_ms = clock_ms();

	if (self.end_ms != 0)
		return;
	log_info("core: leaving: %s", why);
	self.end_ms = now_ms + DRAIN_MS;
	event_del(&self.reload_event);
	hub_stop();
	http_drain(&self.http);
	arm(now_ms, now_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();

	(void)fd;
	(void)what;
	(void)arg;
	if (self.end_ms != 0) {
		if (self.http.connections == 0 || now_ms >= self.end_ms)
			event_base_loopbreak(self.base);
		else
			arm(now_ms + DRAIN_LOOK_MS, now_ms);
		return;
	}
	core_step(&self.core, now_ms, wall_ms);
	page_date(&self.core.pages, wall_ms);
	self.armed_ms = INT64_MAX;
	settle(now_ms);
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	worker_alive(&self.worker);
	page_date(&self.core.pages, clock_wall_ms());
}

/* The sandbox allows no open(2): a new process reads the new configuration. Connections wait in
 * systemd's listener meanwhile. */
static void on_reload(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	leave("new configuration");
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	leave("asked to");
}

static void on_moved(void)
{
	settle(clock_ms());
}

/* The line of `systemctl status`. */
static void tell_systemd(void)
{
	const struct verdict *verdict = &self.core.verdict;
	char text[sizeof self.status];

	snprintf(text, sizeof text, "STATUS=healthz %s, readyz %s%s%.100s",
	         verdict_level_name(verdict->health), verdict_level_name(verdict->ready),
	         verdict->why[0] ? ": " : "", verdict->why);
	if (strcmp(text, self.status) != 0)
		worker_notify(&self.worker, text);
	memcpy(self.status, text, sizeof text);
}

static void on_changed(void)
{
	tell_systemd();
	hub_tell_verdict();
}

static int add_events(int64_t now_ms)
{
	struct timeval alive = { .tv_sec = WORKER_ALIVE_MS / 1000 };

	event_assign(&self.reload_event, self.base, self.worker.fd, EV_READ | EV_PERSIST, on_reload,
	             NULL);
	event_assign(&self.timer, self.base, -1, 0, on_timer, NULL);
	event_assign(&self.alive_timer, self.base, -1, EV_PERSIST, on_alive, NULL);
	event_assign(&self.term_event, self.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term, NULL);
	if (event_add(&self.reload_event, NULL) < 0 || event_add(&self.term_event, NULL) < 0 ||
	    event_add(&self.alive_timer, &alive) < 0)
		return -ENOMEM;
	arm(now_ms, now_ms);
	return 0;
}

static int start(void)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();
	struct hub_users users;
	int rc;

	rc = core_listeners_open(&self.listeners, &self.listen,
	                         self.listen.port != 0 ? self.worker.hub : NULL);
	if (rc < 0)
		return rc;
	if (self.listeners.health < 0) {
		log_error("core: no health listener was passed: web-node-agent-health.socket");
		return -ENOTCONN;
	}
	if (self.listeners.unserved > 0)
		log_warning("core: %u more sockets were passed and are not served: "
		            "web-node-agent-health.socket must have only one ListenStream=",
		            self.listeners.unserved);
	sandbox_prepare();
	log_to_journal();
	hub_users_find(self.worker.conf, &users);
	users.by_name = self.roles_by_name;
	self.base = event_base_new();
	if (!self.base)
		return -ENOMEM;
	/* Its first conversion of a time makes glibc read /etc/localtime. */
	core_init(&self.core, self.worker.snapshot, on_changed, now_ms, wall_ms);
	rc = http_init(&self.http, self.base, self.listeners.health, &self.core);
	if (rc == 0)
		rc = hub_init(self.base, self.listeners.hub, &users, &self.core, on_moved);
	if (rc < 0)
		return rc;
	tell_systemd();
	rc = add_events(now_ms);
	if (rc < 0)
		return rc;
	worker_notify(&self.worker, "READY=1");
	return sandbox_enter();
}

static bool take_option(const char *name, const char *value)
{
	if (strcmp(name, "--listen") == 0)
		return net_endpoint_parse(value, &self.listen);
	/* For tests that run as one user. */
	if (strcmp(name, "--roles-by-name") == 0)
		self.roles_by_name = strcmp(value, "yes") == 0;
	return strcmp(name, "--roles-by-name") == 0;
}

int main(int argc, char **argv)
{
	int rc;

	/* First of all: what systemd passed has fixed numbers, which no other file may get. */
	core_listeners_take(&self.listeners);
	worker_init(&self.worker, ROLE_CORE, 0, argc, argv, take_option);
	rc = start();
	if (rc < 0) {
		log_error("core: cannot start: %s", strerror(-rc));
		/* Its unit restarts it without a delay, which is right after a crash only. */
		poll(NULL, 0, START_AGAIN_MS);
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
