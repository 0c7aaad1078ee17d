/*
 * Every process; the one place that logs. Blocks on standard error, unless
 * log_nonblocking() was called, as it is in every service. Owns the log's state.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static struct {
	const char *name;
	enum log_level level;
	bool journal;
	unsigned long dropped;
} sink = { .name = "wna", .level = LOG_LEVEL_INFO };

/* syslog(3) levels, which journald reads from "<N>" at the start of a line. */
static const int journal_levels[LOG_LEVEL_MAX] = { 3, 4, 6, 7 };

void log_init(const char *name, enum log_level level)
{
	sink.name = name;
	sink.level = level;
	/* systemd sets it if standard error is the journal. */
	sink.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_nonblocking(void)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	if (flags >= 0)
		fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

unsigned long log_dropped(void)
{
	return sink.dropped;
}

static const char *priority_name(int priority)
{
	static const char *const names[] = { "emerg",   "alert",  "crit", "error",
		                             "warning", "notice", "info", "debug" };

	return priority >= 0 && priority < 8 ? names[priority] : "?";
}

__attribute__((format(printf, 2, 0))) static void log_line(int priority, const char *format,
                                                           va_list args)
{
	char line[1024], stamp[32];
	int saved = errno, head, body;
	size_t len;
	ssize_t written;

	if (sink.journal)
		/* The journal names the process itself. */
		head = snprintf(line, sizeof line, "<%d>", priority);
	else
		head = snprintf(line, sizeof line,
		                "%s %s %s: ", clock_iso8601(clock_wall_ms(), stamp, sizeof stamp),
		                sink.name, priority_name(priority));
	body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
	if (body < 0)
		goto out;
	len = strlen(line);
	/* A foreign text must not forge a second line or steer a terminal. */
	for (size_t i = (size_t)head; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	do {
		written = write(STDERR_FILENO, line, len);
	} while (written < 0 && errno == EINTR);
	if (written != (ssize_t)len)
		sink.dropped++;
out:
	errno = saved;
}

#define LOG_FUNCTION(function, severity)                                                           \
	void function(const char *format, ...)                                                     \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		if ((severity) <= sink.level)                                                      \
			log_line(journal_levels[severity], format, args);                          \
		va_end(args);                                                                      \
	}

void log_flip(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(priority, format, args);
	va_end(args);
}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
