/* wna-core, and the simulator. Never blocks. Owns nothing. */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"

int judge_code(enum verdict_level level)
{
	return level == LEVEL_OK || level == LEVEL_DEGRADED ? 200 : 503;
}

void judge_find(struct finding *ret, enum verdict_level level, enum reach reach, enum reason reason,
                const char *why, ...)
{
	va_list args;

	ret->level = level;
	ret->reason = reason;
	ret->turns_health = reach == REACH_HEALTH;
	ret->turns_ready = reach != REACH_NONE;
	ret->assumed = false;
	ret->why[0] = '\0';
	if (!why)
		return;
	va_start(args, why);
	vsnprintf(ret->why, sizeof ret->why, why, args);
	va_end(args);
}

void judge_well(struct finding *ret, enum verdict_level level)
{
	judge_find(ret, level, REACH_NONE, REASON_NONE, NULL);
}

bool judge_before(struct judge *judge, int64_t at_ms)
{
	if (judge->now_ms >= at_ms)
		return false;
	if (at_ms < judge->until_ms)
		judge->until_ms = at_ms;
	return true;
}

bool judge_fresh(struct judge *judge, enum fact_id id, unsigned slot)
{
	return facts_get(judge->facts, id, slot)->seen &&
	       judge_before(judge, facts_expiry_ms(judge->facts, judge->conf, id, slot));
}

bool judge_retry(const struct judge *judge, const struct fact *fact, char *ret, size_t size)
{
	int64_t at_ms = fact->more[RETRY_AT_MS];
	char span[32];

	ret[0] = '\0';
	/* A number that cannot be an instant is not believed. */
	if (at_ms <= 0 || at_ms > INT64_MAX / 2)
		return false;
	if (at_ms <= judge->now_ms)
		snprintf(ret, size, "now");
	else
		snprintf(ret, size, "in %s or at a reload",
		         clock_span(at_ms - judge->now_ms, span, sizeof span));
	return true;
}

const char *judge_why(const struct fact *fact, const char *otherwise)
{
	return fact->why[0] ? fact->why : otherwise;
}

bool judge_worse(const struct finding *a, const struct finding *b)
{
	if (a->turns_health != b->turns_health)
		return a->turns_health;
	if (a->turns_ready != b->turns_ready)
		return a->turns_ready;
	/* With the same effect, a known failure is worse than a state that is not known yet. */
	return (a->level == LEVEL_WAITING) < (b->level == LEVEL_WAITING);
}

/* The worst of the five jobs decides both /healthz and /readyz: they are "ok" together. */
static void conclude(struct verdict *ret)
{
	const struct finding *worst = NULL;
	int worst_job = 0;

	ret->well = 0;
	for (int i = 0; i < JOB_MAX; i++) {
		if ((ret->job[i].level == LEVEL_OK && !ret->job[i].assumed) ||
		    ret->job[i].level == LEVEL_OFF)
			ret->well |= 1u << i;
		if (ret->job[i].turns_ready && (!worst || judge_worse(&ret->job[i], worst))) {
			worst = &ret->job[i];
			worst_job = i;
		}
	}
	ret->health = ret->ready = LEVEL_OK;
	ret->reason = REASON_NONE;
	ret->why[0] = '\0';
	if (!worst)
		return;
	ret->ready = worst->level == LEVEL_WAITING ? LEVEL_WAITING : LEVEL_FAIL;
	ret->health = worst->turns_health ? ret->ready : LEVEL_DEGRADED;
	ret->reason = worst->reason;
	snprintf(ret->why, sizeof ret->why, "%s: %.*s", job_name(worst_job), JUDGE_TEXT - 16,
	         worst->why);
}

/* The load balancer sends no more requests; the jobs are shown as they are. */
static void judge_drain(const struct facts *facts, struct verdict *ret)
{
	const struct fact *life = facts_get(facts, FACT_LIFECYCLE, 0);

	if (!life->seen || life->more[LIFE_CAUSE] == LIFE_SERVES)
		return;
	ret->health = ret->ready = LEVEL_DRAINING;
	ret->reason = life->more[LIFE_CAUSE] == LIFE_SPOT ? REASON_SPOT : REASON_DRAIN;
	snprintf(ret->why, sizeof ret->why, "lifecycle: %s", judge_why(life, "draining"));
}

void judge_verdict(const struct state *state, int64_t now_ms, struct verdict *ret)
{
	struct judge judge = {
		.state = state,
		.conf = state->conf,
		.facts = &state->facts,
		.now_ms = now_ms,
		.until_ms = INT64_MAX,
	};

	for (int i = 0; i < JOB_MAX; i++)
		ret->job[i].what[0] = ret->job[i].next[0] = '\0';
	judge_identity(&judge, &ret->job[JOB_IDENTITY]);
	judge_mount(&judge, &ret->job[JOB_MOUNT]);
	judge_checks(&judge, ret);
	judge_database(&judge, &ret->job[JOB_DATABASE]);
	judge_metrics(&judge, &ret->job[JOB_METRICS]);
	conclude(ret);
	judge_drain(judge.facts, ret);
	if (state->conf_why[0]) {
		ret->health = ret->ready = LEVEL_FAIL;
		ret->reason = REASON_CONFIGURATION;
		snprintf(ret->why, sizeof ret->why, "configuration: %s", state->conf_why);
	}
	ret->until_ms = judge.until_ms;
}
