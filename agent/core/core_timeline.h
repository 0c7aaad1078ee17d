/*
 * The last changes, for people: a ring of LIMIT_TIMELINE lines with wall time.
 * Pure.
 */
#ifndef CORE_TIMELINE_H
#define CORE_TIMELINE_H

#include <stdint.h>

#include "limits.h"

enum { TIMELINE_TEXT = 256 };

struct timeline_entry {
	int64_t wall_ms;
	char what[TIMELINE_TEXT]; /* valid UTF-8, no control characters */
};

struct timeline {
	struct timeline_entry item[LIMIT_TIMELINE];
	unsigned count; /* ever added */
};

void timeline_init(struct timeline *timeline);

/* Adds one line; it is cleaned, and cut if too long. The oldest one goes. */
void timeline_add(struct timeline *timeline, int64_t wall_ms, const char *what);

/* Entries kept now, and the i-th of them, oldest first. NULL past the end. */
unsigned timeline_kept(const struct timeline *timeline);
const struct timeline_entry *timeline_get(const struct timeline *timeline, unsigned i);

#endif
