/*
 * wnad --purge, as root; by hand or by the package when it is erased. May block on the
 * local disk and on wna-mount, which takes the immutable flags back.
 */
#include "purge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

enum { RELEASE_LIMIT_S = 30 };

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

/* wna-mount has set the flags and has the list of them; it says what it does. */
static bool release_guards(const char *libexec)
{
	int status;
	pid_t pid;

	if (access(CONF_STATE_DIR "/" RECORD, F_OK) < 0 && errno == ENOENT)
		return true;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		be_wna_mount(libexec);
	while (pid > 0 && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			pid = -1;
	}
	if (pid < 0) {
		purge_fail("wna-mount: %s", strerror(errno));
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
	/* Whoever comes between the two finds the lock held, or makes a folder of its own. Of
	 * one that was made for the lock alone there is nothing to tell. */
	if (made)
		all = (unlink(CONF_RUN_DIR "/lock") == 0 || errno == ENOENT) &&
		      (rmdir(CONF_RUN_DIR) == 0 || errno == ENOENT) && all;
	else
		all = purge_tree(RUN_PARENT, NAME, "lock") && purge_tree(RUN_PARENT, NAME, NULL) &&
		      all;
	close(lock);
	if (fflush(stdout) != 0)
		all = false;
	return all ? SUPERVISOR_STOPPED : SUPERVISOR_FAILED;
}
