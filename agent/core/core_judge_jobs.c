/*
 * wna-core, and the simulator. Never blocks. Owns nothing.
 *
 * Identity, database and metrics: all of them shared, hence none ever turns /healthz.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "core.h"
#include "str.h"

/* A finder that has not been heard since this core started. */
static void find_unheard(struct judge *judge, struct finding *ret, enum role role)
{
	const char *exe = role_of(role)->exe;

	if (judge->state->link[role].up)
		judge_find(ret, LEVEL_WAITING, REACH_READY, REASON_STARTING, "not known yet");
	else
		judge_find(ret, LEVEL_WAITING, REACH_READY, REASON_PROCESS_DOWN,
		           "not known yet: %s does not run", exe);
	snprintf(ret->next, sizeof ret->next, "waits for %s", exe);
}

static void find_silent(struct finding *ret, enum role role, int64_t max_age_ms)
{
	const char *exe = role_of(role)->exe;
	char span[32];

	judge_find(ret, LEVEL_DEGRADED, REACH_READY, REASON_PROCESS_SILENT,
	           "unknown: no report from %s for more than %s", exe,
	           clock_span(max_age_ms, span, sizeof span));
	snprintf(ret->next, sizeof ret->next, "waits for %s", exe);
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

static enum reason imds_reason(int64_t state)
{
	switch (state) {
	case IMDS_DISABLED: return REASON_IMDS_DISABLED;
	case IMDS_SILENT: return REASON_IMDS_SILENT;
	case IMDS_BUSY: return REASON_IMDS_BUSY;
	case IMDS_BAD: return REASON_IMDS_BAD;
	case IMDS_STARTING: return REASON_STARTING;
	default: return REASON_NONE;
	}
}

void judge_identity(struct judge *judge, struct finding *ret)
{
	const struct fact *id = facts_get(judge->facts, FACT_INSTANCE_ID, 0);
	const struct fact *imds = facts_get(judge->facts, FACT_IMDS, 0);
	bool heard = judge_fresh(judge, FACT_IMDS, 0);
	bool well = heard && imds->value == IMDS_OK;
	enum reason reason = imds_reason(imds->value);
	char span[64];

	tell_identity(judge, ret);
	if (judge_retry(judge, imds, span, sizeof span))
		snprintf(ret->next, sizeof ret->next, "asks again %s", span);
	else if (imds->more[RETRY_AT_MS] == RETRY_NEVER)
		snprintf(ret->next, sizeof ret->next, "nothing: it is switched off");
	else
		snprintf(ret->next, sizeof ret->next, "asks again within %s",
		         clock_span(judge->conf->imds.refresh_ms, span, sizeof span));
	/* An instance's identity does not change: while the metadata service does not answer,
	 * that is shown, and a known identity stays known. */
	if (judge_fresh(judge, FACT_INSTANCE_ID, 0) && id->value == 1 && heard && !well)
		judge_find(ret, LEVEL_OK, REACH_NONE, reason, "%s",
		           judge_why(imds, imds_state_name(imds->value)));
	else if (judge_fresh(judge, FACT_INSTANCE_ID, 0) && id->value == 1)
		judge_well(ret, LEVEL_OK);
	else if (!imds->seen || (heard && imds->value == IMDS_STARTING) || (well && !id->seen))
		find_unheard(judge, ret, ROLE_CLOUD);
	else if (!heard || (well && id->value == 1))
		find_silent(ret, ROLE_CLOUD, judge->conf->imds.max_age_ms);
	else if (!well)
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, reason, "%s: %s",
		           imds_state_name(imds->value), judge_why(imds, "no reason given"));
	else
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, REASON_IMDS_BAD,
		           "the metadata has no instance id");
}

static enum reason rds_reason(const struct fact *rds)
{
	int64_t trouble = rds->more[RETRY_TROUBLE];

	_Static_assert(REASON_DB_OTHER - REASON_DB_DOWN == (int)TROUBLE_OTHER, "the same order");
	switch (rds->value) {
	case RDS_NO_NAME: return REASON_DB_NAME;
	case RDS_READ_ONLY: return REASON_DB_READ_ONLY;
	default:
		return trouble > TROUBLE_NONE && trouble < TROUBLE_MAX
		               ? (enum reason)(REASON_DB_DOWN + trouble)
		               : REASON_DB_DOWN;
	}
}

/* What the server is, while it answers: a figure of before would stand beside its failure. */
static void tell_database(struct judge *judge, struct finding *ret)
{
	const struct fact *rds = facts_get(judge->facts, FACT_RDS, 0);
	const struct fact *rtt = facts_get(judge->facts, FACT_RDS_RTT, 0);
	bool answers = rds->value == RDS_WRITABLE || rds->value == RDS_READ_ONLY;
	char span[64];

	if (answers && judge_fresh(judge, FACT_RDS, 0))
		snprintf(ret->what, sizeof ret->what, "%s %s", rds->text,
		         rds_state_name(rds->value));
	if (ret->what[0] && rtt->seen && rtt->value >= 0)
		snprintf(ret->what + strlen(ret->what), 64, ", answers in %.1f ms",
		         (double)rtt->value / 1000.0);
	if (judge_retry(judge, rds, span, sizeof span))
		snprintf(ret->next, sizeof ret->next, "%s %s",
		         rds->value == RDS_NO_NAME ? "asks for the name again" : "tries again",
		         span);
	else
		snprintf(ret->next, sizeof ret->next, "asks every %s",
		         clock_span(judge->conf->rds.interval_ms, span, sizeof span));
}

void judge_database(struct judge *judge, struct finding *ret)
{
	const struct conf_rds *conf = &judge->conf->rds;
	const struct fact *rds = facts_get(judge->facts, FACT_RDS, 0);

	if (!conf->enabled) {
		judge_well(ret, LEVEL_OFF);
		return;
	}
	if (!rds->seen) {
		find_unheard(judge, ret, ROLE_RDS);
		return;
	}
	tell_database(judge, ret);
	if (!judge_fresh(judge, FACT_RDS, 0))
		find_silent(ret, ROLE_RDS, conf->max_age_ms);
	else if (rds->value == RDS_WRITABLE)
		judge_well(ret, LEVEL_OK);
	else if (rds->value == RDS_STARTING)
		find_unheard(judge, ret, ROLE_RDS);
	else
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, rds_reason(rds), "%s: %s",
		           conf->endpoint, judge_why(rds, rds_state_name(rds->value)));
}

static void tell_metrics(struct judge *judge, struct finding *ret)
{
	const struct facts *facts = judge->facts;
	const struct fact *push = facts_get(facts, FACT_PUSH, 0);
	const struct fact *cpu = facts_get(facts, FACT_CPU, 0);
	const struct conf_metrics *conf = &judge->conf->metrics;
	char span[64];
	struct sb what;

	sb_init(&what, ret->what, sizeof ret->what);
	if (cpu->seen && cpu->value >= 0)
		sb_printf(&what, "cpu %.1f %%, ", (double)cpu->value / 10.0);
	sb_printf(&what, "%" PRId64 " sent, %" PRId64 " queued, %" PRId64 " lost%s%s",
	          facts_get(facts, FACT_PUSH_SENT, 0)->value,
	          facts_get(facts, FACT_PUSH_QUEUED, 0)->value,
	          facts_get(facts, FACT_PUSH_LOST, 0)->value, push->text[0] ? ", " : "",
	          push->text);
	if (push->value == PUSH_HELD)
		snprintf(ret->next, sizeof ret->next, "pushes when in service");
	else if (push->value == PUSH_STARTING)
		snprintf(ret->next, sizeof ret->next, "waits for identity or first window");
	else if (push->value == PUSH_OK)
		snprintf(ret->next, sizeof ret->next, "pushes every %s",
		         clock_span(conf->push_ms, span, sizeof span));
	else if (judge_retry(judge, push, span, sizeof span))
		snprintf(ret->next, sizeof ret->next, "tries again %s", span);
	else
		snprintf(ret->next, sizeof ret->next, "waits for the answer");
}

/* Samples are pushed, or would be. */
static void judge_queue(struct judge *judge, struct finding *ret)
{
	const struct fact *push = facts_get(judge->facts, FACT_PUSH, 0);
	const struct fact *queued = facts_get(judge->facts, FACT_PUSH_QUEUED, 0);

	if (queued->why[0])
		judge_find(ret, LEVEL_OK, REACH_NONE, REASON_PUSH_DISK, "%" PRId64 " queued %s",
		           queued->value, queued->why);
	else if (push->value == PUSH_HELD)
		/* No failure: a node in Standby, for example, must not push. */
		judge_find(ret, LEVEL_OK, REACH_NONE, REASON_PUSH_HELD, "%s",
		           judge_why(push, "held"));
	else
		judge_well(ret, LEVEL_OK);
}

static void judge_push(struct judge *judge, struct finding *ret)
{
	const struct fact *push = facts_get(judge->facts, FACT_PUSH, 0);
	const struct fact *cred = facts_get(judge->facts, FACT_CREDENTIALS, 0);
	const char *state = push_state_name(push->value);
	bool none = cred->seen && cred->value == CRED_NONE && cred->why[0];

	switch (push->value) {
	case PUSH_OK: judge_queue(judge, ret); return;
	case PUSH_HELD:
		/* In service it will need them. */
		if (none)
			judge_find(ret, LEVEL_WAITING, REACH_NONE, REASON_PUSH_CREDENTIALS,
			           "no credentials: %s", cred->why);
		else
			judge_queue(judge, ret);
		return;
	case PUSH_STARTING:
		/* A node is ready before its first window is complete. After max_age something
		 * is missing that will not come by itself. */
		if (judge_before(judge, push->since_ms + judge->conf->metrics.max_age_ms))
			judge_find(ret, LEVEL_WAITING, REACH_NONE, REASON_PUSH_STARTING, "%s",
			           judge_why(push, "nothing to push yet"));
		else
			judge_find(ret, LEVEL_DEGRADED, REACH_READY, REASON_PUSH_GROUP, "%s: %s",
			           facts_get(judge->facts, FACT_PUSH_SENT, 0)->value > 0
			                   ? "the group's series is not pushed"
			                   : "nothing pushed since start",
			           judge_why(push, "no reason given"));
		return;
	default:
		if (none)
			judge_find(ret, LEVEL_DEGRADED, REACH_READY, REASON_PUSH_CREDENTIALS,
			           "%s: no credentials: %s", state, cred->why);
		else
			judge_find(ret, LEVEL_DEGRADED, REACH_READY,
			           push->value == PUSH_DENIED ? REASON_PUSH_DENIED
			                                      : REASON_PUSH_RETRYING,
			           "%s: %s", state,
			           judge_why(push, judge_why(cred, "no reason given")));
		return;
	}
}

void judge_metrics(struct judge *judge, struct finding *ret)
{
	const struct fact *push = facts_get(judge->facts, FACT_PUSH, 0);

	if (!judge->conf->metrics.enabled || (push->seen && push->value == PUSH_OFF)) {
		judge_well(ret, LEVEL_OFF);
		return;
	}
	if (!push->seen) {
		find_unheard(judge, ret, ROLE_CLOUD);
		return;
	}
	if (!judge_fresh(judge, FACT_PUSH, 0)) {
		find_silent(ret, ROLE_CLOUD, judge->conf->metrics.max_age_ms);
		return;
	}
	tell_metrics(judge, ret);
	judge_push(judge, ret);
}
