/*
 * Logging to standard error, one line a message: `subject: what happened`.
 * Under systemd each line bears its level ("<6>"); elsewhere time and name.
 * A message has no path for secrets: callers never pass tokens, passwords,
 * keys or signed headers. Control characters in arguments come out as '?'.
 */
#ifndef WNA_LOG_H
#define WNA_LOG_H

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
 * Makes writing to standard error unable to block: what the reader does not take is dropped
 * and counted. The flag belongs to the open file, hence to all who share it; a service has
 * its stream to the journal for itself.
 */
void log_nonblocking(void);

/* Messages dropped since the start of the process. */
unsigned long log_dropped(void);

/* A change that is told at every log level, with a priority of syslog(3): 3 err to 6 info. */
__attribute__((format(printf, 2, 3))) void log_flip(int priority, const char *format, ...);

__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_info(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *format, ...);

#endif
