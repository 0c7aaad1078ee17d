/*
 * wna-hook. Blocks on the script, until its limit. Owns the child processes.
 */
#include "run.h"

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

#include "clock.h"
#include "str.h"

enum {
	SCRIPT_FD = 3,   /* where the script's file is in the script's own process */
	GRACE_MS = 1000, /* from TERM to KILL */
	TURN_MS = 200,
	DRAIN_MS = 200, /* for output of a script that left something running */
};

int run_init(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

/*
 * Runs between fork and exec. A #! script is opened again by its interpreter,
 * as /dev/fd/3, so that descriptor stays open over the exec; the file behind it
 * is the one that was checked, whatever the name means by now.
 */
static _Noreturn void become(pid_t parent, int fd, int out, int null, const char *name,
                             char *const environment[])
{
	char *const argv[] = { (char *)name, NULL };
	sigset_t none;

	/* Without us there is nobody to end it when it is late. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(RUN_REFUSED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* The three may lie where they have to go: lift them first. */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	out = fcntl(out, F_DUPFD_CLOEXEC, 10);
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	if (fd < 0 || out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0 || dup2(fd, SCRIPT_FD) < 0 || close_range(SCRIPT_FD + 1, ~0U, 0) < 0 ||
	    chdir("/") < 0)
		_exit(RUN_REFUSED);
	fexecve(SCRIPT_FD, argv, environment);
	dprintf(2, "cannot be executed: %s\n", strerror(errno));
	_exit(RUN_REFUSED);
}

/* Kills what was reparented to us, as long as there is something. */
static void bury(void)
{
	const char *path = "/proc/thread-self/children";
	char list[4096];

	for (int round = 0; round < 50; round++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd >= 0 ? read(fd, list, sizeof list - 1) : 0;
		char *rest = list, *word;

		if (fd >= 0)
			close(fd);
		if (n <= 0)
			return;
		list[n] = '\0';
		while ((word = strsep(&rest, " ")) != NULL) {
			int64_t pid;

			if (str_int64(word, 2, INT32_MAX, &pid))
				kill((pid_t)pid, SIGKILL);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		poll(NULL, 0, 10);
	}
}

static int status_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return RUN_SIGNAL + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* False at the end of the output. */
static bool take_output(int fd, int wait_ms, struct output *output)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char data[4096];
	ssize_t n;

	if (poll(&poll_fd, 1, wait_ms) <= 0)
		return true;
	n = read(fd, data, sizeof data);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	output_feed(output, data, (size_t)n);
	return n > 0;
}

static int wait_for(pid_t pid, int out, int64_t limit_ms, struct output *output,
                    void (*on_turn)(void *arg), void *arg)
{
	int64_t late_ms = clock_ms() + limit_ms, kill_ms = INT64_MAX;
	bool late = false, open = true;
	int status = 0;

	for (;;) {
		int64_t now;

		if (open)
			open = take_output(out, TURN_MS, output);
		else
			poll(NULL, 0, TURN_MS / 10);
		on_turn(arg);
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		now = clock_ms();
		if (!late && now >= late_ms) {
			late = true;
			kill(pid, SIGTERM);
			kill_ms = now + (limit_ms / 2 < GRACE_MS ? limit_ms / 2 : GRACE_MS);
		} else if (late && now >= kill_ms) {
			kill(pid, SIGKILL);
		}
	}
	for (int64_t end = clock_ms() + DRAIN_MS; open && clock_ms() < end;)
		open = take_output(out, DRAIN_MS / 10, output);
	if (late)
		bury();
	return late ? RUN_LATE : status_of(status);
}

int run_script(int fd, const char *name, char *const environment[], int64_t limit_ms,
               struct output *output, void (*on_turn)(void *arg), void *arg)
{
	int pipes[2], null, rc;
	pid_t parent = getpid(), pid;

	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (pipe2(pipes, O_CLOEXEC) < 0) {
		rc = -errno;
		close(null);
		return rc;
	}
	pid = fork();
	if (pid == 0)
		become(parent, fd, pipes[1], null, name, environment);
	rc = pid < 0 ? -errno : 0;
	close(pipes[1]);
	close(null);
	if (rc == 0)
		rc = wait_for(pid, pipes[0], limit_ms, output, on_turn, arg);
	output_end(output);
	close(pipes[0]);
	return rc;
}
