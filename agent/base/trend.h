/*
 * A trend: one quantity over the last hour, a point a minute, and its text in a fact
 * (include/fact.h). Pure: the caller passes the time.
 */
#ifndef WNA_TREND_H
#define WNA_TREND_H

#include <stdbool.h>
#include <stdint.h>

#include "fact.h"

enum { TREND_MINUTE_MS = 60000 };

/* Zeroed, it is empty. */
struct trend {
	bool mean;      /* a point is the mean of its minute's values; otherwise the largest */
	int64_t minute; /* of the point that is not complete yet: monotonic ms / 60000 */
	int64_t count, sum, largest;  /* of its values so far */
	uint16_t point[TREND_POINTS]; /* of the minutes before it, the oldest first; encoded */
};

/* Adds a value of now, not negative. True if this began a new minute: the points have moved. */
bool trend_add(struct trend *trend, int64_t now_ms, int64_t value);

/* The points as a text, at most LIMIT_FACT_WHY bytes with the NUL. */
void trend_text(const struct trend *trend, char *ret);

/* The points of such a text, in `ret`, which has TREND_POINTS places; -1: none. What is missing
 * in a shorter text, or is not of its alphabet, is none. */
void trend_parse(const char *text, int64_t *ret);

#endif
