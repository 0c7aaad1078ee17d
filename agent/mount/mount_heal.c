/* wna-mount and the simulator; pure. Whether the mount answers, and its repair (mount_heal.h). */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mount_keeper.h"

enum {
	READ_MS = 900,   /* between two readings: a dead proxy is found within two seconds */
	QUICK_MS = 200,  /* the same, during a repair */
	DEAF_MS = 1000,  /* without LISTEN in two readings, the proxy is dead */
	SILENT_MS = 250, /* between two questions to a target that accepts no connection */
	OPEN_MS = 5000,  /* and to one that does */
	JITTER_PERCENT = 10,
};

void heal_enter(struct keeper *keeper, enum service_state state, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	if (heal->state == state)
		return;
	heal->state = state;
	heal->since_ms = now_ms;
	/* The cause of a hang needs a full reading, at once. */
	heal->full = state >= SERVICE_HUNG;
	if (state == SERVICE_HUNG) {
		heal->asked = false;
		heal->read_ms = heal->ask_ms = now_ms;
	}
	keeper->say = true;
}

void heal_blame(struct keeper *keeper, enum service_cause cause)
{
	keeper->say = keeper->say || keeper->heal.cause != cause;
	keeper->heal.cause = cause;
}

static void recover(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;
	char span[32], text[48];

	if (heal->step != HEAL_IDLE) {
		snprintf(text, sizeof text, "answers after %s",
		         clock_span(now_ms - heal->repair_ms, span, sizeof span));
		heal_tell(keeper, text);
	}
	heal->step = HEAL_IDLE;
	heal->stall_tried = false;
	heal->clear_ms = now_ms;
	heal_blame(keeper, CAUSE_NONE);
	heal_enter(keeper, SERVICE_SERVING, now_ms);
}

void heal_answered(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	heal->still_ms = now_ms;
	/* An answer by way of the old proxy, which is gone. */
	if (heal->deaf_ms > 0 || heal->step == HEAL_SPAWNING || heal->step == HEAL_STARTING)
		return;
	heal->tries = 0;
	heal->silent_ms = 0;
	heal->forced = false;
	recover(keeper, now_ms);
}

/* The probe waits for the mount itself, long enough to be a sign of trouble. */
static bool is_pending(const struct keeper *keeper, int64_t now_ms)
{
	int64_t limit_ms = now_ms - HEAL_PENDING_MS;

	return keeper->asked && keeper->asked_serial == keeper->serial &&
	       keeper->asked_ms <= limit_ms && keeper->heal.clear_ms <= limit_ms;
}

/* No reply to a request has come for too long. Without mountstats, the probe alone says it. Without
 * a request, the probe waits for something else: another file system, or the processor. */
static bool is_still(const struct keeper *keeper, int64_t now_ms)
{
	const struct heal *heal = &keeper->heal;

	return !heal->reading.nfs ||
	       (!heal->reading.idle && now_ms >= heal->still_ms + HEAL_STILL_MS);
}

static bool is_dead(const struct keeper *keeper, int64_t now_ms)
{
	const struct heal *heal = &keeper->heal;

	return heal->deaf_ms > 0 && !heal->reading.unseen && now_ms >= heal->deaf_ms + DEAF_MS;
}

static enum service_cause find_cause(const struct keeper *keeper, int64_t now_ms)
{
	const struct heal *heal = &keeper->heal;

	if (is_dead(keeper, now_ms))
		return CAUSE_DEAD_PROXY;
	if (!heal->asked)
		return CAUSE_UNKNOWN;
	if (!heal->reached)
		return CAUSE_TARGET_DOWN;
	switch (heal->reading.flow) {
	case FLOW_STUCK: return CAUSE_STUCK;
	case FLOW_HELD: return CAUSE_FROZEN_PROXY;
	case FLOW_ACKED: return CAUSE_STALLED;
	default: return CAUSE_UNKNOWN;
	}
}

static void decide(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;
	bool hung =
	        is_dead(keeper, now_ms) || (is_pending(keeper, now_ms) && is_still(keeper, now_ms));

	if (heal->step != HEAL_IDLE)
		return;
	if (hung || heal->state == SERVICE_HUNG) {
		heal_enter(keeper, SERVICE_HUNG, now_ms);
		heal_blame(keeper, find_cause(keeper, now_ms));
	} else if (is_pending(keeper, now_ms)) {
		/* Between the two it is not clear yet. */
		if (now_ms < heal->still_ms + HEAL_PENDING_MS)
			heal_enter(keeper, SERVICE_SLOW, now_ms);
	} else if (heal->state != SERVICE_SLOW || !keeper->asked) {
		bool probed = keeper->sign != MOUNT_NOT_PROBED && keeper->sign != MOUNT_CAME_BACK;

		heal_enter(keeper, probed ? SERVICE_SERVING : SERVICE_MOUNTING, now_ms);
	}
}

/* The reading that decides whether the proxy is dead keeps its time, whatever is read before it. */
static int64_t next_reading_ms(const struct heal *heal, int64_t now_ms)
{
	if (heal->step != HEAL_IDLE)
		return now_ms + QUICK_MS;
	if (heal->deaf_ms > 0 && now_ms < heal->deaf_ms + DEAF_MS)
		return heal->deaf_ms + DEAF_MS;
	return now_ms + READ_MS;
}

/* A process listens on the port. The killed process does not count. */
static bool has_proxy(const struct heal *heal)
{
	return heal->reading.listener != 0 && heal->reading.listener != heal->ended;
}

void keeper_read(struct keeper *keeper, const struct heal_reading *reading, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;
	bool first = heal->serial != keeper->serial || !heal->reading.nfs;
	bool moved = reading->nfs && (first || reading->recvs != heal->reading.recvs);
	uint64_t listener = reading->unseen ? heal->reading.listener : reading->listener;

	heal->serial = keeper->serial;
	heal->reading = *reading;
	heal->reading.listener = listener;
	if (moved)
		heal->still_ms = now_ms;
	if (keeper->look.port != 0 && !reading->unseen && listener == 0) {
		heal->deaf_ms = heal->deaf_ms > 0 ? heal->deaf_ms : now_ms;
	} else if (heal->deaf_ms > 0 && !reading->unseen) {
		/* A new proxy, of another program; without traffic only a probe can tell. */
		heal->deaf_ms = 0;
		keeper->probe_ms = now_ms;
	}
	heal->full = heal->state >= SERVICE_HUNG || heal->deaf_ms > 0;
	heal->read_ms = next_reading_ms(heal, now_ms);
	if ((heal->step == HEAL_SPAWNING || heal->step == HEAL_STARTING) && has_proxy(heal)) {
		heal->step = HEAL_ANSWERING;
		heal->step_ms = now_ms + HEAL_ANSWER_MS;
		keeper->probe_ms = now_ms;
	} else if (moved && heal->deaf_ms == 0 &&
	           (heal->step == HEAL_ANSWERING ||
	            (heal->step == HEAL_IDLE && heal->state == SERVICE_HUNG))) {
		recover(keeper, now_ms);
	}
	decide(keeper, now_ms);
}

static int64_t next_question_ms(struct keeper *keeper, int64_t delay_ms, int64_t now_ms)
{
	return now_ms + clock_jitter(delay_ms, JITTER_PERCENT, keeper_random(keeper));
}

void keeper_unreached(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	heal->asking = heal->asked = heal->other = false;
	heal->ask_ms = next_question_ms(keeper, SILENT_MS, now_ms);
	heal->read_ms = now_ms;
}

void keeper_reached(struct keeper *keeper, bool reached, bool other, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;

	/* After an outage the repairs that failed during it do not count. A target that only comes and
	 * goes has had none. */
	if (!reached && heal->silent_ms == 0)
		heal->silent_ms = now_ms;
	if (reached && heal->silent_ms > 0 && now_ms >= heal->silent_ms + HEAL_AWAY_MS)
		heal->tries = 0;
	if (reached)
		heal->silent_ms = 0;
	heal->asking = false;
	heal->asked = true;
	heal->reached = reached;
	heal->other = other;
	heal->ask_ms = next_question_ms(keeper, reached ? OPEN_MS : SILENT_MS, now_ms);
	/* The cause is found by a reading that is newer than the answer. */
	heal->read_ms = now_ms;
}

/* Whether the target accepts connections: of no use while the proxy is dead. */
static bool wants_to_ask(const struct keeper *keeper)
{
	const struct heal *heal = &keeper->heal;

	return heal->state == SERVICE_HUNG && heal->deaf_ms == 0 && !heal->asking &&
	       keeper->look.server.family != 0;
}

enum keeper_act heal_step(struct keeper *keeper, int64_t now_ms)
{
	struct heal *heal = &keeper->heal;
	enum keeper_act act;

	if (!keeper_ours(keeper) || (heal->serial != 0 && heal->serial != keeper->serial)) {
		/* Of another mount nothing is known. The limits of repairs go on. */
		if (heal->wanted || heal->step != HEAL_IDLE)
			heal_tell(keeper, "ended, since the mount has changed");
		heal->serial = 0;
		heal->wanted = false;
		heal->step = HEAL_IDLE;
		heal->deaf_ms = 0;
		heal_blame(keeper, CAUSE_NONE);
		heal_enter(keeper,
		           keeper_ours(keeper) || (keeper->attempt.state != KEEPER_OFF &&
		                                   !keeper->guarding)
		                   ? SERVICE_MOUNTING
		                   : SERVICE_ABSENT,
		           now_ms);
		if (!keeper_ours(keeper))
			return KEEPER_WAIT;
	}
	if (keeper->leaving)
		return KEEPER_WAIT;
	if (now_ms >= heal->read_ms)
		return KEEPER_READ;
	act = heal_repair(keeper, now_ms);
	if (act != KEEPER_WAIT)
		return act;
	if (wants_to_ask(keeper) && now_ms >= heal->ask_ms) {
		heal->asking = true;
		return KEEPER_REACH;
	}
	return KEEPER_WAIT;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t heal_next_ms(const struct keeper *keeper)
{
	const struct heal *heal = &keeper->heal;
	int64_t next_ms = heal->read_ms;

	if (!keeper_ours(keeper) || keeper->leaving)
		return INT64_MAX;
	if (heal->step != HEAL_IDLE)
		next_ms = sooner(next_ms, heal->step_ms);
	else if (wants_to_ask(keeper))
		next_ms = sooner(next_ms, heal->ask_ms);
	return next_ms;
}
