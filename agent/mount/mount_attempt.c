/* Run by wna-mount as root; never blocks. Owns the child, two pipes and the note. */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "envfile.h"
#include "file.h"
#include "pidstat.h"
#include "str.h"

#define NOTE "helper"

enum { GUARD_FD = 3 };

/* When process `pid` has started; 0 if there is none. */
static int64_t start_of(pid_t pid)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct pidstat stat = { 0 };

	if (proc < 0)
		return 0;
	if (!pidstat_read(proc, pid, &stat))
		stat.start = 0;
	close(proc);
	return stat.start;
}

int group_note(const char *dir)
{
	char text[128];
	int n = snprintf(text, sizeof text, "%d %" PRId64 " %" PRId64 "\n", getpid(),
	                 start_of(getpid()), clock_ms());

	return file_write(dir, NOTE, text, (size_t)n);
}

bool group_read(const char *dir, struct process_group *ret)
{
	char path[LIMIT_PATH], text[128], *rest = text, *word;
	int64_t field[3];

	snprintf(path, sizeof path, "%s/" NOTE, dir);
	if (envfile_read(path, text, sizeof text) < 0)
		return false;
	for (int i = 0; i < 3; i++) {
		word = strsep(&rest, " \n");
		if (!word ||
		    !str_int64(word, i == 0 ? 2 : 0, i == 0 ? INT32_MAX : INT64_MAX, &field[i]))
			return false;
	}
	*ret = (struct process_group){ (pid_t)field[0], field[1], field[2] };
	return true;
}

bool group_lives(const struct process_group *group)
{
	int64_t start;

	if (kill(-group->leader, 0) < 0 && errno == ESRCH)
		return false;
	/* The kernel gives the number of a group away when its last process is gone, not before:
	 * if another process has it, the group has ended. */
	start = start_of(group->leader);
	return start == 0 || start == group->start;
}

/* Without a handler a signal for the group would end the child before its helper; if it were
 * ignored, the helper would inherit that. */
static void be_patient(int signal_number)
{
	(void)signal_number;
}

/* The helper inherits default signals and three descriptors. */
static _Noreturn void be_child(const struct conf_mount *conf, const struct target *target,
                               bool guard_only, int words, int guard, pid_t parent)
{
	struct sigaction patient = { .sa_handler = be_patient, .sa_flags = SA_RESTART };
	const int fds[] = { -1, words, words, guard };

	sigaction(SIGINT, &patient, NULL);
	sigaction(SIGTERM, &patient, NULL);
	if (child_begin(parent, fds, GUARD_FD + 1) < 0 || setsid() < 0 ||
	    fcntl(GUARD_FD, F_SETFD, FD_CLOEXEC) < 0)
		_exit(DO_TROUBLE);
	/* Here and not in the parent, which may be killed meanwhile. */
	if (group_note(MOUNT_NOTES) < 0)
		dprintf(STDERR_FILENO, MOUNT_NOTES "/" NOTE " cannot be written\n");
	_exit(do_mount(conf, target, guard_only, GUARD_FD));
}

int attempt_start(const struct conf_mount *conf, const struct target *target, bool guard_only,
                  struct attempt *ret)
{
	struct attempt attempt = { .status = -1 };
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
		attempt.group.leader = attempt.pid;
		attempt.group.start = start_of(attempt.pid);
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

bool attempt_former(struct attempt *ret)
{
	*ret = (struct attempt){ .status = -1, .words_fd = -1, .guard_fd = -1 };
	if (!group_read(MOUNT_NOTES, &ret->group))
		return false;
	if (group_lives(&ret->group))
		return true;
	ret->group.leader = 0;
	unlink(MOUNT_NOTES "/" NOTE);
	return false;
}

/* poll(2) would report the end of a pipe for ever. */
static void end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void hear(struct attempt *attempt)
{
	size_t quarter = sizeof attempt->words / 4;
	ssize_t n;

	while ((n = read(attempt->words_fd, attempt->words + attempt->words_len,
	                 sizeof attempt->words - attempt->words_len)) > 0) {
		attempt->words_len += (size_t)n;
		if (attempt->words_len < sizeof attempt->words)
			continue;
		/* The output may be endless: its beginning and its end are kept. */
		memcpy(attempt->words + quarter, attempt->words + 3 * quarter, quarter);
		attempt->words_len = 2 * quarter;
	}
	if (n == 0)
		end(&attempt->words_fd);
	n = read(attempt->guard_fd, &attempt->guard, sizeof attempt->guard);
	attempt->guard_told |= n == (ssize_t)sizeof attempt->guard;
	if (n == 0)
		end(&attempt->guard_fd);
}

/* The meaning of one line, in `line`; NULL: it has none. */
static char *meaning(const char *from, size_t len, char *line, size_t size)
{
	char *text;
	size_t n;

	str_clean(line, size, from, len);
	text = str_trim(line);
	n = strlen(text);
	if (n >= 3 && text[0] == 'b' && strchr("'\"", text[1]) && text[n - 1] == text[1]) {
		text[n - 1] = '\0';
		text += 2;
	}
	return *text == '\0' || strncmp(text, "See http", 8) == 0 ? NULL : text;
}

char *attempt_said(const char *words, size_t len, char *ret, size_t size)
{
	static const char interrupt[] = "\nKeyboardInterrupt\n", traceback[] = "Traceback (";
	const char *at = words, *end = words + len, *trace;
	char line[512], first[512] = "", last[512] = "", *text;
	size_t n, cut = sizeof interrupt - 1;

	/* mount.efs after SIGINT, in addition to what it had said before. */
	trace = memmem(words, len, traceback, sizeof traceback - 1);
	if (trace && len >= cut && memcmp(end - cut, interrupt, cut) == 0)
		end = trace;
	for (; at < end; at += n + 1) {
		for (n = 0; at + n < end && at[n] != '\n' && at[n] != '\r'; n++)
			;
		text = meaning(at, n, line, sizeof line);
		if (text)
			str_copy(first[0] ? last : first, sizeof first, text);
	}
	if (last[0] == '\0') {
		str_excerpt(ret, size, first, strlen(first));
		return ret;
	}
	/* The first line's beginning has the cause, the last line's end the consequence. */
	str_clean(ret, size / 2, first, strlen(first));
	n = strlen(ret);
	n += (size_t)snprintf(ret + n, size - n, " ... ");
	str_excerpt(ret + n, size - n, last, strlen(last));
	return ret;
}

enum attempt_end attempt_check(struct attempt *attempt, int *ret_status)
{
	int status;

	if (attempt->pid > 0 && waitpid(attempt->pid, &status, WNOHANG) == attempt->pid) {
		attempt->pid = 0;
		attempt->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	/* The end of the pipe is not waited for: a proxy that outlives the helper may hold its other
	 * end as long as the mount lives. */
	hear(attempt);
	if (attempt->pid > 0)
		return ATTEMPT_RUNS;
	if (group_lives(&attempt->group))
		return attempt->status < 0 ? ATTEMPT_RUNS : ATTEMPT_LINGERS;
	unlink(MOUNT_NOTES "/" NOTE);
	end(&attempt->words_fd);
	end(&attempt->guard_fd);
	attempt->group.leader = 0;
	*ret_status = attempt->status;
	return ATTEMPT_GONE;
}
