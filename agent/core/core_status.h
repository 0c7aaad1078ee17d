/*
 * The body of /status and of the answer to ASK_STATUS: the JSON object
 * that include/verdict.h describes. Pure.
 */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "core.h"

enum { STATUS_BYTES = 128 * 1024 }; /* the worst tables fit: tests/unit/core/test_status.c */

/* What the sockets count. */
struct status_counters {
	uint64_t requests, accepted, evicted, timed_out, bad_requests, refused_status;
	uint64_t control, bad_messages;
};

/*
 * Renders into `ret`; judges anew, so that the countdowns are of now. Length,
 * or 0 if the buffer is too small (never with STATUS_BYTES).
 */
size_t status_render(const struct core *core, const struct status_counters *counters,
                     int64_t now_ms, int64_t wall_ms, char *ret, size_t size);

#endif
