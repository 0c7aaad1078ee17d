/* Whether a mount target takes connections. */
#ifndef WNA_PROBE_REACH_H
#define WNA_PROBE_REACH_H

#include <stdint.h>

#include "probe.h"

/* Connects to `port` of all addresses of *answer at once, for `limit_ms` at most, and keeps those
 * that take the connection. Sends no data. */
void probe_reach(uint16_t port, int64_t limit_ms, struct probe_answer *answer);

#endif
