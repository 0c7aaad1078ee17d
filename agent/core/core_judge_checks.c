/*
 * wna-core, and the simulator. Never blocks. Owns nothing.
 *
 * A check's target is known from the configuration; wna-check says what it has found there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "core.h"

enum { TARGET_TEXT = 128 };

/* "GET http://127.0.0.1/health.html -> ": what is asked, before what came of it. Empty for the
 * checks whose results name the thing. Returns `ret`. */
static const char *target(const struct conf_check *check, char *ret, size_t size)
{
	char address[NET_ADDR_TEXT];

	ret[0] = '\0';
	if (check->type == CHECK_HTTP)
		snprintf(ret, size, "GET %.*s%s -> ", TARGET_TEXT - 16, check->url,
		         strlen(check->url) > TARGET_TEXT - 16 ? "..." : "");
	else if (check->type == CHECK_TCP)
		snprintf(ret, size, "TCP %s -> ",
		         net_endpoint_text(&check->address, address, sizeof address));
	return ret;
}

static void tell_target(const struct conf_check *check, struct finding *ret)
{
	char where[TARGET_TEXT], span[32];

	snprintf(ret->next, sizeof ret->next, "runs at least every %s",
	         clock_span(check->interval_ms, span, sizeof span));

	switch ((enum check_type)check->type) {
	case CHECK_FILE:
	case CHECK_DISK: snprintf(ret->what, sizeof ret->what, "%.*s", 250, check->path); break;
	case CHECK_PROCESS:
		snprintf(ret->what, sizeof ret->what, "process %s", check->process);
		break;
	default:
		target(check, where, sizeof where);
		snprintf(ret->what, sizeof ret->what, "%.*s", (int)(strlen(where) - strlen(" -> ")),
		         where);
		break;
	}
}

/* Of a bad result. */
static enum reason reason_of(const struct conf_check *check, const struct fact *fact)
{
	switch ((enum check_type)check->type) {
	case CHECK_TCP: return REASON_TCP;
	case CHECK_FILE: return REASON_FILE;
	case CHECK_PROCESS: return REASON_PROCESS;
	case CHECK_DISK: return REASON_DISK;
	default: break;
	}
	switch (fact->more[CHECK_LAST]) {
	case -ECONNREFUSED: return REASON_HTTP_REFUSED;
	case -ETIMEDOUT: return REASON_HTTP_SILENT;
	default: return REASON_HTTP_ANSWER;
	}
}

/* Without a decision `initial` counts until max_age after the start: results may still come. */
static void judge_undecided(struct judge *judge, unsigned slot, struct finding *ret)
{
	const struct conf_check *check = &judge->conf->checks.item[slot];
	const struct fact *fact = facts_get(judge->facts, FACT_CHECK, slot);
	bool local = check->scope == SCOPE_LOCAL;
	enum reach reach = local ? REACH_HEALTH : REACH_READY;
	char where[TARGET_TEXT];
	bool up = judge->state->link[ROLE_CHECK].up;
	bool young = judge_before(judge, judge->state->start_ms + check->max_age_ms);

	if (young && check->initial == INITIAL_GOOD) {
		judge_well(ret, LEVEL_OK);
		ret->assumed = true;
		return;
	}
	if (fact->seen && judge_fresh(judge, FACT_CHECK, slot))
		judge_find(ret, LEVEL_WAITING, reach, reason_of(check, fact),
		           "no good result yet: %s%s", target(check, where, sizeof where),
		           fact->why);
	else if (young)
		judge_find(ret, LEVEL_WAITING, reach,
		           up ? REASON_CHECK_STARTING : REASON_PROCESS_DOWN, "no result yet");
	else
		judge_find(ret, local ? LEVEL_FAIL : LEVEL_DEGRADED, reach,
		           up ? REASON_CHECK_UNKNOWN : REASON_PROCESS_DOWN,
		           "unknown: no result since the start");
}

static void judge_check(struct judge *judge, unsigned slot, struct finding *ret)
{
	const struct conf_check *check = &judge->conf->checks.item[slot];
	const struct fact *fact = facts_get(judge->facts, FACT_CHECK, slot);
	bool local = check->scope == SCOPE_LOCAL;
	enum reach reach = local ? REACH_HEALTH : REACH_READY;
	enum verdict_level bad = local ? LEVEL_FAIL : LEVEL_DEGRADED;
	char span[32], where[TARGET_TEXT];

	if (!fact->seen || fact->value == CHECK_UNDECIDED)
		judge_undecided(judge, slot, ret);
	else if (!judge_fresh(judge, FACT_CHECK, slot))
		judge_find(ret, bad, reach, REASON_CHECK_UNKNOWN,
		           "unknown: no result for more than %s",
		           clock_span(check->max_age_ms, span, sizeof span));
	else if (fact->value == CHECK_GOOD)
		judge_well(ret, LEVEL_OK);
	else if (fact->more[CHECK_LAST] < 0)
		judge_find(ret, bad, reach, reason_of(check, fact), "%s%s",
		           target(check, where, sizeof where), judge_why(fact, "failed"));
	else
		judge_find(ret, bad, reach, REASON_CHECK_RISING, "good again, %d of %d results",
		           (int)fact->more[CHECK_RUN], check->rise);
}

void judge_checks(struct judge *judge, struct verdict *ret)
{
	struct finding *job = &ret->job[JOB_CHECKS];
	const struct conf_checks *checks = &judge->conf->checks;
	const struct finding *worst = NULL;
	int good = 0, worst_slot = 0;
	bool assumed = false;

	for (int i = 0; i < checks->count; i++) {
		judge_check(judge, (unsigned)i, &ret->check[i]);
		tell_target(&checks->item[i], &ret->check[i]);
		assumed = assumed || ret->check[i].assumed;
		if (ret->check[i].level == LEVEL_OK) {
			good++;
			continue;
		}
		if (!worst || judge_worse(&ret->check[i], worst)) {
			worst = &ret->check[i];
			worst_slot = i;
		}
	}
	if (checks->count == 0) {
		judge_well(job, LEVEL_OFF);
		return;
	}
	if (worst) {
		job->level = worst->level;
		job->reason = worst->reason;
		job->turns_health = worst->turns_health;
		job->turns_ready = worst->turns_ready;
		snprintf(job->why, sizeof job->why, "%.*s: %.*s", LIMIT_NAME,
		         checks->item[worst_slot].name, JUDGE_TEXT - LIMIT_NAME - 3, worst->why);
	} else {
		judge_well(job, LEVEL_OK);
	}
	job->assumed = assumed;
	snprintf(job->what, sizeof job->what, "%d of %d good", good, checks->count);
	snprintf(job->next, sizeof job->next, "each at its own interval");
}
