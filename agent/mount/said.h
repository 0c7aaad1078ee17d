/*
 * What a mount helper said, boiled down to the one line that explains. Fed in
 * pieces as they come out of a pipe; a helper may write without end.
 */
#ifndef WNA_MOUNT_SAID_H
#define WNA_MOUNT_SAID_H

#include <stddef.h>

#include "limits.h"

struct said {
	char line[512]; /* unfinished line */
	size_t len;
	char last[LIMIT_FACT_WHY]; /* last finished line that means something */
};

void said_init(struct said *said);
void said_feed(struct said *said, const char *data, size_t len);

/*
 * The last meaningful line, also an unfinished one; control characters gone.
 * Lines that only point to documentation ("See https://...") do not count,
 * and Python's b'...' around a message is taken off. Empty if nothing was said.
 * Valid until the next call.
 */
const char *said_last(struct said *said);

#endif
