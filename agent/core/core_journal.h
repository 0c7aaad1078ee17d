/*
 * Changes of the verdict in the journal, as entries with fields of their own
 * (systemd.journal-fields(7)), at every log level: MESSAGE_ID=JOURNAL_FLIP_ID,
 * WNA_JOB, WNA_FROM, WNA_TO, WNA_WHY. Where there is no journal they are log lines.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "verdict.h"

/* sd_id128: "the verdict on a job, a check or a page changed". */
#define JOURNAL_FLIP_ID "6f3a1c0de4b94f0c9a5b7d2e81c6f417"

/* Connects to the journal if standard error leads there. Call before the sandbox. */
void journal_init(void);

/*
 * `what` went from one level to another. The priority goes by consequence: to fail
 * err, to degraded warning, to ok notice, else info. `text` is the line for people.
 * Never waits: what the journal does not take is counted (journal_dropped).
 */
void journal_flip(const char *what, enum verdict_level from, enum verdict_level to, const char *why,
                  const char *text);

unsigned long journal_dropped(void);

#endif
