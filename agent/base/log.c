/*
 * Every process; the one place that logs. Blocks on standard error, unless
 * log_nonblocking() was called, as it is in every service. Owns the log's state and one
 * socket to the journal.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static struct {
	const char *name;
	enum log_level level;
	bool journal;
	int journal_fd; /* -1: entries are log lines */
	unsigned long dropped;
} sink = { .name = "wna", .level = LOG_LEVEL_INFO, .journal_fd = -1 };

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

__attribute__((format(printf, 2, 3))) static void log_always(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(priority, format, args);
	va_end(args);
}

void log_to_journal(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };

	if (!getenv("JOURNAL_STREAM"))
		return;
	sink.journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sink.journal_fd >= 0 &&
	    connect(sink.journal_fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		close(sink.journal_fd);
		sink.journal_fd = -1;
	}
}

void log_field(struct sb *fields, const char *name, const char *text)
{
	char line[512];

	/* A line feed would end the field and begin another. */
	str_clean(line, sizeof line, text, strlen(text));
	sb_printf(fields, "%s=%s\n", name, line);
}

void log_entry(int priority, const char *text, struct sb *fields)
{
	char number[16];

	if (sink.journal_fd < 0) {
		log_always(priority, "%s", text);
		return;
	}
	snprintf(number, sizeof number, "%d", priority);
	log_field(fields, "PRIORITY", number);
	log_field(fields, "SYSLOG_IDENTIFIER", sink.name);
	log_field(fields, "MESSAGE", text);
	if (fields->cut ||
	    send(sink.journal_fd, fields->buf, fields->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		sink.dropped++;
}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
