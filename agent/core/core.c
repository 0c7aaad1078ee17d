/*
 * wna-core, and the simulator. Never blocks. Owns the agent's knowledge of
 * itself: facts, windows, verdict, history.
 */
#include "core.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "events.h"
#include "log.h"

enum {
	BEAT_MS = 1000,
	REPEAT_MS = 10 * 1000,   /* orders that carry state are told again: one may be lost */
	HOOK_GAP_MS = 10 * 1000, /* php-fpm's workers finish what they do meanwhile */
	ACCEPT_MS = 600,         /* how long a restarted core waits for its first facts */
};

static int order(struct core *core, enum order_verb verb, unsigned arg, unsigned key, int64_t value)
{
	struct order out = {
		.verb = (uint16_t)verb,
		.arg = (uint16_t)arg,
		.key = (uint16_t)key,
		.value = value,
	};
	int rc = core->ops.order(core->ops.ctx, &out);

	if (rc < 0)
		core->orders_lost++;
	return rc;
}

static void init_windows(struct core *core)
{
	const struct state *state = &core->state;

	for (int i = 0; i < state->conf->checks.count; i++) {
		const struct conf_check *check = &state->conf->checks.item[i];
		/* Nothing local was wrong before, or nothing at all: go on from there. */
		bool proven = state->resumed == LEVEL_OK ||
		              (state->resumed == LEVEL_DEGRADED && check->scope == SCOPE_LOCAL);

		window_init(&core->state.window[i], proven || check->initial == INITIAL_GOOD,
		            proven);
	}
}

static void since_set(struct core_since *since, enum verdict_level level, int64_t now_ms,
                      int64_t wall_ms)
{
	*since = (struct core_since){ .level = level, .at_ms = now_ms, .wall_ms = wall_ms };
}

void core_init(struct core *core, const struct conf *conf, unsigned resumed, uint32_t seed,
               const struct core_ops *ops, int64_t now_ms, int64_t wall_ms)
{
	memset(core, 0, sizeof *core);
	core->ops = *ops;
	core->state.conf = conf;
	core->state.start_ms = now_ms;
	core->state.resumed = resumed > 0 && resumed <= LEVEL_MAX ? resumed - 1 : LEVEL_OFF;
	core->started_wall_ms = wall_ms;
	core->beat_due_ms = core->repeat_due_ms = now_ms;
	core->first = resumed == 0;
	core->accepting = core->first;
	core->accept_ms = now_ms + ACCEPT_MS;
	facts_init(&core->state.facts);
	timeline_init(&core->timeline);
	policy_init(&core->state.policy, seed);
	init_windows(core);
	judge_verdict(&core->state, now_ms, &core->verdict);
	since_set(&core->health, core->verdict.health, now_ms, wall_ms);
	since_set(&core->ready, core->verdict.ready, now_ms, wall_ms);
	for (int i = 0; i < JOB_MAX; i++)
		since_set(&core->job[i], core->verdict.job[i].level, now_ms, wall_ms);
	for (int i = 0; i < conf->checks.count; i++)
		since_set(&core->check[i], core->verdict.check[i].level, now_ms, wall_ms);
	timeline_add(&core->timeline, wall_ms, resumed > 0 ? "core: restarted" : "core: started");
	order(core, ORDER_REFRESH, 0, 0, 0);
}

/* One line in the log and on the timeline when a level changes; none while it stays. */
static bool note_level(struct core *core, struct core_since *since, const char *kind,
                       const char *name, enum verdict_level level, const char *why, int64_t now_ms,
                       int64_t wall_ms)
{
	char text[TIMELINE_TEXT], span[32];

	if (since->level == level)
		return false;
	snprintf(text, sizeof text, "%s%.*s: %s -> %s after %s%s%.*s", kind, LIMIT_NAME, name,
	         verdict_level_name(since->level), verdict_level_name(level),
	         clock_span(now_ms - since->at_ms, span, sizeof span), why[0] ? ": " : "",
	         (int)sizeof text - LIMIT_NAME - 64, why);
	since_set(since, level, now_ms, wall_ms);
	timeline_add(&core->timeline, wall_ms, text);
	log_info("%s", text);
	return true;
}

static void note_verdict(struct core *core, int64_t now_ms, int64_t wall_ms)
{
	const struct verdict *verdict = &core->verdict;
	const struct conf_checks *checks = &core->state.conf->checks;
	bool changed = false;

	for (int i = 0; i < checks->count; i++)
		note_level(core, &core->check[i], "check ", checks->item[i].name,
		           verdict->check[i].level, verdict->check[i].why, now_ms, wall_ms);
	for (int i = 0; i < JOB_MAX; i++) {
		/* The checks have spoken for themselves. */
		if (i == JOB_CHECKS && core->job[i].level != verdict->job[i].level)
			since_set(&core->job[i], verdict->job[i].level, now_ms, wall_ms);
		note_level(core, &core->job[i], "", job_name(i), verdict->job[i].level,
		           verdict->job[i].why, now_ms, wall_ms);
	}
	changed |= note_level(core, &core->health, "", "healthz", verdict->health, verdict->why,
	                      now_ms, wall_ms);
	changed |= note_level(core, &core->ready, "", "readyz", verdict->ready, verdict->why,
	                      now_ms, wall_ms);
	if (judge_code(verdict->health) == 200 && !core->was_healthy) {
		core->was_healthy = true;
		changed = true;
	}
	if (core->inherited != verdict->inherited)
		core->repeat_due_ms = now_ms; /* whether it may be passed on */
	core->inherited = verdict->inherited;
	if (!changed)
		return;
	core->repeat_due_ms = now_ms;
	if (core->ops.changed)
		core->ops.changed(core->ops.ctx);
}

static void step_mount(struct core *core, int64_t now_ms)
{
	struct state *state = &core->state;
	unsigned orders = policy_step(&state->policy, state->conf, &state->facts, now_ms);

	/* Losing one of these needs no care here: the policy asks again when
	 * nothing comes of it. */
	if (orders & POLICY_MOUNT)
		order(core, ORDER_MOUNT, 0, 0, 0);
	if (orders & POLICY_PROBE)
		order(core, ORDER_PROBE, 0, 0, 0);
}

/* What comes too soon is not lost: one run more, for the last change. */
static void step_hook(struct core *core, int64_t now_ms)
{
	const struct facts *facts = &core->state.facts;
	bool heard = core->first || facts_get(facts, FACT_CHILD, ROLE_HOOK)->seen;

	/* A restarted core may find one running, which its predecessor ordered. */
	if (!core->hook_pending || !heard || policy_busy(facts, ROLE_HOOK) ||
	    now_ms < core->hook_due_ms)
		return;
	if (order(core, ORDER_HOOK, HOOK_RDS_CHANGE, 0, core->hook_seen) < 0)
		return;
	core->hook_pending = false;
	core->hook_due_ms = now_ms + HOOK_GAP_MS;
}

static void step_repeated(struct core *core, int64_t now_ms)
{
	if (now_ms >= core->beat_due_ms) {
		core->beat_due_ms = now_ms + BEAT_MS;
		order(core, ORDER_BEAT, 0, 0, 0);
	}
	if (now_ms < core->repeat_due_ms)
		return;
	core->repeat_due_ms = now_ms + REPEAT_MS;
	order(core, ORDER_VERDICT, core->verdict.health, core->verdict.ready,
	      !core->verdict.inherited);
	if (core->was_healthy)
		order(core, ORDER_TELL, ROLE_CLOUD, TELL_HEALTHY, 1);
}

void core_step(struct core *core, int64_t now_ms, int64_t wall_ms)
{
	if (now_ms >= core->accept_ms)
		core->accepting = true;
	step_mount(core, now_ms);
	step_hook(core, now_ms);
	judge_verdict(&core->state, now_ms, &core->verdict);
	note_verdict(core, now_ms, wall_ms);
	step_repeated(core, now_ms);
}

/*
 * wna-rds counts the changes since its own start; a count that fell is a
 * restarted wna-rds. Whether the first count that a restarted core hears had its
 * hook is for wnad to know, which gets it with the order.
 */
static void take_rds_change(struct core *core, int64_t value)
{
	bool rose = value > core->hook_seen || (value < core->hook_seen && value > 0);

	core->hook_seen = value;
	if (rose)
		core->hook_pending = true;
}

/* A result is counted once, however often a refresh makes wna-check say it. */
static void take_check(struct core *core, const struct msg *msg, const struct fact *before)
{
	const struct conf_check *check = &core->state.conf->checks.item[msg->slot];

	if (before->seen && msg->found_ms > 0 && msg->found_ms == before->found_ms)
		return;
	window_put(&core->state.window[msg->slot], msg->value >= 0, check->rise, check->fall);
}

int core_take(struct core *core, const struct envelope *envelope, int64_t now_ms, int64_t wall_ms)
{
	const struct msg *msg = &envelope->msg;
	struct state *state = &core->state;
	struct fact before = { .seen = false };
	const struct fact *after;
	int rc;

	if (fact_info(msg->id) && msg->slot < fact_info(msg->id)->slots)
		before = *facts_get(&state->facts, msg->id, msg->slot);
	rc = facts_take(&state->facts, state->conf, envelope, now_ms, wall_ms);
	if (rc < 0) {
		log_debug("%s: fact %u of wna-%s refused", role_name(envelope->role), msg->id,
		          role_name(envelope->role));
		return rc;
	}
	after = facts_get(&state->facts, msg->id, msg->slot);
	if (events_note(&core->timeline, msg->id, msg->slot, &before, after, wall_ms))
		log_info("%s",
		         timeline_get(&core->timeline, timeline_kept(&core->timeline) - 1)->what);
	/* What waits in the backlog is to get the answer of now: the word that counts most is
	 * whether the file system is there, and a check's may come before it. */
	if (state->conf->mount.enabled ? msg->id == FACT_MOUNT : envelope->role != ROLE_WNAD)
		core->accepting = true;
	if (msg->id == FACT_CHECK) {
		take_check(core, msg, &before);
	} else if (msg->id == FACT_RDS_CHANGE) {
		take_rds_change(core, msg->value);
	} else if (msg->id == FACT_CHILD && msg->slot == ROLE_CLOUD &&
	           msg->value == CHILD_RUNNING && before.value != CHILD_RUNNING) {
		core->repeat_due_ms = now_ms; /* a new wna-cloud has been told nothing yet */
	}
	core_step(core, now_ms, wall_ms);
	return 0;
}

int64_t core_next_ms(const struct core *core)
{
	const struct state *state = &core->state;
	int64_t policy_ms = policy_next_ms(&state->policy, state->conf, &state->facts);
	int64_t next_ms = core->beat_due_ms;

	if (core->repeat_due_ms < next_ms)
		next_ms = core->repeat_due_ms;
	if (core->verdict.until_ms < next_ms)
		next_ms = core->verdict.until_ms;
	if (policy_ms < next_ms)
		next_ms = policy_ms;
	if (!core->accepting && core->accept_ms < next_ms)
		next_ms = core->accept_ms;
	return next_ms;
}

int core_reload(struct core *core)
{
	return order(core, ORDER_RELOAD, 0, 0, 0);
}
