/* Run by wna-mount as root. Reads /proc/PID/stat, which waits for nobody. Owns the note. */
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "envfile.h"
#include "pidstat.h"
#include "str.h"

bool former_of(pid_t pid, int64_t at_ms, struct former *ret)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct pidstat stat;
	char name[16];
	bool found;

	snprintf(name, sizeof name, "%d", pid);
	found = proc >= 0 && pidstat_read(proc, name, &stat);
	if (proc >= 0)
		close(proc);
	if (found)
		*ret = (struct former){ pid, stat.session, stat.start, at_ms };
	return found;
}

int former_note(const char *file, const struct former *former)
{
	char text[128];
	int fd, n, rc;

	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
	             former->group, former->session, former->start, former->at_ms);
	rc = write(fd, text, (size_t)n) == n ? 0 : -errno;
	close(fd);
	return rc;
}

bool former_read(const char *file, struct former *ret)
{
	char text[128], *rest = text, *word;
	int64_t field[4];

	if (envfile_read(file, text, sizeof text) < 0)
		return false;
	for (size_t i = 0; i < 4; i++) {
		word = strsep(&rest, " \n");
		if (!word || !str_int64(word, i == 0 ? 2 : 0, INT64_MAX, &field[i]))
			return false;
	}
	*ret = (struct former){ field[0], field[1], field[2], field[3] };
	return true;
}

pid_t former_living(const struct former *former)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");
	struct pidstat stat;
	int64_t pid, found = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (!str_int64(entry->d_name, 2, INT32_MAX, &pid) ||
		    !pidstat_read(dirfd(dir), entry->d_name, &stat))
			continue;
		if (pid == former->group && stat.start != former->start) {
			found = 0;
			break;
		}
		if (stat.group == former->group && stat.session == former->session &&
		    stat.state != 'Z' && stat.state != 'X')
			found = pid;
	}
	closedir(dir);
	return (pid_t)found;
}
