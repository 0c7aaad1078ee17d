/*
 * Run by wna-cloud each turn: windows, AWS's time, the gate. Never blocks; owns nothing.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_metric.h"

/* Windows are at most 60 s long and samples at least 250 ms apart, one a second. */
_Static_assert(DATUM_VALUES_MAX >= 2 * 60, "a window of 60 s must fit twice");

static int64_t window_start(int64_t at_ms, int64_t push_ms)
{
	return at_ms / push_ms * push_ms;
}

bool series_fits(const struct series *series, int64_t at_ms)
{
	if (series->open.count == 0)
		return true;
	/* A window can be full only if the clock is slewed hard. Then it has two data, and both
	 * are true. */
	return window_start(at_ms, series->push_ms) == series->open.at_ms &&
	       series->open.count < DATUM_VALUES_MAX;
}

static uint16_t weight_of(int64_t span_ms, int64_t push_ms)
{
	int64_t weight = (span_ms + 500) / 1000;

	if (weight > push_ms / 1000)
		weight = push_ms / 1000;
	return (uint16_t)(weight < 1 ? 1 : weight);
}

void series_add(struct series *series, int64_t at_ms, const struct cpu_sample *sample)
{
	struct datum *open = &series->open;
	uint16_t weight = weight_of(sample->span_ms, series->push_ms);
	unsigned i = 0;

	assert(series_fits(series, at_ms));
	assert(sample->permille <= 1000);
	if (open->count == 0)
		open->at_ms = window_start(at_ms, series->push_ms);
	while (i < open->count && open->value[i].permille < sample->permille)
		i++;
	if (i < open->count && open->value[i].permille == sample->permille) {
		open->value[i].weight += weight;
		return;
	}
	memmove(&open->value[i + 1], &open->value[i], (open->count - i) * sizeof open->value[0]);
	open->value[i] = (struct datum_value){
		.permille = (uint16_t)sample->permille,
		.weight = weight,
	};
	open->count++;
}

bool series_close(struct series *series, struct datum *ret)
{
	if (series->open.count == 0)
		return false;
	*ret = series->open;
	series->open.count = 0;
	return true;
}

static void clock_set(struct skew *skew)
{
	skew->clock_ms = skew->offset_ms != 0 ? skew->offset_ms : 1;
}

void skew_init(struct skew *skew, int64_t now_ms, int64_t wall_ms)
{
	*skew = (struct skew){ .offset_ms = wall_ms - now_ms };
	clock_set(skew);
}

int64_t skew_turn(struct skew *skew, int64_t now_ms, int64_t wall_ms)
{
	int64_t step = wall_ms - now_ms - skew->offset_ms;

	/* Each turn, since a clock that is slewed moves a little each time: the sum of that must
	 * not look like a step. */
	skew->offset_ms = wall_ms - now_ms;
	if (llabs(step) < SKEW_STEP_MS)
		return 0;
	skew->known = false;
	skew->ms = 0;
	clock_set(skew);
	return step;
}

int64_t skew_learn(struct skew *skew, int64_t date_ms, int64_t sent_ms, int64_t took_ms)
{
	int64_t before = skew->ms, found;

	if (date_ms <= 0)
		return 0;
	/* Date is cut to the second: half a second is the best guess of the rest. */
	found = date_ms + 500 - (sent_ms + took_ms / 2);
	skew->known = true;
	if (llabs(found) < SKEW_STEP_MS + took_ms / 2)
		found = 0;
	/* A difference within the uncertainty of the measurement is no change. */
	if (found != 0 && llabs(found - before) < SKEW_STEP_MS + took_ms / 2)
		return 0;
	skew->ms = found;
	return found - before;
}

static void hold(struct gate *gate, enum push_state state, const char *why)
{
	gate->state = state;
	str_copy(gate->why, sizeof gate->why, why);
}

static void decide_group(const struct identity *identity, bool healthy, struct gate *gate)
{
	if (!identity->target_state) {
		hold(gate, PUSH_STARTING, "the target state is not known yet");
	} else if (!identity->target_state[0]) {
		hold(gate, PUSH_HELD, "the group has not given a target state");
	} else if (strcmp(identity->target_state, "InService") != 0) {
		gate->state = PUSH_HELD;
		snprintf(gate->why, sizeof gate->why, "the target state is %s",
		         identity->target_state);
	} else if (!identity->asg[0]) {
		/* Soon after boot the tag may come late. */
		hold(gate, PUSH_STARTING,
		     "in a group whose name is not readable: allow tags in the metadata "
		     "(InstanceMetadataTags) or set imds.auto_scaling_group");
	} else if (!healthy) {
		hold(gate, PUSH_HELD, "/healthz has not been 200 since boot");
	} else {
		str_copy(gate->value[DIMENSION_ASG], sizeof gate->value[0], identity->asg);
	}
}

void gate_decide(const struct conf_metrics *conf, const struct identity *identity, bool healthy,
                 struct gate *ret)
{
	/* The metadata may be without tags; a target state shows a group as well. */
	bool alone = identity->asg && !identity->asg[0] && identity->target_state &&
	             !identity->target_state[0];

	*ret = (struct gate){ .state = conf->enabled ? PUSH_OK : PUSH_OFF };
	if (!conf->enabled)
		return;
	if (!identity->known) {
		hold(ret, PUSH_STARTING, "the instance is not identified yet");
		return;
	}
	if (identity->instance_id && (conf->per_instance || alone))
		str_copy(ret->value[DIMENSION_INSTANCE], sizeof ret->value[0],
		         identity->instance_id);
	if (!identity->asg)
		hold(ret, PUSH_STARTING, "the Auto Scaling group is not known yet");
	else if (!alone)
		decide_group(identity, healthy, ret);
	else if (!gate_open(ret))
		hold(ret, PUSH_HELD, "neither a group nor an instance id is known");
}

bool gate_open(const struct gate *gate)
{
	return gate->value[DIMENSION_ASG][0] || gate->value[DIMENSION_INSTANCE][0];
}
