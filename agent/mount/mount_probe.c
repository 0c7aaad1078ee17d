/* Run by wna-mount as root; never blocks. Owns the child and a socket to it. */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "str.h"

#define PROBE_NAME "wna-probe" /* the program and its user */

enum { EXE_FD = PROBE_FD + 1 };

int probe_init(struct probe *ret, char *ret_why, size_t why_size)
{
	char path[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof PROBE_NAME);

	*ret = (struct probe){ .exe = -1, .fd = -1 };
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		str_copy(slash + 1, sizeof PROBE_NAME, PROBE_NAME);
	ret->exe = open(path, O_PATH | O_CLOEXEC);
	if (ret->exe < 0) {
		snprintf(ret_why, why_size, "%.100s: %s", path, strerror(errno));
		return -ENOENT;
	}
	if (!trust_local_user(PROBE_NAME, &ret->user) || ret->user.uid == 0) {
		snprintf(ret_why, why_size, "no user " PROBE_NAME " in /etc/passwd");
		return -ENOENT;
	}
	return 0;
}

static _Noreturn void be_child(const struct probe *probe, int end, pid_t parent)
{
	/* By default the resolver waits 5 s for each server, twice: longer than a question may. */
	char *const envp[] = { "PATH=/usr/bin:/bin", "LANG=C", "RES_OPTIONS=timeout:1 attempts:2",
		               NULL };
	char *const argv[] = { PROBE_NAME, NULL };
	const int fds[] = { [0] = -1, [1] = -1, [2] = -1, [PROBE_FD] = end, [EXE_FD] = probe->exe };
	uid_t uid = probe->user.uid;
	gid_t gid = probe->user.gid;

	if (child_begin(parent, fds, EXE_FD + 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || fcntl(EXE_FD, F_SETFD, FD_CLOEXEC) < 0)
		_exit(126);
	fexecve(EXE_FD, argv, envp);
	_exit(127);
}

int probe_start(struct probe *probe)
{
	pid_t parent = getpid(), pid;
	int ends[2], rc = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		be_child(probe, ends[1], parent);
	if (pid < 0)
		rc = -errno;
	close(ends[1]);
	if (rc < 0) {
		close(ends[0]);
		return rc;
	}
	probe->pid = pid;
	probe->fd = ends[0];
	return 0;
}

int probe_ask(const struct probe *probe, const struct probe_question *question)
{
	return send(probe->fd, question, sizeof *question, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
	                                                                                    : 0;
}

int probe_answered(const struct probe *probe, struct probe_answer *ret)
{
	struct probe_answer answer;
	ssize_t n = recv(probe->fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return 0;
	/* The probe may have been taken over: only numbers and a text of it are used. */
	if (n != (ssize_t)sizeof answer || answer.count > PROBE_ADDRESSES)
		return -EBADMSG;
	*ret = answer;
	str_clean(ret->why, sizeof ret->why, answer.why, strnlen(answer.why, sizeof answer.why));
	return 1;
}

void probe_kill(const struct probe *probe)
{
	kill(probe->pid, SIGKILL);
}

bool probe_gone(struct probe *probe, int *ret_status)
{
	if (probe->pid == 0 || waitpid(probe->pid, ret_status, WNOHANG) != probe->pid)
		return false;
	close(probe->fd);
	probe->pid = 0;
	probe->fd = -1;
	return true;
}
