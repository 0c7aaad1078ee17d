/* wna-core, and the simulator. Never blocks. Owns nothing: the table is the caller's. */
#include "core_facts.h"

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
	case FACT_IMDS: max = IMDS_STATE_MAX; break;
	case FACT_CREDENTIALS: max = CRED_STATE_MAX; break;
	case FACT_PUSH: max = PUSH_STATE_MAX; break;
	case FACT_RDS: max = RDS_STATE_MAX; break;
	case FACT_MOUNT: max = MOUNT_STATE_MAX; break;
	case FACT_CHECK: max = CHECK_STATE_MAX; break;
	default: return true;
	}
	return value >= 0 && value < max;
}

/* Facts are told apart by name and not by place: a finder may run with the list of
 * another configuration. */
static int check_slot(const struct conf_checks *checks, const char *name, unsigned *ret_slot)
{
	for (int i = 0; i < checks->count; i++) {
		if (strcmp(checks->item[i].name, name) == 0) {
			*ret_slot = (unsigned)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int find(const struct conf *conf, enum role role, const struct msg *msg, unsigned *ret_slot)
{
	const struct fact_info *info = fact_info(msg->id);

	if (msg->type != HUB_FACT || !info || !value_known((enum fact_id)msg->id, msg->value))
		return -EINVAL;
	if (role != info->owner)
		return -EPERM;
	if (msg->id == FACT_CHECK)
		return check_slot(&conf->checks, msg->text, ret_slot);
	*ret_slot = 0;
	return 0;
}

const struct fact *facts_get(const struct facts *facts, enum fact_id id, unsigned slot)
{
	assert(id < FACT_MAX && slot < (id == FACT_CHECK ? (unsigned)LIMIT_CHECKS : 1u));
	if (id == FACT_CHECK)
		return &facts->check[slot];
	return &facts->single[id];
}

static int64_t at_most(int64_t at_ms, int64_t now_ms)
{
	return at_ms > 0 && at_ms < now_ms ? at_ms : now_ms;
}

int facts_take(struct facts *facts, const struct conf *conf, enum role role, const struct msg *msg,
               int64_t now_ms, int64_t wall_ms, unsigned *ret_slot)
{
	struct fact *fact;
	unsigned slot = 0;
	int rc = find(conf, role, msg, &slot);

	if (rc < 0) {
		facts->refused++;
		return rc;
	}
	facts->taken++;
	fact = (struct fact *)facts_get(facts, (enum fact_id)msg->id, slot);
	*ret_slot = slot;
	/* A wna-check that has just started knows less than the one before it. */
	if (msg->id == FACT_CHECK && msg->value == CHECK_UNDECIDED &&
	    facts_fresh(facts, conf, FACT_CHECK, slot, now_ms))
		return 0;
	/* Older than its arrival, if its owner says so; never younger. */
	fact->at_ms = at_most(msg->found_ms, now_ms);
	fact->since_ms = at_most(msg->since_ms, fact->at_ms);
	fact->since_wall_ms = wall_ms - (now_ms - fact->since_ms);
	fact->value = msg->value;
	memcpy(fact->more, msg->more, sizeof fact->more);
	fact->seen = true;
	str_clean(fact->text, sizeof fact->text, msg->text, strlen(msg->text));
	str_clean(fact->why, sizeof fact->why, msg->why, strlen(msg->why));
	return 0;
}

/* Age in ms at which this fact counts as unknown, by configuration. */
static int64_t facts_max_age_ms(const struct conf *conf, enum fact_id id, unsigned slot)
{
	switch (id) {
	/* Events, and what is said on change only. */
	case FACT_NONE:
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
	case FACT_MOUNT: return conf->mount.max_age_ms;
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
