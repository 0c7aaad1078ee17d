/* wnad; never blocks. */
#include "children.h"

#include <event2/event.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "relay.h"

/* In the order in which a reload reaches them: the core last. */
static const enum role order[] = {
	ROLE_CHECK, ROLE_RDS, ROLE_CLOUD, ROLE_MOUNT, ROLE_PROBE, ROLE_HOOK, ROLE_CORE,
};

enum { ORDER_LEN = sizeof order / sizeof order[0] };

/* The first that exists after `child`, from NULL on; NULL at the end. */
static struct child *next_child(struct supervisor *sv, struct child *child)
{
	struct child *end = &sv->children[0][0] + (size_t)ROLE_MAX * ROLE_SLOTS_MAX;

	child = child ? child + 1 : &sv->children[0][0];
	while (child < end && !child_exists(child))
		child++;
	return child < end ? child : NULL;
}

void children_init(struct supervisor *sv)
{
	for (enum role role = 0; role < ROLE_MAX; role++) {
		const struct role_info *info = role_info(role);

		for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++) {
			struct child *child = &sv->children[role][slot];

			*child = (struct child){
				.sv = sv,
				.role = role,
				.slot = slot,
				.info = info,
				.pidfd = -1,
				.fd = -1,
				.failure_fd = -1,
				.last_end = -1,
			};
			ladder_init(&child->ladder, info && info->resident,
			            info && info->late_kills, info ? info->limit_ms : 0);
		}
	}
}

static struct child *core_in_charge(struct supervisor *sv)
{
	return &sv->children[ROLE_CORE][sv->core];
}

static struct child *other_core(struct supervisor *sv)
{
	return &sv->children[ROLE_CORE][!sv->core];
}

/*
 * A planned change of core: the successor starts beside the one in charge, takes
 * over with its first beat, and only then is the old one told to drain. Where
 * the second slot is still taken by the last handover, the core is restarted in
 * place, and connects wait in the backlog for a moment.
 */
static void hand_over(struct supervisor *sv, int64_t now)
{
	struct child *core = core_in_charge(sv), *successor = other_core(sv);

	if (successor->ladder.wanted)
		child_restart(successor, "configuration changed again", now);
	else if (core->ladder.state != CHILD_RUNNING || ladder_occupied(&successor->ladder))
		child_restart(core, "configuration changed", now);
	else
		ladder_want(&successor->ladder, true, now);
}

void children_core_beats(struct supervisor *sv, struct child *core, int64_t now)
{
	struct child *old;

	core->beaten = true;
	sv->inherited = true; /* until it says what it has heard itself */
	/* Before the old one leaves: it is connected to for as long as it listens. */
	listener_retire(&sv->retired_fd);
	if (core->slot != sv->core) {
		old = core_in_charge(sv);
		sv->core = core->slot;
		child_leave(old, "replaced", CHILDREN_DRAIN_MS, now);
	}
	log_info("core: %d is in charge", core->pid);
	/* It knows nothing yet. The workers' part it has asked for itself, and once is
	 * enough. */
	report_again(sv);
	relay_early(core, now);
}

/* A core that the kernel holds will not answer again; the listener is not its
 * alone, so another one can. */
static void replace_stuck_core(struct supervisor *sv, int64_t now)
{
	struct child *core = core_in_charge(sv), *other = other_core(sv);

	if (core->ladder.state != CHILD_STUCK || ladder_occupied(&other->ladder) || sv->stopping)
		return;
	ladder_leave(&core->ladder, 0, now);
	sv->core = other->slot;
	other->beaten = false; /* not in this life */
	ladder_want(&other->ladder, true, now);
}

/* In charge, and able to answer. */
static bool answers(const struct child *child)
{
	return child == core_in_charge(child->sv) && child->beaten &&
	       child->ladder.state == CHILD_RUNNING && !child->ladder.leaving;
}

/* Somebody who could be waited for and does not answer. */
static bool others_left(struct supervisor *sv)
{
	for (struct child *child = next_child(sv, NULL); child; child = next_child(sv, child)) {
		if (ladder_occupied(&child->ladder) && child->ladder.state != CHILD_STUCK &&
		    !answers(child))
			return true;
	}
	return false;
}

static void stop_core(struct supervisor *sv, int64_t now)
{
	struct child *core = core_in_charge(sv);

	if (answers(core) && (now >= sv->stop_core_ms || !others_left(sv)))
		child_leave(core, "stopping", CHILDREN_STOP_DRAIN_MS, now);
}

void children_turn(struct supervisor *sv, int64_t now)
{
	for (struct child *child = next_child(sv, NULL); child; child = next_child(sv, child))
		child_turn(child, now);
	replace_stuck_core(sv, now);
	if (sv->stopping)
		stop_core(sv, now);
}

void children_excuse(struct supervisor *sv, int64_t late_ms)
{
	for (struct child *child = next_child(sv, NULL); child; child = next_child(sv, child))
		ladder_excuse(&child->ladder, late_ms);
}

int64_t children_next(const struct supervisor *sv)
{
	int64_t next = LADDER_NEVER;

	if (sv->stopping && answers(&sv->children[ROLE_CORE][sv->core]))
		next = sv->stop_core_ms;
	for (enum role role = 0; role < ROLE_MAX; role++) {
		for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++) {
			int64_t due = ladder_next(&sv->children[role][slot].ladder);

			if (due < next)
				next = due;
		}
	}
	return next;
}

void children_order(struct supervisor *sv, enum role role, unsigned slot, int64_t now)
{
	struct child *child;

	if (slot >= ROLE_SLOTS_MAX || !child_exists(&sv->children[role][slot])) {
		log_debug("%s: ordered with a number that does not exist", role_name(role));
		return;
	}
	child = &sv->children[role][slot];
	if (!role_wanted(role, &sv->conf))
		log_debug("%s: ordered, but not configured", role_name(role));
	else if (!ladder_order(&child->ladder, role_limit_ms(role, &sv->conf), now))
		log_debug("%s: ordered, but the last one is still there (%s)", role_name(role),
		          child_state_name(child->ladder.state));
}

static void apply(struct child *child, unsigned changed, int64_t now)
{
	struct supervisor *sv = child->sv;
	bool wanted = role_wanted(child->role, &sv->conf);
	bool concerned = (changed & child->info->parts) != 0;

	if (!child->info->resident) {
		if ((!wanted || concerned) && !child->info->finishes)
			child_leave(child, "configuration changed", 0, now);
	} else if (!wanted) {
		child_leave(child, "not configured any more", 0, now);
	} else if (!child->ladder.wanted) {
		ladder_want(&child->ladder, true, now);
	} else if (concerned) {
		child_restart(child, "configuration changed", now);
	}
}

void children_apply(struct supervisor *sv, unsigned changed, int64_t now)
{
	for (size_t i = 0; i < ORDER_LEN; i++) {
		struct child *children = sv->children[order[i]];

		if (order[i] == ROLE_CORE) {
			if (!core_in_charge(sv)->ladder.wanted)
				ladder_want(&core_in_charge(sv)->ladder, true, now);
			else if (changed & children->info->parts)
				hand_over(sv, now);
			continue;
		}
		for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++) {
			if (child_exists(&children[slot]))
				apply(&children[slot], changed, now);
		}
	}
}

void children_stop(struct supervisor *sv, int64_t now)
{
	for (struct child *child = next_child(sv, NULL); child; child = next_child(sv, child)) {
		if (!answers(child))
			child_leave(child, "stopping",
			            child->role == ROLE_CORE ? CHILDREN_STOP_DRAIN_MS : 0, now);
	}
	sv->stop_by_ms = now + CHILDREN_STOP_MS;
	sv->stop_core_ms = now + CHILDREN_STOP_CORE_MS;
}

bool children_stopped(const struct supervisor *sv)
{
	for (enum role role = 0; role < ROLE_MAX; role++) {
		for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++) {
			const struct ladder *ladder = &sv->children[role][slot].ladder;

			if (ladder_occupied(ladder) && ladder->state != CHILD_STUCK)
				return false;
		}
	}
	return true;
}

void children_close(struct supervisor *sv)
{
	for (struct child *child = next_child(sv, NULL); child; child = next_child(sv, child)) {
		child_close(child);
		if (child->pid_event)
			event_free(child->pid_event);
		if (child->pidfd >= 0)
			close(child->pidfd);
		if (child->failure_fd >= 0)
			close(child->failure_fd);
	}
}

const struct child *children_of(const struct supervisor *sv, enum role role)
{
	static const int badness[CHILD_MAX] = {
		[CHILD_OFF] = 0,  [CHILD_RUNNING] = 1, [CHILD_BACKOFF] = 2,
		[CHILD_TERM] = 3, [CHILD_KILL] = 4,    [CHILD_STUCK] = 5,
	};
	const struct child *worst;

	if (role == ROLE_CORE)
		return &sv->children[ROLE_CORE][sv->core];
	worst = &sv->children[role][0];
	for (unsigned slot = 1; slot < ROLE_SLOTS_MAX; slot++) {
		const struct child *child = &sv->children[role][slot];

		if (badness[child->ladder.state] > badness[worst->ladder.state])
			worst = child;
	}
	return worst;
}
