/*
 * The verdict: a pure, total function of configuration, state and time. The
 * same inputs give the same answer; it does no I/O and reads no clock.
 *
 * Every finding is local (only this node can have it) or shared (everyone has
 * it at once). Only local ones turn /healthz, because an Auto Scaling group
 * replaces what it answers 503 for, and a shared failure would replace the
 * fleet (AWS Builders' Library, "Implementing health checks").
 */
#ifndef CORE_JUDGE_H
#define CORE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core_state.h"

enum job { JOB_IDENTITY, JOB_MOUNT, JOB_CHECKS, JOB_DATABASE, JOB_METRICS, JOB_MAX };

/* "identity" "mount" "checks" "database" "metrics"; "?" outside. */
const char *job_name(int64_t job);

enum { JUDGE_TEXT = 256 };

struct finding {
	enum verdict_level level;
	bool turns_health;     /* makes /healthz 503 */
	bool turns_ready;      /* makes /readyz 503; always with turns_health */
	char what[JUDGE_TEXT]; /* one line of substance; moves with every fact */
	char why[JUDGE_TEXT];  /* what is wrong; empty if nothing is */
	char next[JUDGE_TEXT]; /* what the agent does next; moves with the clock */
};

struct verdict {
	struct finding job[JOB_MAX];
	struct finding check[LIMIT_CHECKS]; /* level and why only */
	enum verdict_level health, ready;   /* never LEVEL_OFF */
	char why[JUDGE_TEXT];               /* of the worst finding, with its job's name */
	int64_t until_ms; /* ageing alone can change nothing before this; INT64_MAX: ever */
};

void judge_verdict(const struct state *state, int64_t now_ms, struct verdict *ret);

/* 200 or 503: what an endpoint of this level answers. */
int judge_code(enum verdict_level level);

#endif
