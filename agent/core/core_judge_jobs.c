/*
 * wna-core, and the simulator. Never blocks. Owns nothing.
 *
 * Identity, database and metrics: all of them shared, hence none ever turns /healthz.
 */
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "core.h"
#include "str.h"

/* A finder that has not been heard since this core started. */
static void find_unheard(struct judge *judge, struct finding *ret, enum role role)
{
	if (judge->state->link[role].up)
		judge_find(ret, LEVEL_WAITING, REACH_READY, "not known yet");
	else
		judge_find(ret, LEVEL_WAITING, REACH_READY, "not known yet: %s does not run",
		           role_of(role)->exe);
}

static void find_silent(struct finding *ret, enum role role, int64_t max_age_ms)
{
	char span[32];

	judge_find(ret, LEVEL_DEGRADED, REACH_READY,
	           "unknown: no report from wna-%s for more than %s", role_name(role),
	           clock_span(max_age_ms, span, sizeof span));
}

/* "i-0abc in ap-northeast-2a, group web"; only what is known. */
static void tell_identity(struct judge *judge, struct finding *ret)
{
	const struct facts *facts = judge->facts;
	const struct fact *id = facts_get(facts, FACT_INSTANCE_ID, 0);
	const struct fact *az = facts_get(facts, FACT_AZ, 0);
	const struct fact *asg = facts_get(facts, FACT_ASG, 0);
	const struct fact *target = facts_get(facts, FACT_TARGET_STATE, 0);

	if (!id->text[0])
		return;
	snprintf(ret->what, sizeof ret->what, "%.*s%s%.*s%s%.*s%s%.*s", 64, id->text,
	         az->text[0] ? " in " : "", 48, az->text, asg->text[0] ? ", group " : "", 64,
	         asg->text, target->text[0] ? ", " : "", 48, target->text);
}

void judge_identity(struct judge *judge, struct finding *ret)
{
	const struct fact *id = facts_get(judge->facts, FACT_INSTANCE_ID, 0);
	const struct fact *imds = facts_get(judge->facts, FACT_IMDS, 0);
	bool heard = judge_fresh(judge, FACT_IMDS, 0);
	bool well = heard && imds->value == IMDS_OK;
	char span[32];

	tell_identity(judge, ret);
	snprintf(ret->next, sizeof ret->next, "asks again within %s",
	         clock_span(judge->conf->imds.refresh_ms, span, sizeof span));
	/* An instance's identity does not change: while the metadata service does not answer,
	 * that is shown, and a known identity stays known. */
	if (judge_fresh(judge, FACT_INSTANCE_ID, 0) && id->value == 1)
		judge_find(ret, LEVEL_OK, REACH_NONE, heard && !well ? "%s" : NULL,
		           judge_why(imds, imds_state_name(imds->value)));
	else if (!imds->seen || (heard && imds->value == IMDS_STARTING) || (well && !id->seen))
		find_unheard(judge, ret, ROLE_CLOUD);
	else if (!heard || (well && id->value == 1))
		find_silent(ret, ROLE_CLOUD, judge->conf->imds.max_age_ms);
	else if (!well)
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, "%s: %s", imds_state_name(imds->value),
		           judge_why(imds, "no reason given"));
	else
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, "the metadata has no instance id");
}

void judge_database(struct judge *judge, struct finding *ret)
{
	const struct conf_rds *conf = &judge->conf->rds;
	const struct fact *rds = facts_get(judge->facts, FACT_RDS, 0);
	const struct fact *rtt = facts_get(judge->facts, FACT_RDS_RTT, 0);
	const char *state = rds_state_name(rds->value);
	char span[32];

	if (!conf->enabled) {
		judge_find(ret, LEVEL_OFF, REACH_NONE, NULL);
		return;
	}
	if (!rds->seen) {
		find_unheard(judge, ret, ROLE_RDS);
		return;
	}
	if (rtt->seen && rtt->value >= 0 && rds->text[0])
		snprintf(ret->what, sizeof ret->what, "%s %s, answers in %.1f ms", rds->text, state,
		         (double)rtt->value / 1000.0);
	else
		snprintf(ret->what, sizeof ret->what, "%s%s%s", rds->text, rds->text[0] ? " " : "",
		         state);
	snprintf(ret->next, sizeof ret->next, "asks every %s",
	         clock_span(rds->value == RDS_DOWN || rds->value == RDS_NO_NAME ? conf->dns_fast_ms
	                                                                        : conf->interval_ms,
	                    span, sizeof span));
	if (!judge_fresh(judge, FACT_RDS, 0))
		find_silent(ret, ROLE_RDS, conf->max_age_ms);
	else if (rds->value == RDS_WRITABLE)
		judge_find(ret, LEVEL_OK, REACH_NONE, NULL);
	else if (rds->value == RDS_STARTING)
		find_unheard(judge, ret, ROLE_RDS);
	else
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, "%s: %s", state,
		           judge_why(rds, "no reason given"));
}

static void tell_metrics(struct judge *judge, struct finding *ret)
{
	const struct facts *facts = judge->facts;
	const struct fact *push = facts_get(facts, FACT_PUSH, 0);
	const struct fact *sent = facts_get(facts, FACT_PUSH_SENT, 0);
	const struct fact *queued = facts_get(facts, FACT_PUSH_QUEUED, 0);
	const struct fact *lost = facts_get(facts, FACT_PUSH_LOST, 0);
	const struct fact *cpu = facts_get(facts, FACT_CPU, 0);
	char span[32];
	struct sb what;

	sb_init(&what, ret->what, sizeof ret->what);
	sb_printf(&what, "%s%s%" PRId64 " sent, %" PRId64 " queued, %" PRId64 " lost", push->text,
	          push->text[0] ? ", " : "", sent->value, queued->value, lost->value);
	if (cpu->seen)
		sb_printf(&what, ", cpu %.1f %%", (double)cpu->value / 10.0);
	snprintf(ret->next, sizeof ret->next,
	         push->value == PUSH_HELD       ? "pushes when in service"
	         : push->value == PUSH_STARTING ? "waits for identity or first window"
	         : push->value == PUSH_RETRYING ? "tries again within %s"
	                                        : "pushes every %s",
	         clock_span(push->value == PUSH_RETRYING ? judge->conf->metrics.retry_max_ms
	                                                 : judge->conf->metrics.push_ms,
	                    span, sizeof span));
}

void judge_metrics(struct judge *judge, struct finding *ret)
{
	const struct fact *push = facts_get(judge->facts, FACT_PUSH, 0);
	const struct fact *cred = facts_get(judge->facts, FACT_CREDENTIALS, 0);

	if (!judge->conf->metrics.enabled || (push->seen && push->value == PUSH_OFF)) {
		judge_find(ret, LEVEL_OFF, REACH_NONE, NULL);
		return;
	}
	if (!push->seen) {
		find_unheard(judge, ret, ROLE_CLOUD);
		return;
	}
	tell_metrics(judge, ret);
	if (!judge_fresh(judge, FACT_PUSH, 0)) {
		find_silent(ret, ROLE_CLOUD, judge->conf->metrics.max_age_ms);
		return;
	}
	switch (push->value) {
	case PUSH_OK: judge_find(ret, LEVEL_OK, REACH_NONE, NULL); return;
	case PUSH_HELD:
		/* No failure: a node in Standby, for example, must not push. */
		judge_find(ret, LEVEL_OK, REACH_NONE, "%s", judge_why(push, "held"));
		return;
	case PUSH_STARTING:
		/* A node is ready before its first window is complete. After max_age something
		 * is missing that will not come by itself. */
		if (judge_before(judge, push->since_ms + judge->conf->metrics.max_age_ms))
			judge_find(ret, LEVEL_WAITING, REACH_NONE, "%s",
			           judge_why(push, "nothing to push yet"));
		else
			judge_find(ret, LEVEL_DEGRADED, REACH_READY, "%s: %s",
			           facts_get(judge->facts, FACT_PUSH_SENT, 0)->value > 0
			                   ? "the group's series is not pushed"
			                   : "nothing pushed since start",
			           judge_why(push, "no reason given"));
		return;
	default:
		if (cred->seen && cred->value == CRED_NONE && cred->why[0])
			judge_find(ret, LEVEL_DEGRADED, REACH_READY, "%s: no credentials: %s",
			           push_state_name(push->value), cred->why);
		else
			judge_find(ret, LEVEL_DEGRADED, REACH_READY, "%s: %s",
			           push_state_name(push->value),
			           judge_why(push, judge_why(cred, "no reason given")));
		return;
	}
}
