/* wna-mount and the simulator; pure. Owns nothing but the struct it is given. */
#include "mount_keeper.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "str.h"

void keeper_init(struct keeper *ret, const struct conf_mount *conf, uint32_t seed, int64_t now_ms)
{
	*ret = (struct keeper){ .conf = conf,
		                .random = seed ? seed : 1,
		                .look_now = true,
		                .first_ms = now_ms,
		                .sign = MOUNT_NOT_PROBED };
}

/* xorshift32, which is good enough for jitter. */
uint32_t keeper_random(struct keeper *keeper)
{
	uint32_t x = keeper->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	keeper->random = x;
	return x;
}

static int64_t backoff(struct keeper *keeper, unsigned *tries)
{
	int64_t delay_ms = clock_backoff(*tries, keeper->conf->retry_min_ms,
	                                 keeper->conf->retry_max_ms, keeper_random(keeper));

	*tries += *tries < 32;
	return delay_ms;
}

bool keeper_there(const struct keeper *keeper)
{
	return keeper->look.state != MOUNT_ABSENT;
}

bool keeper_ours(const struct keeper *keeper)
{
	return keeper->look.state == MOUNT_RIGHT || keeper->look.state == MOUNT_UNVERIFIED;
}

bool keeper_knows(const struct keeper *keeper, int64_t id, const char *mark)
{
	return keeper->looked && keeper_there(keeper) && keeper->look.id == id &&
	       strcmp(keeper->look.mark, mark) == 0;
}

bool keeper_pending(const struct keeper *keeper, int64_t now_ms)
{
	return keeper->look.state == MOUNT_UNVERIFIED &&
	       ((keeper->attempt.state == KEEPER_RUNNING && !keeper->guarding) ||
	        (keeper->look.names && !keeper->named &&
	         now_ms < keeper->seen_ms + KEEPER_NAMES_GRACE_MS));
}

void keeper_set(struct keeper_child *child, enum keeper_state state, int64_t due_ms)
{
	child->state = state;
	child->due_ms = due_ms;
}

void keeper_event(struct keeper *keeper)
{
	keeper->look_now = true;
}

/* The mount that was there is gone. */
static void lose(struct keeper *keeper, bool was_ours, int64_t now_ms)
{
	if (was_ours) {
		keeper->lost = true;
		str_copy(keeper->why, sizeof keeper->why, "lost, and not mounted again yet");
	}
	/* At once after the first loss. */
	keeper->retry_ms = keeper->tries == 0 ? now_ms : now_ms + backoff(keeper, &keeper->tries);
	keeper->tries += keeper->tries == 0;
}

static void meet(struct keeper *keeper, int64_t now_ms)
{
	keeper->serial++;
	keeper->sign = keeper->lost ? MOUNT_CAME_BACK : MOUNT_NOT_PROBED;
	keeper->sign_ms = 0;
	keeper->sign_why[0] = '\0';
	keeper->probe_ms = keeper->seen_ms = now_ms;
	keeper->named = keeper->unanswered = false;
}

static bool looks_alike(const struct keeper_look *a, const struct keeper_look *b)
{
	return a->state == b->state && a->names == b->names && strcmp(a->text, b->text) == 0 &&
	       strcmp(a->why, b->why) == 0;
}

void keeper_looked(struct keeper *keeper, const struct keeper_look *look, int64_t now_ms)
{
	bool first = !keeper->looked, was_there = keeper_there(keeper),
	     was_ours = keeper_ours(keeper);
	bool same = look->state != MOUNT_ABSENT && keeper_knows(keeper, look->id, look->mark);

	keeper->look_now = false;
	keeper->looked_ms = now_ms;
	if (first || !looks_alike(&keeper->look, look) || (was_there && !same))
		keeper->say = true;
	keeper->look = *look;
	keeper->looked = true;
	if (was_there && !same)
		lose(keeper, was_ours, now_ms);
	if (keeper_there(keeper) && !same)
		meet(keeper, now_ms);
	keeper->anew = keeper->anew || (was_ours && keeper_ours(keeper) && !same);
	/* The helper's status does not count here: it may have mounted before it failed. */
	if (keeper->judging && !keeper_there(keeper)) {
		str_copy(keeper->why, sizeof keeper->why, keeper->outcome);
		keeper->retry_ms = now_ms + backoff(keeper, &keeper->tries);
	}
	keeper->judging = false;
}

void keeper_former(struct keeper *keeper, int group, int64_t from_ms, int64_t now_ms)
{
	int64_t until_ms = from_ms + keeper->conf->timeout_ms;

	keeper_set(&keeper->attempt, KEEPER_RUNNING, until_ms < now_ms ? now_ms : until_ms);
	snprintf(keeper->why, sizeof keeper->why,
	         "the helper of an earlier start has not ended (process group %d)", group);
}

void keeper_guarded(struct keeper *keeper)
{
	keeper->guarded = true;
}

void keeper_lingers(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->attempt.state == KEEPER_RUNNING)
		keeper->attempt.due_ms = now_ms;
}

static void explain(struct keeper *keeper, int status, const char *said)
{
	char span[32], *why = keeper->outcome;
	size_t size = sizeof keeper->outcome, len;

	why[0] = '\0';
	if (keeper->leaving)
		str_copy(why, size, "ended, since the agent stops");
	else if (keeper->attempt.state != KEEPER_RUNNING)
		snprintf(why, size, "ended, since its limit is %s",
		         clock_span(keeper->conf->timeout_ms, span, sizeof span));
	else if (status == 0)
		str_copy(why, size, "success reported, but nothing is mounted");
	else if (said[0] == '\0' && status > 128)
		snprintf(why, size, "the mount was killed by signal %d", status - 128);
	else if (said[0] == '\0')
		snprintf(why, size, "the mount failed without a message, status %d", status);
	if (said[0] == '\0')
		return;
	len = strlen(why);
	if (len > 0)
		len += (size_t)snprintf(why + len, size - len, ": ");
	str_excerpt(why + len, size - len, said, strlen(said));
}

void keeper_ended(struct keeper *keeper, int status, const char *said)
{
	/* The result of an earlier keeper's helper is not known. */
	if (status < 0) {
		keeper->why[0] = '\0';
	} else if (!keeper->guarding) {
		explain(keeper, status, said);
		keeper->judging = true;
	}
	keeper_set(&keeper->attempt, KEEPER_OFF, 0);
	keeper->guarding = false;
	keeper->look_now = keeper->say = true;
}

void keeper_signed(struct keeper *keeper, int64_t value, const char *why, int64_t now_ms)
{
	keeper->asked = false;
	keeper->deaths = 0;
	if (!keeper_ours(keeper) || keeper->asked_serial != keeper->serial)
		return;
	keeper->say = true;
	keeper->unanswered = false;
	keeper->sign = value;
	str_copy(keeper->sign_why, sizeof keeper->sign_why, value < 0 ? why : "");
	if (value < 0) {
		keeper->look_now = true;
		return;
	}
	keeper->sign_ms = now_ms;
	keeper->lost = false;
	keeper->tries = 0;
	heal_answered(keeper, now_ms);
}

void keeper_named(struct keeper *keeper, int64_t now_ms)
{
	keeper->named = keeper->look_now = true;
	if (keeper->asked_ms == INT64_MAX)
		keeper->asked_ms = now_ms;
}

void keeper_probe_gone(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->probe.state == KEEPER_RUNNING)
		keeper->start_ms = now_ms + backoff(keeper, &keeper->deaths);
	keeper_set(&keeper->probe, KEEPER_OFF, 0);
	keeper->asked = false;
	keeper->say = true;
}

void keeper_retry(struct keeper *keeper, int64_t now_ms)
{
	keeper->retry_ms = keeper->probe_ms = now_ms;
	keeper->look_now = true;
}

static bool is_over(const struct keeper_child *child)
{
	return child->state == KEEPER_OFF || child->state == KEEPER_STUCK;
}

bool keeper_left(const struct keeper *keeper)
{
	return keeper->leaving && is_over(&keeper->attempt) && is_over(&keeper->probe);
}

void keeper_leave(struct keeper *keeper, int64_t now_ms)
{
	keeper->leaving = true;
	if (keeper->attempt.state == KEEPER_RUNNING)
		keeper->attempt.due_ms = now_ms;
}
