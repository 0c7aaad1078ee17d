/*
 * wna-core, and the simulator. Never blocks. Owns the facts, the verdict and its
 * history.
 */
#include "core.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "core_events.h"
#include "core_journal.h"
#include "log.h"
#include "str.h"

static unsigned bit(enum role role)
{
	return 1u << role;
}

/* The roles whose job is on, and that can turn an answer once they have spoken. */
static unsigned jobs_on(const struct conf *conf)
{
	static const enum role roles[] = { ROLE_CLOUD, ROLE_MOUNT, ROLE_CHECK, ROLE_RDS };
	unsigned on = 0;

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		on |= snapshot_wants(conf, roles[i]) ? bit(roles[i]) : 0;
	return on;
}

static void since_set(struct core_since *since, enum verdict_level level, int64_t now_ms,
                      int64_t wall_ms)
{
	*since = (struct core_since){ .level = level, .at_ms = now_ms, .wall_ms = wall_ms };
}

void core_init(struct core *core, const struct snapshot *snapshot, const struct core_ops *ops,
               int64_t now_ms, int64_t wall_ms)
{
	const struct conf *conf = &snapshot->conf;

	memset(core, 0, sizeof *core);
	core->ops = *ops;
	core->state.conf = conf;
	core->state.conf_why = snapshot->why;
	core->state.loaded_ms = snapshot->loaded_ms;
	core->state.start_ms = now_ms;
	core->started_wall_ms = wall_ms;
	core->silent = snapshot->why[0] ? 0 : jobs_on(conf);
	facts_init(&core->state.facts);
	timeline_init(&core->timeline);
	judge_verdict(&core->state, now_ms, &core->verdict);
	since_set(&core->health, core->verdict.health, now_ms, wall_ms);
	since_set(&core->ready, core->verdict.ready, now_ms, wall_ms);
	for (int i = 0; i < JOB_MAX; i++)
		since_set(&core->job[i], core->verdict.job[i].level, now_ms, wall_ms);
	for (int i = 0; i < conf->checks.count; i++)
		since_set(&core->check[i], core->verdict.check[i].level, now_ms, wall_ms);
	timeline_add(&core->timeline, wall_ms, "core: started");
}

/* One line in the log and on the timeline when a level changes; none while it stays. */
static bool note_level(struct core *core, struct core_since *since, const char *kind,
                       const char *name, enum verdict_level level, const char *why, int64_t now_ms,
                       int64_t wall_ms)
{
	char text[TIMELINE_TEXT], what[LIMIT_NAME + 8], span[32];

	if (since->level == level)
		return false;
	snprintf(what, sizeof what, "%s%.*s", kind, LIMIT_NAME - 1, name);
	snprintf(text, sizeof text, "%s: %s -> %s after %s%s%.*s", what,
	         verdict_level_name(since->level), verdict_level_name(level),
	         clock_span(now_ms - since->at_ms, span, sizeof span), why[0] ? ": " : "",
	         (int)sizeof text - LIMIT_NAME - 64, why);
	journal_flip(what, since->level, level, why, text);
	since_set(since, level, now_ms, wall_ms);
	timeline_add(&core->timeline, wall_ms, text);
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
	if (changed && core->ops.changed)
		core->ops.changed(core->ops.ctx);
}

/* When requests are answered, whatever has been said until then. */
static int64_t accept_ms(const struct core *core)
{
	if (core->silent == 0)
		return core->state.start_ms;
	return core->state.start_ms + (core->silent & (bit(ROLE_MOUNT) | bit(ROLE_CHECK))
	                                       ? CORE_ACCEPT_LOCAL_MS
	                                       : CORE_ACCEPT_MS);
}

static void accept_if_due(struct core *core, int64_t now_ms)
{
	if (core->accepting || now_ms < accept_ms(core))
		return;
	core->accepting = true;
	if (core->ops.changed)
		core->ops.changed(core->ops.ctx);
}

void core_step(struct core *core, int64_t now_ms, int64_t wall_ms)
{
	judge_verdict(&core->state, now_ms, &core->verdict);
	note_verdict(core, now_ms, wall_ms);
	accept_if_due(core, now_ms);
}

int core_take(struct core *core, enum role role, const struct msg *msg, int64_t now_ms,
              int64_t wall_ms, unsigned *ret_slot)
{
	struct state *state = &core->state;
	struct fact before = { .seen = false };
	const struct fact_info *info = fact_info(msg->id);
	int rc;

	if (info && info->slots == 1)
		before = *facts_get(&state->facts, (enum fact_id)msg->id, 0);
	rc = facts_take(&state->facts, state->conf, role, msg, now_ms, wall_ms, ret_slot);
	if (rc < 0) {
		log_debug("%s: fact %u refused", role_of(role)->exe, msg->id);
		return rc;
	}
	events_note(&core->timeline, (enum fact_id)msg->id, &before,
	            facts_get(&state->facts, (enum fact_id)msg->id, *ret_slot), wall_ms);
	core_step(core, now_ms, wall_ms);
	return 0;
}

void core_spoken(struct core *core, enum role role, int64_t now_ms, int64_t wall_ms)
{
	core->silent &= ~bit(role);
	core_step(core, now_ms, wall_ms);
}

void core_link(struct core *core, enum role role, bool up, bool other_conf, int pid,
               int64_t wall_ms)
{
	core->state.link[role] = (struct link){
		.up = up, .other_conf = other_conf, .pid = pid, .since_wall_ms = wall_ms
	};
}

int64_t core_next_ms(const struct core *core)
{
	int64_t at_ms = accept_ms(core);

	if (!core->accepting && at_ms < core->verdict.until_ms)
		return at_ms;
	return core->verdict.until_ms;
}

void core_verdict(const struct core *core, struct msg *ret)
{
	*ret = (struct msg){ .type = HUB_VERDICT, .value = core->verdict.health };
	ret->more[0] = core->verdict.ready;
	ret->more[1] = core->was_healthy;
}

bool core_fact(const struct core *core, enum fact_id id, unsigned slot, struct msg *ret)
{
	const struct fact *fact = facts_get(&core->state.facts, id, slot);

	if (!fact->seen)
		return false;
	*ret = (struct msg){ .type = HUB_FACT, .id = (uint16_t)id, .value = fact->value };
	ret->found_ms = fact->at_ms;
	ret->since_ms = fact->since_ms;
	memcpy(ret->more, fact->more, sizeof ret->more);
	str_copy(ret->text, sizeof ret->text, fact->text);
	str_copy(ret->why, sizeof ret->why, fact->why);
	return true;
}
