/* wnad; the file is on a tmpfs, so it never blocks. Owns nothing. */
#include "note.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "str.h"
#include "verdict.h"

enum { NOTE_SIZE = 40 };

int note_write(int fd, const struct note *note)
{
	const char *level = verdict_level_name(note->healthz);
	char text[NOTE_SIZE + 1];
	ssize_t n;

	if (note->healthz < 0 || note->healthz >= LEVEL_MAX)
		return 0;
	/* Always the same length: one write replaces all of it. */
	snprintf(text, sizeof text, "%s %-*" PRId64, level, NOTE_SIZE - 2 - (int)strlen(level),
	         note->at_ms);
	text[NOTE_SIZE - 1] = '\n';
	n = pwrite(fd, text, NOTE_SIZE, 0);
	if (n < 0)
		return -errno;
	return n == NOTE_SIZE ? 0 : -EIO;
}

void note_read(int fd, int64_t now, struct note *ret)
{
	struct note note = { .healthz = -1 };
	char text[NOTE_SIZE + 1];
	char *when;

	*ret = note;
	if (pread(fd, text, NOTE_SIZE, 0) != NOTE_SIZE || text[NOTE_SIZE - 1] != '\n')
		return;
	text[NOTE_SIZE - 1] = '\0';
	when = strchr(text, ' ');
	if (!when)
		return;
	*when++ = '\0';
	if (!str_int64(str_trim(when), 0, now, &note.at_ms))
		return;
	for (int64_t level = 0; level < LEVEL_MAX; level++) {
		if (strcmp(text, verdict_level_name(level)) == 0)
			note.healthz = level;
	}
	if (note_healthz(&note, now) >= 0)
		*ret = note;
}

int64_t note_healthz(const struct note *note, int64_t now)
{
	return now - note->at_ms <= NOTE_MAX_AGE_MS ? note->healthz : -1;
}
