/* wna-mount and wna-check; never blocks. */
#include "pidstat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file.h"

bool pidstat_read(int proc, pid_t pid, struct pidstat *ret)
{
	char path[32], text[1024];
	const char *at;

	snprintf(path, sizeof path, "%d/stat", pid);
	if (file_load(proc, path, FILE_OF_ANYBODY, text, sizeof text) < 0)
		return false;
	/* The name in parentheses may hold anything, also ')'. The state is field 3, the start
	 * field 22. */
	at = strrchr(text, ')');
	return at && sscanf(at,
	                    ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	                    "%*s %*s %" SCNd64,
	                    &ret->state, &ret->start) == 2;
}
