/* wna-mount and wna-check; never blocks. */
#include "pidstat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* After the state, counted from the file's fourth field. */
enum { FIELD_PARENT, FIELD_GROUP, FIELD_SESSION, FIELD_START = 18, FIELDS };

/* The text of such a file. False if it is none. */
static bool pidstat_parse(const char *text, struct pidstat *ret)
{
	/* The second field, the name in parentheses, may hold anything, also ')'. */
	const char *at = strrchr(text, ')');
	long long field[FIELDS];
	char state, *end;

	if (!at || at[1] != ' ' || at[2] == '\0')
		return false;
	state = at[2];
	at += 3;
	for (int i = 0; i < FIELDS; i++, at = end) {
		errno = 0;
		field[i] = strtoll(at, &end, 10);
		if (end == at || errno != 0 ||
		    (i <= FIELD_SESSION && (field[i] < INT_MIN || field[i] > INT_MAX)))
			return false;
	}
	ret->state = state;
	ret->parent = (pid_t)field[FIELD_PARENT];
	ret->group = (pid_t)field[FIELD_GROUP];
	ret->session = (pid_t)field[FIELD_SESSION];
	ret->start = field[FIELD_START];
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
