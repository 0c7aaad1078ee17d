/*
 * Run by wna-mount as root. Blocks until the helper of an earlier run is gone.
 * Reads /proc/PID/stat, which waits for nobody. Owns the note in the run folder.
 */
#include "former.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "pidstat.h"
#include "str.h"

enum { RETRY_MS = 1000 }; /* killed, and still not gone */

struct note {
	int64_t group, session, start; /* of the wna-mount that wrote it, which led the group */
	int64_t at_ms;                 /* monotonic, the same clock in every process */
};

static bool read_text(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, ret, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	ret[n] = '\0';
	return true;
}

/* `count` decimal numbers with blanks between. */
static bool numbers(const char *text, int64_t *ret, size_t count)
{
	char *end;

	for (size_t i = 0; i < count; i++, text = end) {
		errno = 0;
		ret[i] = strtoll(text, &end, 10);
		if (end == text || errno != 0)
			return false;
	}
	return true;
}

static bool read_stat(const char *pid, struct pidstat *ret)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool there = proc >= 0 && pidstat_read(proc, pid, ret);

	if (proc >= 0)
		close(proc);
	return there;
}

int former_note(const char *file)
{
	struct pidstat self;
	char text[128];
	int fd, n, rc;

	if (!read_stat("self", &self))
		return -ESRCH;
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof text, "%d %d %" PRId64 " %" PRId64 "\n", self.group, self.session,
	             self.start, clock_ms());
	rc = write(fd, text, (size_t)n) == n ? 0 : -errno;
	close(fd);
	return rc;
}

void former_forget(const char *file)
{
	unlink(file);
}

static bool read_note(const char *file, struct note *ret)
{
	int64_t fields[4];
	char text[128];

	if (!read_text(file, text, sizeof text) || !numbers(text, fields, 4))
		return false;
	*ret = (struct note){ fields[0], fields[1], fields[2], fields[3] };
	return ret->group > 1 && ret->group <= INT32_MAX && ret->group != getpgrp();
}

/*
 * A group's number is free for others once all its members are gone: then a
 * process of that number is not the one that was noted, or, where that has ended
 * too, its orphans are of another session.
 */
static bool is_anew(const struct note *note)
{
	struct pidstat leader;
	char pid[24];

	snprintf(pid, sizeof pid, "%" PRId64, note->group);
	return read_stat(pid, &leader) && leader.start != note->start;
}

/* One living process of the noted group; 0 if there is none. */
static pid_t find_living(const struct note *note)
{
	const struct dirent *entry;
	struct pidstat member;
	int64_t pid;
	pid_t found = 0;
	DIR *dir;

	if (is_anew(note))
		return 0;
	dir = opendir("/proc");
	if (!dir)
		return 0;
	while (found == 0 && (entry = readdir(dir))) {
		if (str_int64(entry->d_name, 2, INT32_MAX, &pid) &&
		    read_stat(entry->d_name, &member) && member.state != 'Z' &&
		    member.state != 'X' && member.group == note->group &&
		    member.session == note->session)
			found = (pid_t)pid;
	}
	closedir(dir);
	return found;
}

/* Until the process ends, but no longer than `until_ms`. */
static void wait_for(pid_t pid, int64_t until_ms)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int64_t left = until_ms - clock_ms();

	if (end.fd < 0 && errno == ESRCH)
		return;
	left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
	/* Without a descriptor (kernel before 5.3) it is a pause. */
	if (end.fd < 0 && left > RETRY_MS)
		left = RETRY_MS;
	poll(&end, 1, (int)left);
	if (end.fd >= 0)
		close(end.fd);
}

bool former_wait(const char *file, int64_t timeout_ms, void (*waiting)(void *arg, int pid),
                 void *arg)
{
	struct note note;
	int64_t until_ms;
	bool waited = false;
	pid_t pid;

	if (!read_note(file, &note))
		return false;
	until_ms = note.at_ms + timeout_ms;
	while ((pid = find_living(&note)) > 0) {
		if (!waited)
			waiting(arg, pid);
		waited = true;
		if (clock_ms() >= until_ms) {
			kill(-(pid_t)note.group, SIGKILL);
			until_ms = clock_ms() + RETRY_MS;
		}
		wait_for(pid, until_ms);
	}
	former_forget(file);
	return true;
}
