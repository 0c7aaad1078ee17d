/*
 * wna-hooks. Blocks on the script, until its limit. Owns the child processes.
 */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "file.h"
#include "str.h"

enum {
	SCRIPT_FD = 3,   /* the descriptor of the script's file in the script's process */
	GRACE_MS = 1000, /* at most, from TERM to KILL, and from KILL to giving up */
	TURN_MS = 200,
	DRAIN_MS = 200, /* for late output, if a process that was left behind holds the pipe */
};

/*
 * Runs between fork and exec. The interpreter of a #! script opens the script again, as
 * /dev/fd/3: that descriptor stays open over the exec, and it is the file that was checked,
 * also if its name belongs to another file meanwhile.
 */
static _Noreturn void become(pid_t parent, int fd, int out, const char *name,
                             char *const environment[])
{
	const int fds[] = { -1, out, out, fd };
	char *const argv[] = { (char *)name, NULL };

	if (child_begin(parent, fds, SCRIPT_FD + 1) < 0 || chdir("/") < 0)
		_exit(HOOKS_REFUSED);
	fexecve(SCRIPT_FD, argv, environment);
	dprintf(2, "cannot be executed: %s\n", strerror(errno));
	_exit(HOOKS_REFUSED);
}

void hooks_run_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Kills the children of this process, and theirs, which become its own, until there are none. */
static void kill_all(void)
{
	const char *path = "/proc/thread-self/children"; /* each number ends with a blank */
	char list[4096], *end;
	int64_t pid;

	for (int round = 0; round < 50; round++) {
		file_load(AT_FDCWD, path, FILE_OF_ANYBODY, list, sizeof list);
		if (list[0] == '\0')
			return;
		for (char *word = list; (end = strchr(word, ' ')); word = end + 1) {
			*end = '\0';
			if (str_int64(word, 2, INT32_MAX, &pid))
				kill((pid_t)pid, SIGKILL);
		}
		hooks_run_reap();
		poll(NULL, 0, 10);
	}
}

int hooks_run_init(void)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return atexit(kill_all) == 0 ? 0 : -ENOMEM;
}

static int status_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return HOOKS_SIGNAL + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* False at the end of the output. */
static bool take_output(int fd, int wait_ms, struct hooks_output *output)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char data[4096];
	ssize_t n;

	if (poll(&poll_fd, 1, wait_ms) <= 0)
		return true;
	n = read(fd, data, sizeof data);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	hooks_output_feed(output, data, (size_t)n);
	return n > 0;
}

/* A script that survives SIGKILL, since it sleeps in the kernel, is not waited for. */
static int wait_for(pid_t pid, int out, int64_t limit_ms, struct hooks_output *output,
                    void (*on_turn)(void *arg), void *arg)
{
	int64_t grace_ms = limit_ms / 2 < GRACE_MS ? limit_ms / 2 : GRACE_MS;
	int64_t due_ms = clock_ms() + limit_ms, now_ms;
	int status = 0, sent = 0;
	bool open = true;

	for (;;) {
		if (open)
			open = take_output(out, TURN_MS, output);
		else
			poll(NULL, 0, TURN_MS / 10);
		on_turn(arg);
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		now_ms = clock_ms();
		if (now_ms < due_ms)
			continue;
		if (sent == SIGKILL)
			break;
		sent = sent == 0 ? SIGTERM : SIGKILL;
		kill(pid, sent);
		due_ms = now_ms + grace_ms;
	}
	for (int64_t end_ms = clock_ms() + DRAIN_MS; open && clock_ms() < end_ms;)
		open = take_output(out, DRAIN_MS / 10, output);
	if (sent == 0)
		return status_of(status);
	kill_all();
	return HOOKS_LATE;
}

int hooks_run(int fd, const char *name, char *const environment[], int64_t limit_ms,
              struct hooks_output *output, void (*on_turn)(void *arg), void *arg)
{
	int pipes[2], rc;
	pid_t parent = getpid(), pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become(parent, fd, pipes[1], name, environment);
	rc = pid < 0 ? -errno : 0;
	close(pipes[1]);
	if (rc == 0)
		rc = wait_for(pid, pipes[0], limit_ms, output, on_turn, arg);
	hooks_output_end(output);
	close(pipes[0]);
	return rc;
}
