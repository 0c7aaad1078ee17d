/* wna-mount and the simulator; pure. The repair of a hung mount (mount_heal.h). */
#include <stdio.h>

#include "mount_keeper.h"
#include "str.h"

enum {
	STALL_MS = 60000, /* a server that only acknowledges is waited for */
	EXIT_MS = 300,    /* in which a killed process ends */
};

void heal_tell(struct keeper *keeper, const char *outcome)
{
	struct heal *heal = &keeper->heal;

	/* The number tells two repairs with the same outcome apart. */
	snprintf(heal->told, sizeof heal->told, "repair %u, new proxy on port %u, %s: %s",
	         heal->repairs, keeper->look.port, service_cause_name(heal->cause), outcome);
	keeper->say = true;
}

void keeper_failed(struct keeper *keeper, const char *why, int64_t now_ms)
{
	keeper->heal.step = HEAL_IDLE;
	heal_tell(keeper, why);
	heal_enter(keeper, SERVICE_HUNG, now_ms);
}

void keeper_given_up(struct keeper *keeper, const char *outcome)
{
	struct heal *heal = &keeper->heal;

	snprintf(heal->told, sizeof heal->told, "repair %u, a new mount, %s: %s", heal->repairs,
	         service_cause_name(heal->cause), outcome);
	keeper->say = true;
}

void keeper_tell(struct keeper *keeper, const char *text)
{
	str_copy(keeper->heal.told, sizeof keeper->heal.told, text);
	keeper->say = true;
}

const char *keeper_repair(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	if (!keeper_ours(keeper) || keeper->look.state != MOUNT_RIGHT)
		return "the configured file system is not mounted";
	if (keeper->look.port == 0)
		return "the mount has no proxy on this machine";
	if (heal->step != HEAL_IDLE || heal->wanted)
		return "a repair is under way";
	if (heal->cause == CAUSE_TARGET_DOWN && !heal->other)
		return "the mount target is silent, and no other one is known";
	heal->wanted = heal->full = true;
	heal->read_ms = now_ms;
	return NULL;
}

/* New proxies have not helped: the mount itself is given up. It helps against what this machine has. */
static bool is_forced(const struct keeper *keeper)
{
	const struct heal *heal = &keeper->heal;

	return keeper->conf->repair == REPAIR_FORCE && !heal->forced &&
	       (heal->cause == CAUSE_DEAD_PROXY || heal->cause == CAUSE_STUCK ||
	        heal->cause == CAUSE_FROZEN_PROXY);
}

int64_t heal_due_ms(const struct keeper *keeper)
{
	const struct heal *heal = &keeper->heal;
	int64_t due_ms = heal->since_ms;

	if (heal->wanted)
		return due_ms;
	if (keeper->conf->repair == REPAIR_OFF || heal->state != SERVICE_HUNG ||
	    keeper->look.state != MOUNT_RIGHT || keeper->look.port == 0 || !heal->reading.nfs)
		return INT64_MAX;
	if (heal->tries >= SERVICE_TRIES_MAX)
		return is_forced(keeper) ? heal->still_ms + HEAL_FORCE_MS : INT64_MAX;
	switch (heal->cause) {
	case CAUSE_DEAD_PROXY:
	case CAUSE_STUCK:
	case CAUSE_FROZEN_PROXY: break;
	case CAUSE_TARGET_DOWN:
		if (!heal->other)
			return INT64_MAX;
		due_ms = heal->still_ms + HEAL_AWAY_MS;
		break;
	case CAUSE_STALLED:
		if (heal->stall_tried)
			return INT64_MAX;
		due_ms += STALL_MS;
		break;
	default: return INT64_MAX;
	}
	if (heal->repairs > 0 && due_ms < heal->repair_ms + HEAL_GAP_MS)
		due_ms = heal->repair_ms + HEAL_GAP_MS;
	return due_ms;
}

/* The next look finds no mount, and a new attempt begins. */
static enum keeper_act give_up(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	heal->forced = true;
	heal->repair_ms = now_ms;
	heal->repairs++;
	return KEEPER_GIVE_UP;
}

static enum keeper_act begin(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;
	bool kills = heal->cause != CAUSE_DEAD_PROXY &&
	             (heal->reading.listener != 0 || heal->reading.unseen);

	if (heal->cause == CAUSE_NONE)
		heal_blame(keeper, CAUSE_ASKED);
	heal->asked_for = heal->wanted;
	if (!heal->wanted && heal->tries >= SERVICE_TRIES_MAX)
		return give_up(keeper, now_ms);
	heal->wanted = false;
	/* What an operator asks for does not use up the repairs that the keeper may make itself. */
	heal->tries += !heal->asked_for;
	heal->repair_ms = heal->read_ms = now_ms;
	heal->repairs++;
	heal->stall_tried = heal->stall_tried || (heal->cause == CAUSE_STALLED && !heal->asked_for);
	heal->ended = kills ? heal->reading.listener : 0;
	heal->step = HEAL_SPAWNING;
	heal->step_ms = now_ms + (heal->reading.watchdog ? HEAL_SPAWN_MS : kills ? EXIT_MS : 0);
	heal_enter(keeper, SERVICE_REPAIRING, now_ms);
	if (heal->cause == CAUSE_TARGET_DOWN)
		return KEEPER_PROXY_AWAY;
	return kills ? KEEPER_PROXY_KILL : KEEPER_READ;
}

enum keeper_act heal_repair(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	if (heal->step == HEAL_IDLE)
		return now_ms >= heal_due_ms(keeper) ? begin(keeper, now_ms) : KEEPER_WAIT;
	if (now_ms < heal->step_ms)
		return KEEPER_WAIT;
	switch (heal->step) {
	case HEAL_SPAWNING:
		heal->step = HEAL_STARTING;
		heal->step_ms = now_ms + HEAL_SPAWN_MS;
		return KEEPER_PROXY_START;
	case HEAL_STARTING: keeper_failed(keeper, "it does not listen", now_ms); break;
	default: keeper_failed(keeper, "no reply through it", now_ms); break;
	}
	return KEEPER_WAIT;
}
