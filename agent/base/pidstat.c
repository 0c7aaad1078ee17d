/* wna-mount and wna-check; never blocks. */
#include "pidstat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { STATE = 3, START = 22 }; /* numbers of fields */

bool pidstat_read(int proc, pid_t pid, struct pidstat *ret)
{
	char path[32], text[1024], *at, *end;
	struct pidstat stat;

	snprintf(path, sizeof path, "%d/stat", pid);
	if (file_load(proc, path, FILE_OF_ANYBODY, text, sizeof text) < 0)
		return false;
	/* The name in parentheses may hold anything, also ')'. */
	at = strrchr(text, ')');
	if (!at || at[1] != ' ' || at[2] == '\0')
		return false;
	stat.state = at[2];
	at += 3;
	for (int field = STATE + 1; field <= START; field++, at = end) {
		stat.start = strtoll(at, &end, 10);
		if (end == at)
			return false;
	}
	*ret = stat;
	return true;
}
