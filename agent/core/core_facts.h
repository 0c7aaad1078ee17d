/*
 * The fact table: the last word of each finder, and its age. Pure; nothing here
 * reads a clock or allocates.
 */
#ifndef CORE_FACTS_H
#define CORE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "hub.h"

/* The age at which a fact never becomes unknown. */
#define FACTS_AGELESS INT64_MAX

struct fact {
	int64_t value, more[HUB_MORE];
	char text[LIMIT_FACT_TEXT]; /* valid UTF-8 without control characters */
	char why[LIMIT_FACT_WHY];   /* same */
	int64_t at_ms;              /* monotonic, when it was found: at the latest on arrival */
	int64_t since_ms;           /* monotonic, from when on value has been this */
	int64_t since_wall_ms;      /* the same instant as Unix time, for people */
	bool seen;
};

struct facts {
	struct fact single[FACT_MAX];    /* all that have one instance */
	struct fact check[LIMIT_CHECKS]; /* as in the configuration's list */
	uint64_t taken, refused;
};

void facts_init(struct facts *facts);

/*
 * Takes one fact that a peer of `role` says. 0 and *ret_slot, its instance; refused
 * and counted: -EPERM it is not the role's to tell, -EINVAL no such fact, slot, name
 * or value (a state outside its enum, a check that is not configured).
 */
int facts_take(struct facts *facts, const struct conf *conf, enum role role, const struct msg *msg,
               int64_t now_ms, int64_t wall_ms, unsigned *ret_slot);

/* The last word, or one with seen == false. The slot must be in the fact's range. */
const struct fact *facts_get(const struct facts *facts, enum fact_id id, unsigned slot);

/* Heard of, and not older than its maximum age. */
bool facts_fresh(const struct facts *facts, const struct conf *conf, enum fact_id id, unsigned slot,
                 int64_t now_ms);

/* The first instant at which a fresh fact is unknown by age alone; INT64_MAX
 * if never (ageless, or not heard of). */
int64_t facts_expiry_ms(const struct facts *facts, const struct conf *conf, enum fact_id id,
                        unsigned slot);

#endif
