/* wnad; pure, never blocks. Owns nothing but the struct it is given. */
#include "ladder.h"

#include "clock.h"

static void set(struct ladder *ladder, enum child_state state, int64_t due_ms)
{
	ladder->state = state;
	ladder->due_ms = due_ms;
}

void ladder_init(struct ladder *ret, bool resident, bool late_kills, int64_t limit_ms)
{
	*ret = (struct ladder){
		.state = CHILD_OFF,
		.resident = resident,
		.late_kills = late_kills,
		.limit_ms = limit_ms,
		.due_ms = LADDER_NEVER,
		.look_ms = LADDER_NEVER,
	};
}

bool ladder_occupied(const struct ladder *ladder)
{
	return ladder->state != CHILD_OFF && ladder->state != CHILD_BACKOFF;
}

void ladder_want(struct ladder *ladder, bool wanted, int64_t now)
{
	if (wanted == ladder->wanted)
		return;
	ladder->wanted = wanted;
	if (!wanted) {
		ladder_leave(ladder, 0, now);
		return;
	}
	ladder->attempt = 0;
	if (ladder->state == CHILD_OFF)
		set(ladder, CHILD_BACKOFF, now);
	else if (ladder->leaving || ladder->state != CHILD_RUNNING)
		ladder->again = true; /* still on its way out from before */
}

bool ladder_order(struct ladder *ladder, int64_t limit_ms, int64_t now)
{
	if (ladder->state != CHILD_OFF)
		return false;
	ladder->limit_ms = limit_ms;
	set(ladder, CHILD_BACKOFF, now);
	return true;
}

void ladder_leave(struct ladder *ladder, int64_t grace_ms, int64_t now)
{
	ladder->wanted = false;
	ladder->again = false;
	if (ladder->state == CHILD_BACKOFF) {
		set(ladder, CHILD_OFF, LADDER_NEVER);
	} else if (ladder->state == CHILD_RUNNING) {
		/* A second request may only bring the end nearer. */
		if (!ladder->leaving || now + grace_ms < ladder->due_ms)
			ladder->due_ms = now + grace_ms;
		ladder->leaving = true;
	}
}

void ladder_restart(struct ladder *ladder, int64_t now)
{
	if (!ladder->wanted)
		return;
	if (ladder->state == CHILD_BACKOFF) {
		ladder->attempt = 0;
		ladder->due_ms = now;
		return;
	}
	ladder->again = true;
	if (ladder->state == CHILD_RUNNING) {
		ladder->leaving = true;
		ladder->due_ms = now;
	}
}

void ladder_started(struct ladder *ladder, int64_t now)
{
	ladder->starts++;
	ladder->leaving = false;
	ladder->again = false;
	ladder->headless = false;
	ladder->started_ms = now;
	ladder->alive_ms = now;
	set(ladder, CHILD_RUNNING, now + ladder->limit_ms);
}

/* Where a child goes that is not there any more. */
static void settle(struct ladder *ladder, enum ladder_end how, int64_t now, uint32_t random)
{
	int64_t delay = 0;

	if (!ladder->resident || !ladder->wanted) {
		set(ladder, CHILD_OFF, LADDER_NEVER);
		return;
	}
	if (!ladder->again) {
		if (how == LADDER_END_REOPEN)
			delay = clock_backoff(ladder->attempt, 2 * LADDER_REOPEN_MS,
			                      LADDER_BACKOFF_CAP_MS, random);
		else if (ladder->attempt > 0)
			delay = clock_backoff(ladder->attempt - 1, LADDER_BACKOFF_MS,
			                      LADDER_BACKOFF_CAP_MS, random);
		ladder->attempt++;
	}
	ladder->again = false;
	set(ladder, CHILD_BACKOFF, now + delay);
}

void ladder_not_started(struct ladder *ladder, int64_t now, uint32_t random)
{
	/* Without a process there is nothing that an immediate retry could change. */
	if (ladder->attempt == 0)
		ladder->attempt = 1;
	settle(ladder, LADDER_END_ORDINARY, now, random);
}

void ladder_alive(struct ladder *ladder, int64_t now)
{
	if (ladder->state != CHILD_RUNNING)
		return;
	ladder->alive_ms = now;
	if (ladder->resident && !ladder->leaving)
		ladder->due_ms = now + ladder->limit_ms;
}

void ladder_fail(struct ladder *ladder, int64_t at)
{
	if (ladder->state == CHILD_RUNNING && at < ladder->due_ms)
		ladder->due_ms = at;
}

void ladder_excuse(struct ladder *ladder, int64_t late_ms)
{
	if (ladder_occupied(ladder) && ladder->due_ms != LADDER_NEVER)
		ladder->due_ms += late_ms;
}

bool ladder_lingers(struct ladder *ladder, int64_t now)
{
	if (ladder->state != CHILD_TERM || ladder->headless)
		return false;
	ladder->look_ms = now + LADDER_LOOK_MS;
	return true;
}

void ladder_headless(struct ladder *ladder, int64_t now)
{
	if (!ladder_occupied(ladder) || ladder->headless)
		return;
	ladder->headless = true;
	ladder->look_ms = now + LADDER_LOOK_MS;
	if (ladder->state != CHILD_STUCK)
		set(ladder, CHILD_KILL, now + LADDER_KILL_MS);
}

void ladder_gone(struct ladder *ladder, enum ladder_end how, int64_t now, uint32_t random)
{
	if (!ladder_occupied(ladder))
		return;
	/* Measured to the last sign of life: hanging for a minute is no health. */
	if (ladder->alive_ms - ladder->started_ms >= LADDER_HEALTHY_MS)
		ladder->attempt = 0;
	ladder->look_ms = LADDER_NEVER;
	ladder->headless = false;
	ladder->leaving = false;
	settle(ladder, how, now, random);
}

static enum ladder_act kill_now(struct ladder *ladder, int64_t now)
{
	set(ladder, CHILD_KILL, now + LADDER_KILL_MS);
	return LADDER_KILL;
}

enum ladder_act ladder_tick(struct ladder *ladder, int64_t now)
{
	if (now >= ladder->due_ms) {
		switch (ladder->state) {
		case CHILD_BACKOFF: ladder->due_ms = LADDER_NEVER; return LADDER_START;
		case CHILD_RUNNING:
			if (ladder->late_kills && !ladder->leaving)
				return kill_now(ladder, now);
			set(ladder, CHILD_TERM, now + LADDER_TERM_MS);
			return LADDER_TERM;
		case CHILD_TERM: return kill_now(ladder, now);
		case CHILD_KILL: set(ladder, CHILD_STUCK, LADDER_NEVER); return LADDER_GAVE_UP;
		case CHILD_OFF:
		case CHILD_STUCK:
		case CHILD_MAX: break;
		}
	}
	if (now >= ladder->look_ms) {
		ladder->look_ms = now + (ladder->state == CHILD_STUCK ? LADDER_STUCK_LOOK_MS
		                                                      : LADDER_LOOK_MS);
		return LADDER_LOOK;
	}
	return LADDER_WAIT;
}

int64_t ladder_next(const struct ladder *ladder)
{
	return ladder->due_ms < ladder->look_ms ? ladder->due_ms : ladder->look_ms;
}
