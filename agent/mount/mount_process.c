/* Run by wna-mount as root; never blocks. Owns nothing. */
#include "mount_tidy.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "str.h"

/* Of the arguments: the path of a configuration comes early. */
enum { COMMAND_BYTES = 4096 };

static bool has_name(int proc, pid_t pid, const char *const *names)
{
	char path[32], name[32];

	snprintf(path, sizeof path, "%d/comm", pid);
	if (file_load(proc, path, FILE_OF_ANYBODY, name, sizeof name) < 0)
		return false;
	while (*names && strncmp(name, *names, strlen(*names)) != 0)
		names++;
	return *names;
}

static bool has_word(int proc, pid_t pid, const char *word)
{
	char path[32], text[COMMAND_BYTES];
	ssize_t len;

	snprintf(path, sizeof path, "%d/cmdline", pid);
	len = file_load(proc, path, FILE_OF_ANYBODY, text, sizeof text);
	for (const char *at = text; at < text + len; at += strlen(at) + 1) {
		if (strcmp(at, word) == 0)
			return true;
	}
	return false;
}

static bool matches(int proc, pid_t pid, const struct process_match *match)
{
	return has_name(proc, pid, match->names) &&
	       (match->group == 0 || getpgid(pid) == match->group) &&
	       (!match->word || has_word(proc, pid, match->word));
}

/* Whether it matched. */
static bool end(int proc, pid_t pid, const struct process_match *match)
{
	bool found;
	int fd;

	if (!matches(proc, pid, match))
		return false;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* The number may have been given to another process before it was opened. */
	found = fd >= 0 && matches(proc, pid, match);
	if (found)
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	if (fd >= 0)
		close(fd);
	return found;
}

unsigned process_kill(const struct process_match *match)
{
	const struct dirent *entry;
	unsigned count = 0;
	int64_t pid;
	DIR *proc = opendir("/proc");

	if (!proc)
		return 0;
	while ((entry = readdir(proc))) {
		if (str_int64(entry->d_name, 1, INT32_MAX, &pid))
			count += end(dirfd(proc), (pid_t)pid, match);
	}
	closedir(proc);
	return count;
}
