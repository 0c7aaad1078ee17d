/*
 * Between core_judge.c and its two halves; nobody else includes this.
 */
#ifndef CORE_JUDGE_PARTS_H
#define CORE_JUDGE_PARTS_H

#include "core_judge.h"

struct judge {
	const struct state *state;
	const struct conf *conf;
	const struct facts *facts;
	int64_t now_ms;
	int64_t until_ms;
};

/* How far a finding reaches. */
enum reach {
	REACH_NONE,   /* shown only */
	REACH_READY,  /* shared: /readyz */
	REACH_HEALTH, /* local: /healthz and /readyz */
};

/* Fills level, reach and why (NULL: nothing is wrong). */
__attribute__((format(printf, 4, 5))) void judge_find(struct finding *ret, enum verdict_level level,
                                                      enum reach reach, const char *why, ...);

/* facts_fresh, remembering when its answer will change by age. */
bool judge_fresh(struct judge *judge, enum fact_id id, unsigned slot);

/* Whether `at_ms` lies ahead; if so the verdict may change then. */
bool judge_before(struct judge *judge, int64_t at_ms);

void judge_mount(struct judge *judge, struct finding *ret);
void judge_identity(struct judge *judge, struct finding *ret);
void judge_database(struct judge *judge, struct finding *ret);
void judge_metrics(struct judge *judge, struct finding *ret);

#endif
