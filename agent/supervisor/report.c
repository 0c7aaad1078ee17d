/* wnad; never blocks. Owns nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "fact.h"
#include "listener.h"
#include "log.h"
#include "note.h"
#include "relay.h"
#include "status.h"
#include "str.h"
#include "supervisor.h"
#include "verdict.h"

enum { FACTS_EVERY_MS = 5000 };

static unsigned starts_of(const struct supervisor *sv, enum role role)
{
	unsigned starts = 0;

	for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++)
		starts += sv->children[role][slot].ladder.starts;
	return starts;
}

static unsigned restarts_of(const struct supervisor *sv, enum role role)
{
	unsigned starts = starts_of(sv, role);

	return starts > 0 ? starts - 1 : 0;
}

static void child_fact(const struct supervisor *sv, enum role role, struct msg *ret)
{
	const struct child *child = children_of(sv, role);
	struct msg msg = { .type = MSG_FACT, .id = FACT_CHILD, .slot = (uint16_t)role };
	unsigned restarts = restarts_of(sv, role);
	const char *why;
	struct sb sb;

	msg.value = child->ladder.state;
	sb_init(&sb, msg.text, sizeof msg.text);
	if (child->pid)
		sb_printf(&sb, "pid %d, ", child->pid);
	if (child->info->resident)
		sb_printf(&sb, "%u restart%s", restarts, restarts == 1 ? "" : "s");
	else
		sb_printf(&sb, "%u run%s", starts_of(sv, role),
		          starts_of(sv, role) == 1 ? "" : "s");
	why = role == ROLE_HOOK && sv->hooks_why[0] ? sv->hooks_why : child->obituary;
	str_clean(msg.why, sizeof msg.why, why, strlen(why));
	*ret = msg;
}

static void conf_fact(struct supervisor *sv)
{
	struct msg msg = { .type = MSG_FACT, .id = FACT_CONF, .value = sv->conf_loads };

	str_clean(msg.text, sizeof msg.text, sv->options.conf_file, strlen(sv->options.conf_file));
	str_clean(msg.why, sizeof msg.why, sv->conf_why, strlen(sv->conf_why));
	relay_own(sv, &msg);
	msg = (struct msg){ .type = MSG_FACT, .id = FACT_TRIES, .value = sv->conf_tries };
	relay_own(sv, &msg);
}

static void own_fact(struct supervisor *sv)
{
	struct msg msg = {
		.type = MSG_FACT, .id = FACT_CHILD, .slot = ROLE_WNAD, .value = CHILD_RUNNING
	};
	struct sb sb;

	sb_init(&sb, msg.text, sizeof msg.text);
	sb_printf(&sb, "pid %d", getpid());
	if (sv->relay_dropped > 0)
		sb_printf(&sb, ", %lu message%s lost", sv->relay_dropped,
		          sv->relay_dropped == 1 ? "" : "s");
	relay_own(sv, &msg);
}

void report_note(struct supervisor *sv)
{
	const struct child *core = children_of(sv, ROLE_CORE);
	bool healthy = sv->healthz == LEVEL_OK || sv->healthz == LEVEL_DEGRADED;
	int rc;

	/* Before the first verdict of a core in charge, and while a good one rests on what a
	 * former core said, the note of before stands, and ages. Or an agent that dies again
	 * and again would be called healthy for ever. */
	if (sv->readyz < 0 || !core->beaten || (healthy && sv->inherited))
		return;
	/* A core that is gone does not stand by its word any more: that is as old as its
	 * last sign of life. */
	sv->note = (struct note){ .healthz = sv->healthz, .at_ms = core->ladder.alive_ms };
	rc = note_write(sv->lock_fd, &sv->note);
	if (rc < 0)
		log_debug("agent: note: %s", strerror(-rc));
}

/* On change at once; all of them every few seconds, since one may be lost. */
static void facts(struct supervisor *sv, int64_t now)
{
	bool all = now >= sv->facts_due_ms;
	struct msg msg;

	if (all) {
		conf_fact(sv);
		own_fact(sv);
		report_note(sv);
		sv->facts_due_ms = now + FACTS_EVERY_MS;
	}
	for (enum role role = 0; role < ROLE_MAX; role++) {
		if (!role_info(role))
			continue;
		child_fact(sv, role, &msg);
		if (!all && memcmp(&msg, &sv->facts_sent[role], sizeof msg) == 0)
			continue;
		sv->facts_sent[role] = msg;
		relay_own(sv, &msg);
	}
}

static void status(struct supervisor *sv)
{
	struct status status = {
		.healthz = sv->healthz,
		.readyz = sv->readyz,
		.stopping = sv->stopping,
		.conf_why = sv->conf_why,
	};
	char text[sizeof sv->status_sent], line[sizeof text + 8];

	for (enum role role = 0; role < ROLE_MAX; role++) {
		const struct child *child = children_of(sv, role);

		if (!child->info)
			continue;
		status.roles[role].wanted = role_wanted(role, &sv->conf);
		status.roles[role].resident = child->info->resident;
		status.roles[role].state = child->ladder.state;
		if (child->info->resident)
			status.restarts += restarts_of(sv, role);
		for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++)
			status.stuck += sv->children[role][slot].ladder.state == CHILD_STUCK;
	}
	status_text(&status, text, sizeof text);
	if (strcmp(text, sv->status_sent) == 0)
		return;
	snprintf(line, sizeof line, "STATUS=%s", text);
	/* Not taken now: the comparison above tries again at the next turn. */
	if (notify_send(&sv->notify, line, -1) == 0)
		str_copy(sv->status_sent, sizeof sv->status_sent, text);
}

/*
 * systemd is kept content while a core is in charge or on its way: its ladder
 * kills and restarts one that does not beat. Only a core that the kernel holds,
 * with no successor, is beyond us.
 */
static void watchdog(struct supervisor *sv, int64_t now)
{
	enum child_state state = children_of(sv, ROLE_CORE)->ladder.state;

	if (sv->notify.watchdog_ms == 0 || now < sv->watchdog_due_ms)
		return;
	sv->watchdog_due_ms = now + sv->notify.watchdog_ms;
	if (state != CHILD_STUCK && state != CHILD_OFF)
		notify_send(&sv->notify, "WATCHDOG=1", -1);
}

void report_init(struct supervisor *sv, int64_t now)
{
	sv->healthz = sv->readyz = -1;
	sv->facts_due_ms = sv->watchdog_due_ms = now;
}

/* False: to be said again. What can never be said is no reason for anything else. */
static bool told(struct supervisor *sv, const char *text, int fd)
{
	int rc = notify_send(&sv->notify, text, fd);

	if (rc == -EAGAIN || rc == -ENOBUFS || rc == -ENOMEM)
		return false;
	if (rc < 0)
		log_warning("agent: systemd does not take \"%.*s\": %s", (int)strcspn(text, "="),
		            text, strerror(-rc));
	return true;
}

/* What systemd's socket does not take now is said at the next turn: a listener that is
 * not stored would refuse connects at the next restart, and nobody would know why. */
static void stages(struct supervisor *sv)
{
	if (sv->store_stale && told(sv, "FDSTOREREMOVE=1\nFDNAME=" LISTENER_NAME, -1))
		sv->store_stale = false;
	if (!sv->store_stale && !sv->stored &&
	    told(sv, "FDSTORE=1\nFDNAME=" LISTENER_NAME, sv->listen_fd))
		sv->stored = true;
	if (!sv->ready && !sv->stopping && sv->stored && children_of(sv, ROLE_CORE)->beaten &&
	    notify_send(&sv->notify, "READY=1", -1) == 0) {
		sv->ready = true;
		log_info("agent: ready");
	}
	/* The same word says that a reload is over, whatever came of it. */
	if (sv->reload_unsaid && notify_send(&sv->notify, "READY=1", -1) == 0)
		sv->reload_unsaid = false;
}

void report_turn(struct supervisor *sv, int64_t now)
{
	stages(sv);
	facts(sv, now);
	status(sv);
	watchdog(sv, now);
}

int64_t report_next(const struct supervisor *sv)
{
	if (sv->notify.watchdog_ms > 0 && sv->watchdog_due_ms < sv->facts_due_ms)
		return sv->watchdog_due_ms;
	return sv->facts_due_ms;
}

void report_again(struct supervisor *sv)
{
	sv->facts_due_ms = 0;
}
