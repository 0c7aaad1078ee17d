/* Run by wna-mount as root; never blocks. Owns the child and two pipes. */
#include "mount.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

enum { GUARD_FD = 3 };

/* Without a handler a signal for the group would end the child before its helper, and
 * an ignored one would be ignored by the helper too. */
static void be_patient(int signal_number)
{
	(void)signal_number;
}

static void reset_signals(void)
{
	struct sigaction patient = { .sa_handler = be_patient, .sa_flags = SA_RESTART };
	sigset_t none;

	sigaction(SIGINT, &patient, NULL);
	sigaction(SIGTERM, &patient, NULL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The helper inherits what is left here: default signals, three descriptors. */
static _Noreturn void be_child(const struct conf_mount *conf, const struct target *target,
                               bool guard_only, int words, int guard, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct former group;

	reset_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || setsid() < 0 ||
	    null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(words, STDOUT_FILENO) < 0 ||
	    dup2(words, STDERR_FILENO) < 0 || dup3(guard, GUARD_FD, O_CLOEXEC) < 0 ||
	    close_range(GUARD_FD + 1, ~0U, 0) < 0)
		_exit(DO_TROUBLE);
	/* Written here and not by the parent, which may be killed before it comes to that. */
	if (!former_of(getpid(), clock_ms(), &group) || former_note(MOUNT_NOTE, &group) < 0)
		dprintf(STDERR_FILENO, "the group could not be noted in " MOUNT_NOTE "\n");
	_exit(do_mount(conf, target, guard_only, GUARD_FD));
}

int attempt_start(const struct conf_mount *conf, const struct target *target, bool guard_only,
                  struct attempt *ret)
{
	struct attempt attempt = { 0 };
	int words[2], guard[2], rc = 0;
	pid_t parent = getpid();

	if (pipe2(words, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(guard, O_CLOEXEC) < 0) {
		rc = -errno;
		goto out_words;
	}
	attempt.pid = fork();
	if (attempt.pid == 0)
		be_child(conf, target, guard_only, words[1], guard[1], parent);
	if (attempt.pid < 0) {
		rc = -errno;
		close(guard[0]);
	} else {
		/* It makes a session of its own, which nothing else can join. */
		attempt.group = (struct former){ .group = attempt.pid };
		former_of(attempt.pid, clock_ms(), &attempt.group);
		attempt.group.session = attempt.pid;
		fcntl(words[0], F_SETFL, O_NONBLOCK);
		fcntl(guard[0], F_SETFL, O_NONBLOCK);
		attempt.words_fd = words[0];
		attempt.guard_fd = guard[0];
		*ret = attempt;
	}
	close(guard[1]);
out_words:
	close(words[1]);
	if (rc < 0)
		close(words[0]);
	return rc;
}

/* Of a pipe that has ended poll(2) would tell for ever. */
static void end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void hear(struct attempt *attempt)
{
	size_t half = sizeof attempt->words / 2;
	ssize_t n;

	while ((n = read(attempt->words_fd, attempt->words + attempt->words_len,
	                 sizeof attempt->words - attempt->words_len)) > 0) {
		attempt->words_len += (size_t)n;
		if (attempt->words_len < sizeof attempt->words)
			continue;
		/* A helper may write without end. */
		memcpy(attempt->words, attempt->words + half, half);
		attempt->words_len = half;
	}
	if (n == 0)
		end(&attempt->words_fd);
	n = read(attempt->guard_fd, &attempt->guard, sizeof attempt->guard);
	attempt->guard_told |= n == (ssize_t)sizeof attempt->guard;
	if (n == 0)
		end(&attempt->guard_fd);
}

char *attempt_said(const char *words, size_t len, char *ret, size_t size)
{
	size_t start, n;
	char line[512], *text;

	ret[0] = '\0';
	for (; len > 0; len = start > 0 ? start - 1 : 0) {
		for (start = len; start > 0 && !strchr("\r\n", words[start - 1]); start--)
			;
		str_clean(line, sizeof line, words + start, len - start);
		text = str_trim(line);
		n = strlen(text);
		if (n >= 3 && text[0] == 'b' && strchr("'\"", text[1]) && text[n - 1] == text[1]) {
			text[n - 1] = '\0';
			text += 2;
		}
		if (*text == '\0' || strncmp(text, "See http", 8) == 0)
			continue;
		str_excerpt(ret, size, text, strlen(text));
		break;
	}
	return ret;
}

enum attempt_end attempt_check(struct attempt *attempt, int *ret_status)
{
	siginfo_t info = { 0 };
	bool ended;

	/* Left a zombie until its group is empty: for so long the number stays its own. */
	ended = waitid(P_PID, (id_t)attempt->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	        info.si_pid != 0;
	/* The last time when all have ended, and not when the pipe does: a proxy that outlives
	 * the helper may hold the other end for as long as the mount lives. */
	hear(attempt);
	if (!ended)
		return ATTEMPT_RUNS;
	if (former_living(&attempt->group))
		return ATTEMPT_LINGERS;
	waitid(P_PID, (id_t)attempt->pid, &info, WEXITED);
	*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	unlink(MOUNT_NOTE);
	end(&attempt->words_fd);
	end(&attempt->guard_fd);
	attempt->pid = 0;
	return ATTEMPT_GONE;
}
