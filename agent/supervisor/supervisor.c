/*
 * wnad: root, one loop, blocks on nothing once it runs (at start on the name
 * service, for the users). Owns the listeners, the configuration and all
 * children; parses nothing that comes from outside but that configuration.
 */
#include "supervisor.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "children.h"
#include "clock.h"
#include "conf_load.h"
#include "leftover.h"
#include "listener.h"
#include "log.h"
#include "rundir.h"
#include "spawn.h"
#include "verdict.h"

enum {
	SINK_RETRY_MS = 100,
	LATE_MS = 1000, /* the loop's own delay from which its children are excused */
};

static const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct supervisor *sv = arg;
	int64_t now = clock_ms();

	(void)what;
	switch (number) {
	case SIGHUP: sv->reload_wanted = true; break;
	case SIGCHLD:
		/* Pidfds tell sooner; this is for kernels without. */
		for (enum role role = 0; role < ROLE_MAX; role++) {
			for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++)
				child_reap(&sv->children[role][slot], now);
		}
		break;
	default:
		if (sv->stopping)
			break;
		sv->stopping = true;
		log_info("agent: stopping");
		notify_send(&sv->notify, "STOPPING=1", -1);
		children_stop(sv, now);
	}
}

static void on_log(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *sv = arg;

	(void)fd, (void)what;
	if (sink_pump(&sv->sink)) {
		/* The pipe stays readable; asking again at once would be a busy loop. */
		event_del(sv->sink_event);
		sv->sink_due_ms = clock_ms() + SINK_RETRY_MS;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void check_machine(struct supervisor *sv, struct conf_draft *draft)
{
	/*
	 * At a reload these problems refuse the new configuration. At start there is
	 * no old one, and no answer at all would be worse: the worker concerned
	 * looks again by itself, and waits.
	 */
	conf_check_machine(draft, "/proc/self/mountinfo", NULL);
	for (int i = 0; i < draft->problems.count && i < CONF_PROBLEMS_MAX; i++)
		log_warning("agent: %s", draft->problems.item[i].text);
	memset(&draft->problems, 0, sizeof draft->problems);
	/* Hooks are an extra: without their user the node still has to answer. */
	conf_check_users(draft);
	if (draft->problems.count) {
		sv->conf.hooks.enabled = false;
		snprintf(sv->hooks_why, sizeof sv->hooks_why, "off until a reload: %.120s",
		         draft->problems.item[0].text);
		log_warning("agent: %s; hooks are off until a reload",
		            draft->problems.item[0].text);
	}
}

void supervisor_lacks(const char *path, int rc)
{
	log_error("agent: %s: %s; it goes on without, until a reload", path, strerror(-rc));
}

bool supervisor_control(struct supervisor *sv)
{
	int fd = listener_control(CONTROL_SOCKET, sv->users.of[ROLE_CORE].gid);

	if (fd < 0)
		supervisor_lacks(CONTROL_SOCKET, fd);
	sv->control_fd = fd < 0 ? -1 : fd;
	return fd >= 0;
}

static bool listeners(struct supervisor *sv)
{
	char address[NET_ADDR_TEXT];
	int others;

	net_endpoint_text(&sv->conf.health.listen, address, sizeof address);
	sv->listen_fd = listener_inherit(&sv->conf.health.listen, &others);
	sv->store_stale = others > 0;
	if (sv->listen_fd >= 0) {
		log_info("agent: took the listener on %s over", address);
	} else {
		sv->listen_fd = listener_bind(&sv->conf.health.listen, -1);
		if (sv->listen_fd < 0) {
			log_error("agent: cannot listen on %s: %s", address,
			          strerror(-sv->listen_fd));
			return false;
		}
	}
	supervisor_control(sv);
	return true;
}

/* The process itself. Whoever started us may have left descriptors and masks, and
 * a standard error that nobody reads. */
static bool settle(struct supervisor *sv)
{
	sigset_t mask;
	int rc;

	prctl(PR_SET_DUMPABLE, 0);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	/* A reload that is asked for before the loop listens waits for it. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	rc = sink_open(&sv->sink, STDERR_FILENO);
	if (rc < 0) {
		log_error("agent: pipe: %s", strerror(-rc));
		return false;
	}
	log_nonblocking(sv->sink.pipe_write);
	rc = notify_open(&sv->notify);
	if (rc < 0)
		log_warning("agent: NOTIFY_SOCKET: %s", strerror(-rc));
	return true;
}

/* Before anything that belongs to the one who runs is touched: his workers, his
 * control socket. */
static bool only_one(struct supervisor *sv)
{
	pid_t holder = 0;

	sv->lock_fd = rundir_lock(&holder);
	if (sv->lock_fd == -EBUSY)
		log_error("agent: wnad runs already, as process %d", holder);
	else if (sv->lock_fd < 0)
		log_error("agent: %s/lock: %s", CONF_RUN_DIR, strerror(-sv->lock_fd));
	if (sv->lock_fd < 0)
		return false;
	note_read(sv->lock_fd, clock_ms(), &sv->note);
	return true;
}

static bool users_and_folders(struct supervisor *sv)
{
	char missing[LIMIT_NAME] = "";
	int rc = users_load(&sv->conf, &sv->users, missing);

	if (rc < 0) {
		log_error("agent: user %s: %s; the agent's users come from "
		          "/usr/lib/sysusers.d/web-node-agent.conf (systemd-sysusers)",
		          missing, rc == -ENOENT ? "does not exist" : strerror(-rc));
		return false;
	}
	rc = rundir_make(&sv->users, supervisor_lacks);
	if (rc < 0) {
		log_error("agent: " CONF_RUN_DIR ": %s", strerror(-rc));
		return false;
	}
	if (!only_one(sv))
		return false;
	rc = leftover_kill(sv->options.libexec);
	if (rc > 0)
		log_warning("agent: killed %d worker%s of an agent that is gone", rc,
		            rc > 1 ? "s" : "");
	else if (rc < 0)
		log_debug("agent: did not look for workers left behind: %s", strerror(-rc));
	return true;
}

static bool loop_init(struct supervisor *sv)
{
	sigset_t none;

	sv->conf_fd = conf_to_memfd(&sv->conf);
	if (sv->conf_fd < 0) {
		log_error("agent: memfd: %s", strerror(-sv->conf_fd));
		return false;
	}
	sv->base = event_base_new();
	sv->timer = sv->base ? evtimer_new(sv->base, on_timer, sv) : NULL;
	sv->sink_event =
	        sv->base ? event_new(sv->base, sv->sink.pipe_read, EV_READ | EV_PERSIST, on_log, sv)
	                 : NULL;
	if (!sv->timer || !sv->sink_event || event_add(sv->sink_event, NULL) < 0) {
		log_error("agent: cannot make an event loop");
		return false;
	}
	for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) {
		sv->signals[i] = evsignal_new(sv->base, caught[i], on_signal, sv);
		if (!sv->signals[i] || event_add(sv->signals[i], NULL) < 0) {
			log_error("agent: cannot catch signal %d", caught[i]);
			return false;
		}
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return true;
}

/* One turn: everything that is due, then sleep until something happens. */
static bool turn(struct supervisor *sv)
{
	int64_t now = clock_ms(), next;
	struct timeval wait;

	if (now - sv->wake_ms > LATE_MS) {
		log_warning("agent: woke %lld ms late, so nobody else is called late",
		            (long long)(now - sv->wake_ms));
		children_excuse(sv, now - sv->wake_ms);
	}
	if (sv->reload_wanted && !sv->stopping) {
		sv->reload_wanted = false;
		reload(sv, now);
	}
	children_turn(sv, now);
	report_turn(sv, now);
	if (sv->stopping && (children_stopped(sv) || now >= sv->stop_by_ms))
		return false;
	if (now >= sv->sink_due_ms) {
		sv->sink_due_ms = LADDER_NEVER;
		event_add(sv->sink_event, NULL);
	}
	next = children_next(sv);
	if (report_next(sv) < next)
		next = report_next(sv);
	if (sv->sink_due_ms < next)
		next = sv->sink_due_ms;
	if (sv->stopping && sv->stop_by_ms < next)
		next = sv->stop_by_ms;
	sv->wake_ms = next > now ? next : now;
	next = sv->wake_ms - now;
	wait.tv_sec = next / 1000;
	wait.tv_usec = next % 1000 * 1000;
	evtimer_add(sv->timer, &wait);
	if (event_base_loop(sv->base, EVLOOP_ONCE) < 0) {
		log_error("agent: event loop: %s", strerror(errno));
		return false;
	}
	return true;
}

static void fini(struct supervisor *sv)
{
	if (sv->base) {
		children_close(sv);
		for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) {
			if (sv->signals[i])
				event_free(sv->signals[i]);
		}
		if (sv->sink_event)
			event_free(sv->sink_event);
		if (sv->timer)
			event_free(sv->timer);
		event_base_free(sv->base);
	}
	if (sv->control_fd >= 0)
		close(sv->control_fd);
	if (sv->listen_fd >= 0)
		close(sv->listen_fd);
	if (sv->retired_fd >= 0)
		close(sv->retired_fd);
	if (sv->conf_fd >= 0)
		close(sv->conf_fd);
	if (sv->lock_fd >= 0)
		close(sv->lock_fd);
	for (enum role role = 0; role < ROLE_MAX; role++) {
		if (sv->exe_fds[role] >= 0)
			close(sv->exe_fds[role]);
	}
	notify_close(&sv->notify);
	sink_close(&sv->sink);
}

int supervisor_run(const struct supervisor_options *options)
{
	/* Not on the stack: a table of children, a configuration and a log buffer. */
	struct supervisor *sv = calloc(1, sizeof *sv);
	struct conf_draft *draft = NULL;
	int code = SUPERVISOR_FAILED;
	int64_t now;

	if (!sv)
		return SUPERVISOR_FAILED;
	sv->options = *options;
	sv->conf_fd = sv->listen_fd = sv->retired_fd = sv->control_fd = sv->lock_fd = -1;
	sv->notify.fd = -1;
	log_init("wnad", options->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (!settle(sv)) {
		free(sv);
		return SUPERVISOR_FAILED;
	}
	spawn_hold(options->libexec, sv->exe_fds);
	draft = conf_read(options->conf_file);
	if (!draft)
		goto out;
	if (draft->problems.count) {
		for (int i = 0; i < draft->problems.count && i < CONF_PROBLEMS_MAX; i++)
			log_error("agent: %s", draft->problems.item[i].text);
		code = (int)draft->problems.item[0].error;
		goto out;
	}
	sv->conf = draft->conf;
	if (options->debug)
		sv->conf.agent.log_level = LOG_LEVEL_DEBUG;
	log_init("wnad", (enum log_level)sv->conf.agent.log_level);
	check_machine(sv, draft);
	if (!users_and_folders(sv) || !listeners(sv) || !loop_init(sv))
		goto out;
	now = clock_ms();
	sv->conf_loads = sv->conf_tries = 1;
	report_init(sv, now);
	children_init(sv);
	sv->wake_ms = now;
	sv->sink_due_ms = LADDER_NEVER;
	children_apply(sv, PART_ALL, now);
	log_info("agent: version %s started", WNA_VERSION);
	while (turn(sv))
		;
	/* The last thing: our successor reckons from here. */
	report_note(sv);
	log_info("agent: stopped%s", children_stopped(sv) ? "" : ", somebody is stuck");
	code = SUPERVISOR_STOPPED;
out:
	conf_draft_free(draft);
	fini(sv);
	free(sv);
	return code;
}
