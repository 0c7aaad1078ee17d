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

int note_write(int fd, int64_t healthz, int64_t now)
{
	char text[NOTE_SIZE + 1];
	ssize_t n;

	if (healthz < 0 || healthz >= LEVEL_MAX)
		return 0;
	/* Always the same length: one write replaces all of it. */
	snprintf(text, sizeof text, "%s %-*" PRId64, verdict_level_name(healthz),
	         NOTE_SIZE - 2 - (int)strlen(verdict_level_name(healthz)), now);
	text[NOTE_SIZE - 1] = '\n';
	n = pwrite(fd, text, NOTE_SIZE, 0);
	if (n < 0)
		return -errno;
	return n == NOTE_SIZE ? 0 : -EIO;
}

int64_t note_read(int fd, int64_t now)
{
	char text[NOTE_SIZE + 1];
	int64_t at;
	char *when;

	if (pread(fd, text, NOTE_SIZE, 0) != NOTE_SIZE || text[NOTE_SIZE - 1] != '\n')
		return -1;
	text[NOTE_SIZE - 1] = '\0';
	when = strchr(text, ' ');
	if (!when)
		return -1;
	*when++ = '\0';
	if (!str_int64(str_trim(when), 0, now, &at) || now - at > NOTE_MAX_AGE_MS)
		return -1;
	for (int64_t level = 0; level < LEVEL_MAX; level++) {
		if (strcmp(text, verdict_level_name(level)) == 0)
			return level;
	}
	return -1;
}
