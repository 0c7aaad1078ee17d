/* wna-mount and the simulator; pure. What is due at an instant, and the report. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mount_keeper.h"
#include "str.h"

enum {
	INT_MS = 6000, /* mount.efs cleans up within 4 s */
	NFS_MS = 2000,
	KILL_MS = 2000,
	SAY_MS = 5000,    /* between two looks and reports without a change */
	LOOK_GAP_MS = 20, /* between two looks, also if mounts change all the time */
	SPOKEN_MS = 200,  /* the core waits this long for the first sign of life */
	JITTER_PERCENT = 10,
};

static enum keeper_act step_attempt(struct keeper *keeper, int64_t now_ms)
{
	struct keeper_child *attempt = &keeper->attempt;

	if (attempt->state != KEEPER_OFF && now_ms >= attempt->due_ms) {
		switch (attempt->state) {
		case KEEPER_RUNNING:
			keeper_set(attempt, KEEPER_ENDING_INT, now_ms + INT_MS);
			return KEEPER_INT;
		case KEEPER_ENDING_INT:
			keeper_set(attempt, KEEPER_ENDING_NFS, now_ms + NFS_MS);
			return KEEPER_KILL_NFS;
		case KEEPER_ENDING_NFS:
			keeper_set(attempt, KEEPER_ENDING_KILL, now_ms + KILL_MS);
			return KEEPER_KILL;
		case KEEPER_ENDING_KILL:
			keeper_set(attempt, KEEPER_STUCK, now_ms);
			keeper->say = true;
			break;
		case KEEPER_OFF:
		case KEEPER_STUCK: break;
		}
	}
	if (attempt->state != KEEPER_OFF || keeper->leaving)
		return KEEPER_WAIT;
	if (keeper_there(keeper)
	            ? keeper->look.state != MOUNT_RIGHT || keeper->guarded || keeper->guard_tried
	            : now_ms < keeper->retry_ms)
		return KEEPER_WAIT;
	/* The last look may be out of date: another mount may be there now. */
	if (keeper->look_now || keeper->looked_ms != now_ms)
		return KEEPER_LOOK;
	keeper->guarding = keeper->guard_tried = keeper_there(keeper);
	keeper_set(attempt, KEEPER_RUNNING, now_ms + keeper->conf->timeout_ms);
	keeper->say = true;
	return keeper->guarding ? KEEPER_GUARD : KEEPER_MOUNT;
}

/* The probe first answers about the name, for which it has additional time. A reading at the same
 * time makes the later ones meet the end of HEAL_PENDING_MS. */
static enum keeper_act ask(struct keeper *keeper, int64_t now_ms)
{
	keeper->asked = true;
	keeper->asked_serial = keeper->serial;
	if (!keeper->unanswered)
		keeper->asked_ms = keeper->look.names ? INT64_MAX : now_ms;
	keeper->unanswered = true;
	keeper->heal.read_ms = now_ms;
	keeper->late_ms = now_ms + keeper->conf->probe_timeout_ms +
	                  (keeper->look.names ? KEEPER_NAMES_MS : 0);
	keeper->probe.due_ms = keeper->late_ms;
	/* Of NFS the kernel sends it again: it returns when the server answers. */
	if (keeper->look.server.family != 0 && keeper->late_ms < now_ms + KEEPER_PATIENCE_MS)
		keeper->probe.due_ms = now_ms + KEEPER_PATIENCE_MS;
	keeper->probe_ms = now_ms + clock_jitter(keeper->conf->probe_interval_ms, JITTER_PERCENT,
	                                         keeper_random(keeper));
	return KEEPER_PROBE_ASK;
}

static bool is_wanted(const struct keeper *keeper)
{
	return !keeper->leaving && (keeper_ours(keeper) || keeper->look.names);
}

/*
 * Where a silent mount is a failure, the first report after a start waits for the first answer
 * of a mount that was there before: the core still has the last report of an earlier keeper,
 * which may be that the server is silent. A probe that dies again and again has no answer.
 */
static bool is_unsure(const struct keeper *keeper)
{
	return keeper->conf->hang == HANG_FAIL && !keeper->said && keeper_ours(keeper) &&
	       keeper->sign == MOUNT_NOT_PROBED && keeper->deaths < 2;
}

static enum keeper_act step_probe(struct keeper *keeper, int64_t now_ms)
{
	struct keeper_child *probe = &keeper->probe;
	bool wanted = is_wanted(keeper);

	switch (probe->state) {
	case KEEPER_OFF:
		if (!wanted || now_ms < keeper->start_ms)
			return KEEPER_WAIT;
		keeper_set(probe, KEEPER_RUNNING, INT64_MAX);
		return KEEPER_PROBE_START;
	case KEEPER_RUNNING:
		if (!keeper->asked && !keeper->leaving)
			return wanted && now_ms >= keeper->probe_ms ? ask(keeper, now_ms)
			                                            : KEEPER_WAIT;
		if (is_unsure(keeper) && now_ms >= keeper->late_ms) {
			keeper->sign = -ETIMEDOUT;
			str_copy(keeper->sign_why, sizeof keeper->sign_why,
			         "none since the start of wna-mount");
		}
		/* It may hang in a mount that is not there any more. */
		if (!keeper->leaving && now_ms < probe->due_ms &&
		    (!wanted || keeper->asked_serial == keeper->serial))
			return KEEPER_WAIT;
		keeper_set(probe, KEEPER_ENDING_KILL, now_ms + KILL_MS);
		keeper->killed++;
		return KEEPER_PROBE_KILL;
	case KEEPER_ENDING_KILL:
		if (now_ms >= probe->due_ms) {
			keeper_set(probe, KEEPER_STUCK, now_ms);
			keeper->say = true;
		}
		break;
	default: break;
	}
	return KEEPER_WAIT;
}

int64_t keeper_say_ms(const struct keeper *keeper)
{
	return keeper->conf->max_age_ms / 4 < SAY_MS ? keeper->conf->max_age_ms / 4 : SAY_MS;
}

static enum keeper_act step_report(struct keeper *keeper, int64_t now_ms)
{
	bool pending = keeper_pending(keeper, now_ms) || is_unsure(keeper);

	/* The first report is about what has been found. */
	if (keeper->say && (keeper->said || !pending)) {
		keeper->say = keeper->losing = keeper->anew;
		keeper->anew = false;
		keeper->said = true;
		keeper->said_ms = now_ms;
		return KEEPER_SAY;
	}
	if (keeper->said && !keeper->spoken &&
	    (!keeper_ours(keeper) || keeper->sign != MOUNT_NOT_PROBED ||
	     now_ms >= keeper->first_ms + SPOKEN_MS)) {
		keeper->spoken = true;
		return KEEPER_SPOKEN;
	}
	return KEEPER_WAIT;
}

enum keeper_act keeper_step(struct keeper *keeper, int64_t now_ms)
{
	enum keeper_act act;

	if (keeper->said && !keeper->say && now_ms >= keeper->said_ms + keeper_say_ms(keeper))
		keeper->say = keeper->look_now = true;
	if (keeper->look_now && (!keeper->looked || now_ms >= keeper->looked_ms + LOOK_GAP_MS))
		return KEEPER_LOOK;
	if (!keeper->looked)
		return KEEPER_WAIT;
	act = step_attempt(keeper, now_ms);
	if (act == KEEPER_WAIT)
		act = step_probe(keeper, now_ms);
	if (act == KEEPER_WAIT)
		act = heal_step(keeper, now_ms);
	return act == KEEPER_WAIT ? step_report(keeper, now_ms) : act;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t attempt_next_ms(const struct keeper *keeper)
{
	const struct keeper_child *attempt = &keeper->attempt;

	if (attempt->state == KEEPER_OFF)
		return keeper_there(keeper) || keeper->leaving ? INT64_MAX : keeper->retry_ms;
	return attempt->state == KEEPER_STUCK ? INT64_MAX : attempt->due_ms;
}

static int64_t probe_next_ms(const struct keeper *keeper)
{
	const struct keeper_child *probe = &keeper->probe;

	if (probe->state == KEEPER_OFF)
		return is_wanted(keeper) ? keeper->start_ms : INT64_MAX;
	if (probe->state == KEEPER_STUCK)
		return INT64_MAX;
	if (probe->state == KEEPER_RUNNING && !keeper->asked)
		return is_wanted(keeper) ? keeper->probe_ms : INT64_MAX;
	return probe->state == KEEPER_RUNNING && is_unsure(keeper) ? keeper->late_ms
	                                                           : probe->due_ms;
}

int64_t keeper_next_ms(const struct keeper *keeper)
{
	int64_t next_ms = sooner(attempt_next_ms(keeper), probe_next_ms(keeper));

	next_ms = sooner(next_ms, heal_next_ms(keeper));
	if (keeper->look_now)
		next_ms = sooner(next_ms, keeper->looked_ms + LOOK_GAP_MS);
	if (keeper->said)
		next_ms = sooner(next_ms, keeper->said_ms + keeper_say_ms(keeper));
	else if (!is_unsure(keeper) &&
	         (keeper->attempt.state != KEEPER_RUNNING || keeper->guarding))
		next_ms = sooner(next_ms, keeper->seen_ms + KEEPER_NAMES_GRACE_MS);
	if (keeper->said && !keeper->spoken)
		next_ms = sooner(next_ms, keeper->first_ms + SPOKEN_MS);
	return next_ms;
}
