/*
 * Last words. wnad ends a late wna-mount with TERM and, two seconds later,
 * KILL on its process group; on TERM the process says how far it came and
 * leaves. What it would say is kept ready, because the handler may only do
 * what is async-signal-safe.
 */
#ifndef WNA_MOUNT_WORDS_H
#define WNA_MOUNT_WORDS_H

#include "worker.h"

/* Arms the handler. The worker must stay where it is. */
void words_arm(const struct worker *worker);

/* What to say from now on: FACT_MOUNT with this state and reason. */
void words_set(enum mount_state state, const char *why);

/* All is said: from now on it leaves without a word. */
void words_forget(void);

/* For a forked child: takes the handler off again. */
void words_disarm(void);

#endif
