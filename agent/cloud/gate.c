/* Run by wna-cloud each turn; never blocks; owns nothing. */
#include "gate.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

void gate_remember(struct gate_memory *memory, const struct identity *identity)
{
	if (!identity->target_state_known)
		return;
	memory->target_known = true;
	str_copy(memory->target, sizeof(memory->target), identity->target_state);
}

static void hold(struct gate *gate, enum push_state state, const char *why)
{
	gate->state = state;
	str_copy(gate->why, sizeof(gate->why), why);
}

static void hold_for(struct gate *gate, const char *target)
{
	gate->state = PUSH_HELD;
	snprintf(gate->why, sizeof(gate->why), "the target state is %s", target);
}

static void decide_group(const struct identity *identity, const struct gate_memory *memory,
                         struct gate *gate)
{
	if (!memory->target_known)
		hold(gate, PUSH_STARTING, "the target state is not known yet");
	else if (memory->target[0] == '\0')
		hold(gate, PUSH_HELD, "the group has not given a target state");
	else if (strcmp(memory->target, "InService") != 0)
		hold_for(gate, memory->target);
	else if (identity->asg[0] == '\0')
		/* Soon after boot the tag may only be late; then this does not last. */
		hold(gate, PUSH_STARTING,
		     "in a group whose name is not readable: allow tags in the metadata "
		     "(InstanceMetadataTags) or set imds.auto_scaling_group");
	else if (!memory->healthy)
		hold(gate, PUSH_HELD, "/healthz has not been 200 since boot");
	else
		str_copy(gate->who[CWATCH_ASG], CWATCH_NAME, identity->asg);
}

void gate_decide(const struct conf_metrics *conf, const struct identity *identity,
                 const struct gate_memory *memory, struct gate *ret)
{
	/* Only a group gives a target state: without the tag, which EC2 does not show
	 * unless told to, that is what a group is known by. */
	bool alone = identity->asg_known && identity->asg[0] == '\0' && memory->target_known &&
	             memory->target[0] == '\0';

	memset(ret, 0, sizeof(*ret));
	ret->state = PUSH_OK;
	if (!conf->enabled) {
		ret->state = PUSH_OFF;
		return;
	}
	if (!identity->known) {
		hold(ret, PUSH_STARTING, "the instance is not identified yet");
		return;
	}
	if (identity->instance_id[0] != '\0' && (conf->per_instance || alone))
		str_copy(ret->who[CWATCH_INSTANCE], CWATCH_NAME, identity->instance_id);
	if (!identity->asg_known)
		hold(ret, PUSH_STARTING, "the Auto Scaling group is not known yet");
	else if (!alone)
		decide_group(identity, memory, ret);
	else if (!gate_open(ret))
		hold(ret, PUSH_HELD, "neither a group nor an instance id is known");
}

bool gate_open(const struct gate *gate)
{
	return gate->who[CWATCH_ASG][0] != '\0' || gate->who[CWATCH_INSTANCE][0] != '\0';
}

bool gate_same(const struct gate *a, const struct gate *b)
{
	return strcmp(a->who[CWATCH_ASG], b->who[CWATCH_ASG]) == 0 &&
	       strcmp(a->who[CWATCH_INSTANCE], b->who[CWATCH_INSTANCE]) == 0;
}
