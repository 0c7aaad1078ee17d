/*
 * Which series this node may push now. The series of the Auto Scaling group is
 * what the group scales on, and CloudWatch averages whatever is written into it:
 * a node writes only while it is meant to serve (target state InService) and has
 * once, since boot, been able to. Later ill health does not stop it: a group
 * without data does not scale at all. An instance is in no group if it has neither
 * the group's tag nor a target state; it then has a series of its own.
 */
#ifndef CLOUD_GATE_H
#define CLOUD_GATE_H

#include "conf.h"
#include "cwatch.h"
#include "fact.h"
#include "identity.h"

struct gate {
	/* By enum cwatch_dimension: the dimension's value; empty = not pushed. */
	char who[CWATCH_DIMENSION_MAX][CWATCH_NAME];
	enum push_state state; /* PUSH_OK: nothing is held back; else STARTING or HELD */
	char why[LIMIT_FACT_WHY];
};

/* What the caller remembers beside the identity. */
struct gate_memory {
	bool healthy;                 /* /healthz has been 200 since boot */
	bool target_known;            /* ever: trouble with the metadata service later */
	char target[LIMIT_FACT_TEXT]; /* does not stop the metric */
};

/* Takes over what the identity says of the target state. */
void gate_remember(struct gate_memory *memory, const struct identity *identity);

/* Pure. */
void gate_decide(const struct conf_metrics *conf, const struct identity *identity,
                 const struct gate_memory *memory, struct gate *ret);

bool gate_open(const struct gate *gate);
bool gate_same(const struct gate *a, const struct gate *b);

#endif
