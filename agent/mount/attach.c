/*
 * Run by wna-mount as root. Blocks until the forked child is done, which may
 * be never: wnad kills the process group. Owns that child and a pipe.
 */
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "said.h"
#include "str.h"
#include "words.h"

enum { ATTACH_TROUBLE = 2 }; /* mount(8): system error */

#define KERNEL_READ_AHEAD "128\n" /* VM_READAHEAD_PAGES, as sysfs shows it */

/* In the child: mounts, and explains itself on standard error. Returns mount(8)'s exit code. */
static int run_libmount(const struct target *target, const char *path)
{
	struct libmnt_context *context = mnt_new_context();
	char text[512] = "";
	int rc, code;

	if (!context)
		return ATTACH_TROUBLE;
	if (mnt_context_set_fstype(context, target->type) < 0 ||
	    mnt_context_set_source(context, target->source[0] ? target->source : "none") < 0 ||
	    mnt_context_set_target(context, path) < 0 ||
	    mnt_context_set_options(context, target->options) < 0)
		return ATTACH_TROUBLE;
	rc = mnt_context_mount(context);
	code = mnt_context_get_excode(context, rc, text, sizeof text);
	/* A helper has spoken for itself; libmount would only say that it failed. */
	if (text[0] != '\0' && !mnt_context_helper_executed(context))
		dprintf(STDERR_FILENO, "%s\n", text);
	return code;
}

/* The forked child. The helper inherits what it leaves: default signals, three descriptors. */
static _Noreturn void be_child(const struct target *target, const char *path, int out, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	words_disarm();
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || null < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0 || close_range(3, ~0U, 0) < 0)
		_exit(ATTACH_TROUBLE);
	_exit(run_libmount(target, path));
}

/* Takes what is in the pipe now. False at its end. */
static bool drain(int fd, struct said *said)
{
	char data[1024];
	ssize_t n;

	while ((n = read(fd, data, sizeof data)) > 0)
		said_feed(said, data, (size_t)n);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/*
 * Until the child ends, not until the pipe does: a proxy that outlives the
 * helper may hold the other end for as long as the mount lives.
 */
static void listen_to(int fd, int pid_fd, struct said *said,
                      void (*heard)(void *arg, const char *line), void *arg)
{
	struct pollfd polls[] = {
		{ .fd = pid_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};

	while (!(polls[0].revents & POLLIN)) {
		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			return;
		if (polls[1].revents) {
			if (!drain(fd, said))
				polls[1].fd = -1;
			heard(arg, said->last);
		}
	}
	drain(fd, said);
}

int attach(const struct target *target, const char *path,
           void (*heard)(void *arg, const char *line), void *arg, struct attach *ret)
{
	struct attach result = { 0 };
	pid_t parent = getpid(), pid;
	struct said said;
	int ends[2], pid_fd, status, rc = 0;

	said_init(&said);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		be_child(target, path, ends[1], parent);
	rc = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (rc < 0)
		goto out;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid_fd < 0) {
		rc = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		goto out;
	}
	listen_to(ends[0], pid_fd, &said, heard, arg);
	close(pid_fd);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			rc = -errno;
			goto out;
		}
	}
	drain(ends[0], &said);
	result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	str_copy(result.said, sizeof result.said, said_last(&said));
	*ret = result;
out:
	close(ends[0]);
	return rc;
}

int attach_read_ahead(const struct mountinfo *there, bool default_only)
{
	char path[64], text[24];
	int64_t rsize;
	int fd, rc, n, kib;

	if (!mountinfo_option(there->super_options, "rsize", text, sizeof text) ||
	    !str_int64(text, 1024, 64 << 20, &rsize))
		return 0;
	kib = (int)(15 * rsize / 1024);
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", there->major,
	         there->minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (default_only) {
		n = (int)read(fd, text, sizeof text - 1);
		text[n > 0 ? n : 0] = '\0';
		if (strcmp(text, KERNEL_READ_AHEAD) != 0) {
			close(fd);
			return 0;
		}
	}
	n = snprintf(text, sizeof text, "%d\n", kib);
	rc = pwrite(fd, text, (size_t)n, 0) == n ? kib : -errno;
	close(fd);
	return rc;
}
