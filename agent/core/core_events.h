/*
 * Single facts that belong on the timeline although no verdict changes.
 */
#ifndef CORE_EVENTS_H
#define CORE_EVENTS_H

#include "core_facts.h"
#include "core_timeline.h"

/* Compares the word before with the word now of one fact. */
void events_note(struct timeline *timeline, enum fact_id id, const struct fact *before,
                 const struct fact *after, int64_t wall_ms);

#endif
