/*
 * The log, on standard error: one line a message, `subject: what happened`. Under systemd each
 * line begins with its priority ("<6>"), elsewhere with time and name.
 * No caller passes a token, a password, a key or a signed header. Control characters in the
 * arguments become '?'.
 */
#ifndef WNA_LOG_H
#define WNA_LOG_H

#include "str.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_MAX
};

/* Names the process in messages and sets the highest level that is written.
 * Keeps the pointer `name`. */
void log_init(const char *name, enum log_level level);

/*
 * Sets O_NONBLOCK on standard error: lines that the reader does not read are dropped and counted.
 * The flag belongs to the open file description; no other process shares the stream of a service.
 */
void log_nonblocking(void);

/* Messages and entries dropped since the start of the process. */
unsigned long log_dropped(void);

/* Connects to the journal, for log_entry, if standard error leads there. Call before a sandbox. */
void log_to_journal(void);

/*
 * An entry of the journal with fields of its own (systemd.journal-fields(7)), made by
 * log_field; a log line where there is no journal. At every log level, with a priority of
 * syslog(3) from 3 (err) to 6 (info). Never waits for the journal.
 */
void log_entry(int priority, const char *text, struct sb *fields);

/* Adds a field; control characters in `text` become '?'. */
void log_field(struct sb *fields, const char *name, const char *text);

__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_info(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *format, ...);

#endif
