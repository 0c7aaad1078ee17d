/* wna-core, and the simulator. Never blocks. Owns nothing. */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"

int judge_code(enum verdict_level level)
{
	return level == LEVEL_OK || level == LEVEL_DEGRADED ? 200 : 503;
}

void judge_find(struct finding *ret, enum verdict_level level, enum reach reach, const char *why,
                ...)
{
	va_list args;

	ret->level = level;
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

const char *judge_why(const struct fact *fact, const char *otherwise)
{
	return fact->why[0] ? fact->why : otherwise;
}

/* Without a decision `initial` counts until max_age after the start: results may still come. */
static void judge_undecided(struct judge *judge, unsigned slot, struct finding *ret)
{
	const struct conf_check *check = &judge->conf->checks.item[slot];
	const struct fact *fact = facts_get(judge->facts, FACT_CHECK, slot);
	bool local = check->scope == SCOPE_LOCAL;
	enum reach reach = local ? REACH_HEALTH : REACH_READY;
	bool young = judge_before(judge, judge->state->start_ms + check->max_age_ms);

	if (young && check->initial == INITIAL_GOOD) {
		judge_find(ret, LEVEL_OK, REACH_NONE, NULL);
		ret->assumed = true;
	} else if (fact->seen && judge_fresh(judge, FACT_CHECK, slot)) {
		judge_find(ret, LEVEL_WAITING, reach, "no good result yet: %s", fact->why);
	} else if (young) {
		judge_find(ret, LEVEL_WAITING, reach, "no result yet");
	} else {
		judge_find(ret, local ? LEVEL_FAIL : LEVEL_DEGRADED, reach,
		           "unknown: no result since the start");
	}
}

static void judge_check(struct judge *judge, unsigned slot, struct finding *ret)
{
	const struct conf_check *check = &judge->conf->checks.item[slot];
	const struct fact *fact = facts_get(judge->facts, FACT_CHECK, slot);
	bool local = check->scope == SCOPE_LOCAL;
	enum reach reach = local ? REACH_HEALTH : REACH_READY;
	enum verdict_level bad = local ? LEVEL_FAIL : LEVEL_DEGRADED;
	char span[32];

	if (!fact->seen || fact->value == CHECK_UNDECIDED)
		judge_undecided(judge, slot, ret);
	else if (!judge_fresh(judge, FACT_CHECK, slot))
		judge_find(ret, bad, reach, "unknown: no result for more than %s",
		           clock_span(check->max_age_ms, span, sizeof span));
	else if (fact->value == CHECK_GOOD)
		judge_find(ret, LEVEL_OK, REACH_NONE, NULL);
	else if (fact->more[CHECK_LAST] < 0)
		judge_find(ret, bad, reach, "%s", judge_why(fact, "failed"));
	else
		judge_find(ret, bad, reach, "good again, %d of %d results",
		           (int)fact->more[CHECK_RUN], check->rise);
}

static bool worse(const struct finding *a, const struct finding *b)
{
	if (a->turns_health != b->turns_health)
		return a->turns_health;
	if (a->turns_ready != b->turns_ready)
		return a->turns_ready;
	/* With the same effect, a known failure is worse than a state that is not known yet. */
	return (a->level == LEVEL_WAITING) < (b->level == LEVEL_WAITING);
}

static void judge_checks(struct judge *judge, struct verdict *ret)
{
	struct finding *job = &ret->job[JOB_CHECKS];
	const struct conf_checks *checks = &judge->conf->checks;
	const struct finding *worst = NULL;
	int good = 0, worst_slot = 0;
	bool assumed = false;

	for (int i = 0; i < checks->count; i++) {
		judge_check(judge, (unsigned)i, &ret->check[i]);
		assumed |= ret->check[i].assumed;
		if (ret->check[i].level == LEVEL_OK) {
			good++;
			continue;
		}
		if (!worst || worse(&ret->check[i], worst)) {
			worst = &ret->check[i];
			worst_slot = i;
		}
	}
	if (checks->count == 0) {
		judge_find(job, LEVEL_OFF, REACH_NONE, NULL);
		return;
	}
	if (worst) {
		job->level = worst->level;
		job->turns_health = worst->turns_health;
		job->turns_ready = worst->turns_ready;
		snprintf(job->why, sizeof job->why, "%.*s: %.*s", LIMIT_NAME,
		         checks->item[worst_slot].name, JUDGE_TEXT - LIMIT_NAME - 3, worst->why);
	} else {
		judge_find(job, LEVEL_OK, REACH_NONE, NULL);
	}
	job->assumed = assumed;
	snprintf(job->what, sizeof job->what, "%d of %d good", good, checks->count);
	snprintf(job->next, sizeof job->next, "each at its own interval");
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
		if (ret->job[i].turns_ready && (!worst || worse(&ret->job[i], worst))) {
			worst = &ret->job[i];
			worst_job = i;
		}
	}
	ret->health = ret->ready = LEVEL_OK;
	ret->why[0] = '\0';
	if (!worst)
		return;
	ret->ready = worst->level == LEVEL_WAITING ? LEVEL_WAITING : LEVEL_FAIL;
	ret->health = worst->turns_health ? ret->ready : LEVEL_DEGRADED;
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
		snprintf(ret->why, sizeof ret->why, "configuration: %s", state->conf_why);
	}
	ret->until_ms = judge.until_ms;
}
