/* wna-core, and the simulator. Never blocks. Owns nothing: the table is the caller's. */
#include "facts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "str.h"

void facts_init(struct facts *facts)
{
	memset(facts, 0, sizeof *facts);
}

/* A state this build has no name for would be judged by luck. */
static bool value_known(enum fact_id id, int64_t value)
{
	int64_t max;

	switch (id) {
	case FACT_CHILD: max = CHILD_MAX; break;
	case FACT_IMDS: max = IMDS_STATE_MAX; break;
	case FACT_CREDENTIALS: max = CRED_STATE_MAX; break;
	case FACT_PUSH: max = PUSH_STATE_MAX; break;
	case FACT_RDS: max = RDS_STATE_MAX; break;
	case FACT_MOUNT: max = MOUNT_STATE_MAX; break;
	default: return true;
	}
	return value >= 0 && value < max;
}

static int refusal(const struct conf *conf, const struct envelope *envelope)
{
	const struct msg *msg = &envelope->msg;
	const struct fact_info *info = fact_info(msg->id);

	if (msg->type != MSG_FACT || !info || msg->slot >= info->slots)
		return -EINVAL;
	if (envelope->role != info->owner)
		return -EPERM;
	if (msg->id == FACT_CHECK && msg->slot >= conf->checks.count)
		return -EINVAL;
	return value_known(msg->id, msg->value) ? 0 : -EINVAL;
}

const struct fact *facts_get(const struct facts *facts, enum fact_id id, unsigned slot)
{
	assert(id < FACT_MAX && slot < (id == FACT_CHILD   ? (unsigned)ROLE_MAX
	                                : id == FACT_CHECK ? (unsigned)LIMIT_CHECKS
	                                                   : 1u));
	if (id == FACT_CHILD)
		return &facts->child[slot];
	if (id == FACT_CHECK)
		return &facts->check[slot];
	return &facts->single[id];
}

int facts_take(struct facts *facts, const struct conf *conf, const struct envelope *envelope,
               int64_t now_ms, int64_t wall_ms)
{
	const struct msg *msg = &envelope->msg;
	struct fact *fact;
	int rc = refusal(conf, envelope);

	if (rc < 0) {
		facts->refused++;
		return rc;
	}
	facts->taken++;
	fact = (struct fact *)facts_get(facts, msg->id, msg->slot);
	/* Why the last attempt failed says more than that another one begins. */
	if (msg->id == FACT_MOUNT && msg->value == MOUNT_ABSENT && fact->seen &&
	    (fact->value == MOUNT_MISSING || fact->value == MOUNT_WRONG))
		return 0;
	if (!fact->seen || fact->value != msg->value) {
		fact->changed_ms = now_ms;
		fact->changed_wall_ms = wall_ms;
	}
	fact->value = msg->value;
	/* Older than its arrival, if its owner says so; never younger. */
	fact->at_ms = msg->found_ms > 0 && msg->found_ms < now_ms ? msg->found_ms : now_ms;
	fact->found_ms = msg->found_ms;
	fact->seq = facts->taken;
	fact->seen = true;
	str_clean(fact->text, sizeof fact->text, msg->text, strlen(msg->text));
	str_clean(fact->why, sizeof fact->why, msg->why, strlen(msg->why));
	return 0;
}

/* Age in ms at which this fact counts as unknown, by configuration. */
static int64_t facts_max_age_ms(const struct conf *conf, enum fact_id id, unsigned slot)
{
	switch (id) {
	/* Told once by a one-shot, or kept true by wnad: these do not age. Whether
	 * the mount still is what wna-mount saw is the probe's to say. */
	case FACT_NONE:
	case FACT_CONF:
	case FACT_TRIES:
	case FACT_CHILD:
	case FACT_MOUNT:
	case FACT_MOUNT_ID:
	case FACT_MOUNT_GUARD:
	case FACT_HOOK:
	case FACT_RDS_CHANGE:
	case FACT_MAX: return FACTS_AGELESS;
	case FACT_IMDS:
	case FACT_INSTANCE_ID:
	case FACT_INSTANCE_TYPE:
	case FACT_AMI_ID:
	case FACT_PRIVATE_IPV4:
	case FACT_PUBLIC_IPV4:
	case FACT_AZ:
	case FACT_AZ_ID:
	case FACT_REGION:
	case FACT_PARTITION:
	case FACT_DOMAIN:
	case FACT_VPC_ID:
	case FACT_SUBNET_ID:
	case FACT_ASG:
	case FACT_LIFE_CYCLE:
	case FACT_TARGET_STATE:
	case FACT_TAGS: return conf->imds.max_age_ms;
	case FACT_CREDENTIALS:
	case FACT_CPU:
	case FACT_PUSH:
	case FACT_PUSH_SENT:
	case FACT_PUSH_QUEUED:
	case FACT_PUSH_LOST:
	case FACT_PUSH_AT:
	case FACT_SKEW: return conf->metrics.max_age_ms;
	case FACT_RDS:
	case FACT_RDS_DNS:
	case FACT_RDS_RTT:
	case FACT_RDS_VERSION: return conf->rds.max_age_ms;
	case FACT_PROBE:
	case FACT_PROBE_ID: return conf->mount.max_age_ms;
	case FACT_CHECK: return slot < LIMIT_CHECKS ? conf->checks.item[slot].max_age_ms : 0;
	}
	return 0;
}

bool facts_fresh(const struct facts *facts, const struct conf *conf, enum fact_id id, unsigned slot,
                 int64_t now_ms)
{
	return facts_get(facts, id, slot)->seen && now_ms < facts_expiry_ms(facts, conf, id, slot);
}

int64_t facts_expiry_ms(const struct facts *facts, const struct conf *conf, enum fact_id id,
                        unsigned slot)
{
	const struct fact *fact = facts_get(facts, id, slot);
	int64_t max_age_ms = facts_max_age_ms(conf, id, slot);

	if (!fact->seen || max_age_ms >= INT64_MAX - fact->at_ms)
		return INT64_MAX;
	return fact->at_ms + max_age_ms + 1;
}
