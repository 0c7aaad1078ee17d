/* wnad; never blocks. */
#include "pidstat.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool number(const char **text, pid_t *ret)
{
	char *end;
	long value = strtol(*text, &end, 10);

	if (end == *text || value < INT_MIN || value > INT_MAX)
		return false;
	*text = end;
	*ret = (pid_t)value;
	return true;
}

bool pidstat_parse(const char *text, struct pidstat *ret)
{
	/* The second field, the name in parentheses, may hold anything, also ')'. */
	const char *at = strrchr(text, ')');
	struct pidstat stat;

	if (!at || at[1] != ' ' || at[2] == '\0')
		return false;
	stat.state = at[2];
	at += 3;
	if (!number(&at, &stat.parent) || !number(&at, &stat.group))
		return false;
	*ret = stat;
	return true;
}

bool pidstat_read(int proc, const char *pid, struct pidstat *ret)
{
	char path[NAME_MAX + 8], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return pidstat_parse(text, ret);
}
