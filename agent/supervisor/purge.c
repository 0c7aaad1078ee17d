/*
 * wnad --purge, as root; by hand or by the package when it is erased. May block on the
 * local disk and on wna-mount, which takes the immutable flags back.
 */
#include "purge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "rundir.h"
#include "supervisor.h"

#define CONF_DIR      "/etc/web-node-agent"
#define STATE_PARENT  "/var/lib"
#define RUN_PARENT    "/run"
#define NAME          "web-node-agent"
#define DATABASE_NAME "web-node-agent-database" /* RuntimeDirectory= of its service */
#define RECORD        "guarded"                 /* wna-mount's list of immutable directories */

enum {
	RELEASE_LIMIT_S = 30,
	RELEASE_KILLED_MS = 32 * 1000, /* then not even its alarm gets it out of the kernel */
};

void purge_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("wnad: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

void purge_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("wnad: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* Held to the end, so that none starts meanwhile: its folder is made for it if need be, and
 * goes last. */
static int take_lock(bool *ret_made)
{
	pid_t holder = 0;
	int fd = rundir_lock(&holder);

	*ret_made = false;
	if (fd == -ENOENT) {
		*ret_made = mkdir(CONF_RUN_DIR, 0755) == 0;
		if (*ret_made || errno == EEXIST)
			fd = rundir_lock(&holder);
	}
	if (fd == -EBUSY)
		purge_fail("it runs, as process %d: first systemctl stop web-node-agent", holder);
	else if (fd < 0)
		purge_fail("%s/lock: %s", CONF_RUN_DIR, strerror(-fd));
	return fd;
}

static void be_wna_mount(const char *libexec)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C";
	static char name[] = "wna-mount", release[] = "--release";
	char *argv[] = { name, release, NULL }, *envp[] = { path, lang, NULL };
	char exe[PATH_MAX];

	/* The disk below an old mount point may be away, and rpm waits for us. */
	alarm(RELEASE_LIMIT_S);
	snprintf(exe, sizeof exe, "%s/wna-mount", libexec);
	execve(exe, argv, envp);
	fprintf(stderr, "wnad: %s: %s\n", exe, strerror(errno));
	_exit(127);
}

/* 0 with its status, -ETIMEDOUT while the kernel holds it, or -errno. */
static int wait_for(pid_t pid, int *ret_status)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	pid_t got;

	if (end.fd >= 0) {
		poll(&end, 1, RELEASE_KILLED_MS);
		close(end.fd);
	}
	do {
		got = waitpid(pid, ret_status, end.fd >= 0 ? WNOHANG : 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got == 0 ? -ETIMEDOUT : 0;
}

/* wna-mount has set the flags and has the list of them; it says what it does. */
static bool release_guards(const char *libexec)
{
	int status = 0, ended;
	pid_t pid;

	if (access(CONF_STATE_DIR "/" RECORD, F_OK) < 0 && errno == ENOENT)
		return true;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		be_wna_mount(libexec);
	ended = pid > 0 ? wait_for(pid, &status) : -errno;
	if (ended < 0) {
		purge_fail("wna-mount: %s", ended == -ETIMEDOUT
		                                    ? "does not end, even killed: the disk of a "
		                                      "directory is away"
		                                    : strerror(-ended));
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	purge_fail("not all directories of mount.path can be written again; their list is kept "
	           "in " CONF_STATE_DIR "/" RECORD);
	return false;
}

int purge(const char *libexec)
{
	bool all, released, made;
	int lock;

	if (geteuid() != 0) {
		purge_fail("--purge: expected to be run by root");
		return SUPERVISOR_FAILED;
	}
	lock = take_lock(&made);
	if (lock < 0)
		return lock == -EBUSY ? PURGE_BUSY : SUPERVISOR_FAILED;
	released = release_guards(libexec);
	all = purge_files(CONF_DIR) && released;
	/* Without the list a second attempt would not know what is left to do. */
	all = purge_tree(STATE_PARENT, NAME, released ? NULL : RECORD) && all;
	all = purge_tree(RUN_PARENT, DATABASE_NAME, NULL) && all;
	/* Of a folder that was made for the lock alone there is nothing to tell. */
	if (!made)
		all = purge_tree(RUN_PARENT, NAME, "lock") && all;
	/* A wnad that starts between the two has taken a lock of its own: the folder stays. */
	all = (unlink(CONF_RUN_DIR "/lock") == 0 || errno == ENOENT) && all;
	if (rmdir(CONF_RUN_DIR) == 0) {
		if (!made)
			purge_say("removed " CONF_RUN_DIR);
	} else if (errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST) {
		purge_fail("%s: %s", CONF_RUN_DIR, strerror(errno));
		all = false;
	}
	close(lock);
	if (fflush(stdout) != 0)
		all = false;
	return all ? SUPERVISOR_STOPPED : SUPERVISOR_FAILED;
}
