/*
 * wnad, once at start. Reads /proc entries that never wait for another
 * process's memory (exe, cgroup, stat; not cmdline). Owns nothing.
 */
#include "leftover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pidstat.h"
#include "str.h"

enum { ANCESTORS_MAX = 64 };

bool leftover_is_ours(const char *exe, const char *folder)
{
	size_t len = strlen(folder);

	return len > 0 && strncmp(exe, folder, len) == 0 && strncmp(exe + len, "/wna-", 5) == 0 &&
	       !strchr(exe + len + 1, '/');
}

/* Its length without what the kernel adds when the file is gone (proc(5)). */
static size_t exe_len(const char *exe)
{
	static const char gone[] = " (deleted)";
	size_t len = strlen(exe), gone_len = sizeof gone - 1;

	if (len > gone_len && strcmp(exe + len - gone_len, gone) == 0)
		len -= gone_len;
	return len;
}

bool leftover_same_exe(const char *a, const char *b)
{
	size_t len = exe_len(a);

	return len == exe_len(b) && memcmp(a, b, len) == 0;
}

const char *leftover_cgroup(const char *text, size_t *ret_len)
{
	const char *systemd = NULL;
	size_t systemd_len = 0;

	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n');
		const char *controllers = memchr(line, ':', (size_t)(end - line));

		if (controllers && strncmp(line, "0::/", 4) == 0) {
			*ret_len = (size_t)(end - line);
			return line;
		}
		if (controllers && strncmp(controllers, ":name=systemd:", 14) == 0) {
			systemd = line;
			systemd_len = (size_t)(end - line);
		}
		line = *end ? end + 1 : end;
	}
	*ret_len = systemd_len;
	return systemd;
}

static bool read_text(int proc, const char *path, char *ret, size_t size)
{
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, ret, size - 1);
	close(fd);
	if (n < 0)
		return false;
	ret[n] = '\0';
	return true;
}

static bool read_exe(int proc, const char *pid, char *ret, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof path, "%s/exe", pid);
	n = readlinkat(proc, path, ret, size - 1);
	if (n < 0)
		return false;
	ret[n] = '\0';
	return true;
}

static bool has_living_wnad(int proc, const char *pid, const char *own_exe)
{
	char ancestor[32], exe[PATH_MAX];
	struct pidstat stat;

	/* Process 1 adopts orphans: being its child proves nothing. */
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		if (!pidstat_read(proc, i ? ancestor : pid, &stat) || stat.parent <= 1)
			return false;
		snprintf(ancestor, sizeof ancestor, "%d", stat.parent);
		if (read_exe(proc, ancestor, exe, sizeof exe) && leftover_same_exe(exe, own_exe))
			return true;
	}
	return false;
}

static bool same_cgroup(int proc, const char *pid, const char *own)
{
	char path[PATH_MAX], text[4096];
	const char *line;
	size_t len;

	snprintf(path, sizeof path, "%s/cgroup", pid);
	if (!read_text(proc, path, text, sizeof text))
		return false;
	line = leftover_cgroup(text, &len);
	return line && len == strlen(own) && memcmp(line, own, len) == 0;
}

/* By descriptor, so that a number that has changed hands meanwhile is safe. */
static bool kill_checked(int proc, const char *pid, const char *folder)
{
	char exe[PATH_MAX];
	int64_t number;
	int pidfd;
	bool killed = false, old_kernel;

	if (!str_int64(pid, 1, INT32_MAX, &number))
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)number, 0);
	old_kernel = pidfd < 0 && errno == ENOSYS;
	if (!read_exe(proc, pid, exe, sizeof exe) || !leftover_is_ours(exe, folder))
		goto out;
	if (pidfd >= 0)
		killed = syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
	else if (old_kernel)
		killed = kill((pid_t)number, SIGKILL) == 0;
out:
	if (pidfd >= 0)
		close(pidfd);
	return killed;
}

int leftover_kill(const char *libexec)
{
	char folder[PATH_MAX], own_exe[PATH_MAX], own_cgroup[4096], exe[PATH_MAX];
	const struct dirent *entry;
	const char *line;
	size_t len;
	int proc, rc = 0;
	DIR *dir;

	if (!realpath(libexec, folder))
		return -errno;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	proc = dirfd(dir);
	if (!read_text(proc, "self/cgroup", own_cgroup, sizeof own_cgroup) ||
	    !read_exe(proc, "self", own_exe, sizeof own_exe)) {
		rc = -ENOENT;
		goto out;
	}
	line = leftover_cgroup(own_cgroup, &len);
	if (!line) {
		rc = -ENOENT;
		goto out;
	}
	memmove(own_cgroup, line, len);
	own_cgroup[len] = '\0';
	while ((entry = readdir(dir))) {
		const char *pid = entry->d_name;

		if (pid[0] < '1' || pid[0] > '9' || !read_exe(proc, pid, exe, sizeof exe))
			continue;
		if (leftover_is_ours(exe, folder) && same_cgroup(proc, pid, own_cgroup) &&
		    !has_living_wnad(proc, pid, own_exe) && kill_checked(proc, pid, folder))
			rc++;
	}
out:
	closedir(dir);
	return rc;
}
