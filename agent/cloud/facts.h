/*
 * Everything the metadata service has said of this node: the texts by their
 * fact, and the tags. Plain memory, no pointers; may be copied.
 */
#ifndef CLOUD_FACTS_H
#define CLOUD_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "fact.h"
#include "identity.h"
#include "limits.h"

/* The text facts of this job stand in one row in enum fact_id. */
enum {
	FACTS_FIRST = FACT_INSTANCE_ID,
	FACTS_END = FACT_TARGET_STATE + 1,
	FACTS_COUNT = FACTS_END - FACTS_FIRST,
};

enum facts_have { FACTS_UNKNOWN, FACTS_ABSENT, FACTS_PRESENT };

struct facts_text {
	enum facts_have have;
	bool asked; /* answered since this process started, not remembered */
	char text[LIMIT_HOST];
};

enum {
	TAGS_MAX = 64,          /* EC2 allows 50, and AWS adds its own */
	TAGS_BYTES = 16 * 1024, /* keys and values together, with their NULs */
	TAG_KEY_MAX = 128,
	TAG_VALUE_MAX = 1024, /* bytes; EC2 allows 256 characters */
};

struct tags {
	int count;
	int left_out; /* did not fit, or were not valid */
	uint32_t used;
	struct {
		uint16_t key, value; /* where in `text` */
	} item[TAGS_MAX];
	char text[TAGS_BYTES];
};

struct facts {
	struct facts_text text[FACTS_COUNT];
	bool asg_configured;       /* FACT_ASG is the configuration's word */
	enum facts_have tags_have; /* FACTS_ABSENT: not in the metadata */
	struct tags tags;
};

/* The slot of a text fact; id must be in FACTS_FIRST..FACTS_END-1. */
struct facts_text *facts_at(struct facts *facts, enum fact_id id);
const struct facts_text *facts_get(const struct facts *facts, enum fact_id id);

/* Whether `text` has the shape of the fact `id`. */
bool facts_valid(enum fact_id id, const char *text);

/* Stores an answer: a valid text, or NULL for "absent". True if it changed. */
bool facts_set(struct facts *facts, enum fact_id id, const char *text);

/* What the metric half reads, from all this: the texts of ret are written,
 * target_state_at_ms is not. */
void facts_identity(const struct facts *facts, struct identity *ret);

void tags_clear(struct tags *tags);
/* Adds one. False, and counted in left_out, if the key is not allowed, the value
 * is not UTF-8 without control characters, or there is no room. */
bool tags_add(struct tags *tags, const char *key, const char *value, size_t value_len);
const char *tags_key(const struct tags *tags, int i);
const char *tags_value(const struct tags *tags, int i);
bool tags_equal(const struct tags *a, const struct tags *b);

#endif
