/* wnad; never blocks. Owns a child's descriptors and events, not its memory. */
#include "child.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "group.h"
#include "log.h"
#include "relay.h"
#include "secret.h"
#include "spawn.h"
#include "str.h"

enum { EXEC_FAILED = -2 }; /* child.last_end of one that was never executed */

static const char *name(const struct child *child)
{
	return role_name(child->role);
}

bool child_exists(const struct child *child)
{
	return child->info && child->slot >= child->info->first_slot &&
	       child->slot < child->info->end_slot;
}

void child_close(struct child *child)
{
	if (child->fd_event)
		event_free(child->fd_event);
	child->fd_event = NULL;
	if (child->fd >= 0)
		close(child->fd);
	child->fd = -1;
}

static void on_message(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	relay_receive(arg, clock_ms());
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	child_reap(arg, clock_ms());
}

/* The role's own descriptors; *ret_secret is to be closed after the start. */
static int own_fds(const struct child *child, int fds[WORKER_FD_ENDS], int *ret_secret, char *why,
                   size_t why_size)
{
	const struct supervisor *sv = child->sv;
	const char *path = NULL, *key = NULL;
	int number = -1, rc;

	*ret_secret = -1;
	switch (child->role) {
	case ROLE_CORE:
		fds[CORE_FD_CONTROL] = sv->control_fd;
		fds[CORE_FD_LISTEN] = sv->listen_fd;
		break;
	case ROLE_RDS:
		path = sv->conf.rds.password_file;
		key = "database.password_file";
		number = RDS_FD_PASSWORD;
		break;
	case ROLE_CLOUD:
		path = sv->conf.metrics.credentials_file;
		key = "metrics.credentials_file";
		number = CLOUD_FD_SHARED_CREDENTIALS;
		break;
	default: break;
	}
	if (!path || !path[0])
		return 0;
	rc = secret_open(path, ret_secret);
	if (rc == 0) {
		fds[number] = *ret_secret;
		return 0;
	}
	secret_explain(rc, key, why, why_size);
	if (child->role != ROLE_CLOUD)
		return rc;
	/* It has work that needs no credentials, and says itself that it lacks them. */
	log_warning("%s: started without a file: %s", name(child), why);
	why[0] = '\0';
	return 0;
}

/* argv[1]: the slot of a one-shot; for a core what /healthz said last, so that
 * it may resume: 0 nothing known, else 1 + enum verdict_level. */
static unsigned argument(const struct child *child)
{
	const struct supervisor *sv = child->sv;
	const struct child *core = &sv->children[ROLE_CORE][sv->core];

	if (child->role != ROLE_CORE)
		return child->slot;
	/* Handed over by one that lives, it is what that one says; else what is noted. */
	if (core != child && core->beaten && core->ladder.state == CHILD_RUNNING && sv->readyz >= 0)
		return (unsigned)(1 + sv->healthz);
	return (unsigned)(1 + note_healthz(&sv->note, clock_ms()));
}

static int execute(struct child *child, const int fds[WORKER_FD_ENDS])
{
	struct supervisor *sv = child->sv;
	struct spawn request = {
		.role = child->role,
		.info = child->info,
		.user = &sv->users.of[child->role],
		.libexec = sv->options.libexec,
		.exe_fd = sv->exe_fds[child->role],
		.arg = argument(child),
		.nofile = role_nofile(child->role, &sv->conf),
	};

	memcpy(request.fds, fds, sizeof request.fds);
	return spawn(&request, &child->pid, &child->pidfd, &child->failure_fd);
}

static void watch(struct child *child)
{
	struct event_base *base = child->sv->base;

	child->fd_event = event_new(base, child->fd, EV_READ | EV_PERSIST, on_message, child);
	if (child->fd_event)
		event_add(child->fd_event, NULL);
	/* Without a pidfd the loop's SIGCHLD looks after it. */
	if (child->pidfd >= 0)
		child->pid_event = event_new(base, child->pidfd, EV_READ, on_end, child);
	if (child->pid_event)
		event_add(child->pid_event, NULL);
}

static void start(struct child *child, int64_t now)
{
	struct supervisor *sv = child->sv;
	int fds[WORKER_FD_ENDS], pair[2] = { -1, -1 }, secret = -1, rc;
	char why[LIMIT_FACT_WHY] = "";

	for (int i = 0; i < WORKER_FD_ENDS; i++)
		fds[i] = -1;
	rc = own_fds(child, fds, &secret, why, sizeof why);
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		rc = -errno;
	if (rc == 0) {
		fds[WORKER_FD_WNAD] = pair[1];
		fds[WORKER_FD_CONF] = sv->conf_fd;
		fds[WORKER_FD_LOG] = sv->sink.pipe_write;
		rc = execute(child, fds);
	}
	if (pair[1] >= 0)
		close(pair[1]);
	if (secret >= 0)
		close(secret);
	if (rc < 0) {
		if (pair[0] >= 0)
			close(pair[0]);
		if (!why[0])
			snprintf(why, sizeof why, "cannot start: %s", strerror(-rc));
		if (strcmp(why, child->obituary) == 0)
			log_debug("%s: still %s", name(child), why);
		else
			log_error("%s: not started: %s", name(child), why);
		str_copy(child->obituary, sizeof child->obituary, why);
		ladder_not_started(&child->ladder, now, clock_random());
		return;
	}
	child->fd = pair[0];
	child->beaten = false;
	child->early_count = 0;
	child->cause[0] = '\0';
	if (child->role == ROLE_RDS)
		sv->hooked = 0; /* it counts anew */
	ladder_started(&child->ladder, now);
	watch(child);
	relay_tells(sv, child);
	log_debug("%s: started as %d", name(child), child->pid);
}

/* Why the ladder begins when nobody asked for it. */
static void blame(struct child *child, int64_t now)
{
	const struct ladder *ladder = &child->ladder;
	char span[32];

	if (child->cause[0])
		return;
	if (child->fd < 0) {
		str_copy(child->cause, sizeof child->cause, "closed its socket");
	} else if (ladder->resident) {
		clock_span(now - ladder->alive_ms, span, sizeof span);
		snprintf(child->cause, sizeof child->cause, "silent for %s", span);
	} else {
		clock_span(now - ladder->started_ms, span, sizeof span);
		snprintf(child->cause, sizeof child->cause, "timed out after %s", span);
	}
}

static void end(struct child *child, int number, int64_t now)
{
	bool planned = child->ladder.leaving, first = !child->cause[0];

	blame(child, now);
	if (number == SIGTERM && planned)
		log_debug("%s: %s, asking group %d to leave", name(child), child->cause,
		          child->pid);
	else if (number == SIGTERM)
		log_warning("%s: %s, asking group %d to leave", name(child), child->cause,
		            child->pid);
	else if (first)
		log_warning("%s: %s, killing group %d", name(child), child->cause, child->pid);
	else
		log_warning("%s: %s, did not leave when asked, killing group %d", name(child),
		            child->cause, child->pid);
	group_signal(child->pid, number);
}

static void gone(struct child *child, int64_t now)
{
	bool was_stuck = child->ladder.state == CHILD_STUCK;

	if (child->sv->stopping)
		ladder_want(&child->ladder, false, now); /* no successor in our last seconds */
	ladder_gone(&child->ladder, child->end, now, clock_random());
	if (was_stuck)
		log_info("%s: the kernel gave group %d back", name(child), child->pid);
	child->pid = 0;
}

void child_turn(struct child *child, int64_t now)
{
	enum ladder_act act;

	while ((act = ladder_tick(&child->ladder, now)) != LADDER_WAIT) {
		switch (act) {
		case LADDER_START: start(child, now); break;
		case LADDER_TERM: end(child, SIGTERM, now); break;
		case LADDER_KILL:
			end(child, SIGKILL, now);
			child_reap(child, now); /* a leader that died before its group */
			break;
		case LADDER_LOOK:
			if (!child->ladder.headless)
				child_reap(child, now);
			else if (!group_alive(child->pid))
				gone(child, now);
			break;
		case LADDER_GAVE_UP:
			log_error("%s: group %d survived SIGKILL, it is stuck in the kernel",
			          name(child), child->pid);
			break;
		case LADDER_WAIT:
		case LADDER_ACT_MAX: break;
		}
	}
}

void child_restart(struct child *child, const char *cause, int64_t now)
{
	if (child->ladder.state == CHILD_RUNNING)
		str_copy(child->cause, sizeof child->cause, cause);
	ladder_restart(&child->ladder, now);
}

void child_leave(struct child *child, const char *cause, int64_t grace_ms, int64_t now)
{
	if (child->ladder.state == CHILD_RUNNING)
		str_copy(child->cause, sizeof child->cause, cause);
	if (grace_ms > 0)
		child_close(child);
	ladder_leave(&child->ladder, grace_ms, now);
}

/* "9 (SIGKILL)"; real-time signals have no short name. */
static void put_signal(struct sb *sb, int number)
{
	const char *short_name = sigabbrev_np(number);

	sb_printf(sb, "%d", number);
	if (short_name)
		sb_printf(sb, " (SIG%s)", short_name);
}

/* What the end means: for the log, for FACT_CHILD, for the back-off. */
static void obituary(struct child *child, const siginfo_t *info, int64_t now)
{
	bool planned = child->ladder.leaving || child->sv->stopping;
	/* Who has nothing to tidy up has no handler for wnad's SIGTERM. */
	bool obeyed = planned && info->si_code != CLD_EXITED && info->si_status == SIGTERM;
	bool success = info->si_code == CLD_EXITED && info->si_status == 0;
	int how = info->si_code == CLD_EXITED ? info->si_status : 256 + info->si_status;
	struct spawn_failure failure;
	char span[32], text[LIMIT_FACT_WHY];
	struct sb sb;

	clock_span(now - child->ladder.started_ms, span, sizeof span);
	sb_init(&sb, text, sizeof text);
	if (child->cause[0])
		sb_printf(&sb, "%s; ", child->cause);
	child->end = LADDER_END_ORDINARY;
	if (spawn_failure(child->failure_fd, &failure)) {
		sb_printf(&sb, "cannot %s: %s", spawn_step_name(failure.step),
		          strerror(failure.error));
		how = EXEC_FAILED;
	} else if (how == WORKER_EXIT_REOPEN) {
		sb_printf(&sb, "asked for its files anew after %s", span);
		child->end = LADDER_END_REOPEN;
	} else if (info->si_code == CLD_EXITED) {
		sb_printf(&sb, "exited with code %d after %s", info->si_status, span);
	} else if (obeyed) {
		sb_printf(&sb, "ended as asked after %s", span);
	} else {
		sb_put(&sb, "killed by signal ");
		put_signal(&sb, info->si_status);
		sb_printf(&sb, " after %s", span);
	}
	if (success && (!child->info->resident || planned))
		log_debug("%s: %d %s", name(child), child->pid, text);
	else if (planned || child->end == LADDER_END_REOPEN)
		log_info("%s: %d %s", name(child), child->pid, text);
	else if (how == child->last_end && !child->info->resident)
		log_debug("%s: %d %s, again", name(child), child->pid, text);
	else
		log_warning("%s: %d %s", name(child), child->pid, text);
	child->last_end = how;
	str_copy(child->obituary, sizeof child->obituary,
	         success && !child->info->resident ? "" : text);
}

void child_reap(struct child *child, int64_t now)
{
	siginfo_t info = { 0 };

	if (child->pid == 0 || child->ladder.headless ||
	    waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return;
	/* In this order: a zombie is alive to kill(2), and to look closer means to read
	 * all of /proc. */
	if (ladder_lingers(&child->ladder, now) && group_alive(child->pid)) {
		log_debug("%s: %d is gone, the rest of its group may tidy up", name(child),
		          child->pid);
		return;
	}
	/* While it is a zombie its number cannot become somebody else's group. */
	group_signal(child->pid, SIGKILL);
	waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG);
	relay_receive(child, now); /* its last facts */
	child_close(child);
	if (child->pid_event)
		event_free(child->pid_event);
	child->pid_event = NULL;
	if (child->pidfd >= 0)
		close(child->pidfd);
	child->pidfd = -1;
	obituary(child, &info, now);
	close(child->failure_fd);
	child->failure_fd = -1;
	ladder_headless(&child->ladder, now);
	if (group_alive(child->pid))
		log_info("%s: killed what its end left of group %d", name(child), child->pid);
	else
		gone(child, now);
}
