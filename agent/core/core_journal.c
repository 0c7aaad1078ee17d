/* wna-core, and the simulator. Never blocks. Owns one socket to the journal. */
#include "core_journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* syslog(3) */
enum { PRIORITY_ERR = 3, PRIORITY_WARNING = 4, PRIORITY_NOTICE = 5, PRIORITY_INFO = 6 };

static int journal_fd = -1;
static unsigned long dropped;

void journal_init(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };

	if (!getenv("JOURNAL_STREAM"))
		return;
	journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal_fd >= 0 && connect(journal_fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		close(journal_fd);
		journal_fd = -1;
	}
}

static int priority(enum verdict_level to)
{
	switch (to) {
	case LEVEL_FAIL: return PRIORITY_ERR;
	case LEVEL_DEGRADED: return PRIORITY_WARNING;
	case LEVEL_OK: return PRIORITY_NOTICE;
	default: return PRIORITY_INFO;
	}
}

static void put(struct sb *sb, const char *key, const char *text)
{
	char line[512];

	/* A line feed would end the field and begin another. */
	str_clean(line, sizeof line, text, strlen(text));
	sb_printf(sb, "%s=%s\n", key, line);
}

void journal_flip(const char *what, enum verdict_level from, enum verdict_level to, const char *why,
                  const char *text)
{
	char entry[2048];
	struct sb sb;

	if (journal_fd < 0) {
		log_flip(priority(to), "%s", text);
		return;
	}
	sb_init(&sb, entry, sizeof entry);
	sb_printf(&sb, "PRIORITY=%d\nSYSLOG_IDENTIFIER=wna-core\nMESSAGE_ID=" JOURNAL_FLIP_ID "\n",
	          priority(to));
	put(&sb, "MESSAGE", text);
	put(&sb, "WNA_JOB", what);
	put(&sb, "WNA_FROM", verdict_level_name(from));
	put(&sb, "WNA_TO", verdict_level_name(to));
	put(&sb, "WNA_WHY", why);
	if (send(journal_fd, entry, sb.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		dropped++;
}

unsigned long journal_dropped(void)
{
	return dropped;
}
