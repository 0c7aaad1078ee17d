/*
 * Datagrams: workers' facts to the core, stamped with their sender and not
 * looked into; the core's orders; nothing ever waits.
 */
#ifndef SUPERVISOR_RELAY_H
#define SUPERVISOR_RELAY_H

#include <stdint.h>

#include "supervisor.h"

/* Takes what a child has sent. */
void relay_receive(struct child *child, int64_t now);

/* Obeys what a core ordered before it was in charge. */
void relay_early(struct child *core, int64_t now);

/* One of wnad's own facts, to every core there is. */
void relay_own(struct supervisor *sv, const struct msg *msg);

/* What the core last told this worker; for one that has just been started. */
void relay_tells(struct supervisor *sv, struct child *child);

#endif
