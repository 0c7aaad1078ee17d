/* Whether a mount target accepts connections. */
#ifndef WNA_PROBE_REACH_H
#define WNA_PROBE_REACH_H

#include <stdint.h>

#include "probe.h"

/* Connects to `port` of all addresses of *answer at once, for `limit_ms` at most. Of the first
 * `own` it keeps those that accept the connection; one of the others becomes answer->other. Sends no
 * data. */
void probe_reach(uint16_t port, unsigned own, int64_t limit_ms, struct probe_answer *answer);

#endif
