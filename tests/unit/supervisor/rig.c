/* See rig.h. Included by the tests that start wnad. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fake.h"
#include "supervisor.h"

#define RIG_NOTIFY RIG_DIR "/notify"

static struct {
	int log_fd;    /* inotify on the log */
	int notify_fd; /* what wnad tells systemd */
	int stored_fd;
	long watchdog_us;
	int stderr_fd; /* wnad's; -1: the common log */
	size_t mark;   /* offset into the log */
	pid_t wnad;    /* the running one; 0: none */
} rig = { .log_fd = -1, .notify_fd = -1, .stored_fd = -1, .stderr_fd = -1 };

/* Leak checks need ptrace, which fakes without rights do not have. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

void rig_say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int fd, len;

	va_start(args, format);
	len = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	if (len < 0)
		return;
	len = (int)strlen(line);
	line[len++] = '\n';
	fd = open(RIG_LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, line, (size_t)len);
	close(fd);
}

static char *rig_log(void)
{
	static char text[1 << 20];
	int fd = open(RIG_LOG, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* What systemd would do with its socket: here its text becomes log lines. */
static void take_notification(void)
{
	union {
		struct cmsghdr header;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	char text[512];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof text - 1 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control.buf,
		              .msg_controllen = sizeof control.buf };
	ssize_t n;

	while ((n = recvmsg(rig.notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) > 0) {
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		text[n] = '\0';
		if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) {
			rig_drop_stored_fd();
			memcpy(&rig.stored_fd, CMSG_DATA(cmsg), sizeof rig.stored_fd);
		}
		for (char *c = text; *c; c++)
			*c = *c == '\n' ? ' ' : *c;
		rig_say("systemd got %s%s", text, cmsg ? " with a descriptor" : "");
		msg.msg_controllen = sizeof control.buf;
	}
}

void rig_mark(void)
{
	take_notification();
	rig.mark = strlen(rig_log());
}

static const char *find_line(const char *pattern, int *ret_count)
{
	static char line[1024];
	const char *text = rig_log() + rig.mark;
	int count = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		char one[1024];

		snprintf(one, sizeof one, "%.*s", (int)len, text);
		if (fnmatch(pattern, one, 0) == 0 && count++ == 0)
			memcpy(line, one, sizeof line);
		text += len + (text[len] == '\n');
	}
	if (ret_count)
		*ret_count = count;
	return count ? line : NULL;
}

const char *rig_expect_within(const char *pattern, int64_t ms)
{
	int64_t until = clock_ms() + ms, left;
	char events[4096];

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = rig.log_fd, .events = POLLIN },
			{ .fd = rig.notify_fd, .events = POLLIN },
		};
		const char *line;

		take_notification();
		line = find_line(pattern, NULL);
		if (line)
			return line;
		left = until - clock_ms();
		if (left <= 0)
			break;
		poll(fds, 2, (int)left);
		(void)!read(rig.log_fd, events, sizeof events);
	}
	fprintf(stderr, "%s\n--- no line like: %s\n", rig_log(), pattern);
	fail_msg("no line like: %s", pattern);
	return NULL;
}

const char *rig_expect(const char *pattern)
{
	return rig_expect_within(pattern, RIG_WAIT_MS);
}

int rig_count(const char *pattern)
{
	int count;

	take_notification();
	find_line(pattern, &count);
	return count;
}

long rig_number(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	assert_non_null(at);
	return strtol(at + strlen(key), NULL, 10);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void rig_conf(const char *text)
{
	char all[4096];

	snprintf(all, sizeof all, "[health]\nlisten = 127.0.0.1:%d\n%s", RIG_PORT, text);
	write_file(RIG_CONF, all, 0644);
}

void rig_mode(const char *role, const char *mode)
{
	char path[128];

	snprintf(path, sizeof path, RIG_MODES "/%s", role);
	write_file(path, mode, 0644);
}

void rig_tell(pid_t fake_pid, const char *format, ...)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), len;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rig.%d", fake_pid);
	assert_int_equal(
	        sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address,
	               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)),
	        strlen(text));
	close(fd);
}

pid_t rig_pid(const char *role)
{
	char pattern[64];
	const char *text = rig_log(), *last = NULL;

	snprintf(pattern, sizeof pattern, "%s listens pid=", role);
	while ((text = strstr(text, pattern))) {
		last = text;
		text++;
	}
	assert_non_null(last);
	return (pid_t)rig_number(last, "pid=");
}

int rig_stored_fd(void)
{
	return rig.stored_fd;
}

void rig_drop_stored_fd(void)
{
	if (rig.stored_fd >= 0)
		close(rig.stored_fd);
	rig.stored_fd = -1;
}

void rig_watchdog(long usec)
{
	rig.watchdog_us = usec;
}

void rig_log_to(int fd)
{
	rig.stderr_fd = fd;
}

static void set_number(const char *name, long number)
{
	char text[32];

	snprintf(text, sizeof text, "%ld", number);
	setenv(name, text, 1);
}

__attribute__((noreturn)) static void be_wnad(void)
{
	struct supervisor_options options = {
		.conf_file = RIG_CONF,
		.libexec = RIG_LIBEXEC,
		.debug = true,
	};
	int log = open(RIG_LOG, O_WRONLY | O_APPEND);
	gid_t groups[] = { 1234 };

	/* Groups that no worker may keep. */
	setgroups(1, groups);

	setenv("NOTIFY_SOCKET", RIG_NOTIFY, 1);
	setenv("AWS_REGION", "ap-northeast-2", 1);
	setenv("LD_LIBRARY_PATH", "/nowhere", 1);
	if (rig.watchdog_us) {
		set_number("WATCHDOG_USEC", rig.watchdog_us);
		set_number("WATCHDOG_PID", getpid());
	}
	if (rig.stored_fd >= 0) {
		if (rig.stored_fd == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(rig.stored_fd, 3);
		set_number("LISTEN_PID", getpid());
		set_number("LISTEN_FDS", 1);
		setenv("LISTEN_FDNAMES", "health", 1);
	}
	dup2(rig.stderr_fd >= 0 ? rig.stderr_fd : log, STDERR_FILENO);
	_exit(supervisor_run(&options));
}

pid_t rig_start_unready(void)
{
	/* One that a failed test left behind must not fail the next. */
	if (rig.wnad > 0) {
		kill(rig.wnad, SIGKILL);
		waitpid(rig.wnad, NULL, 0);
	}
	rig.wnad = fork();
	assert_true(rig.wnad >= 0);
	if (rig.wnad == 0)
		be_wnad();
	return rig.wnad;
}

pid_t rig_start(void)
{
	pid_t pid;

	rig_mark();
	/* As after a boot: nobody has left a word of /healthz. */
	unlink(CONF_RUN_DIR "/lock");
	pid = rig_start_unready();
	rig_expect("systemd got READY=1");
	return pid;
}

int rig_exit_code(pid_t wnad)
{
	int64_t until = clock_ms() + RIG_WAIT_MS;
	int status, pidfd = (int)syscall(SYS_pidfd_open, wnad, 0);
	struct pollfd fds[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = rig.notify_fd, .events = POLLIN },
	};

	while (clock_ms() < until && !(fds[0].revents & POLLIN)) {
		poll(fds, 2, (int)(until - clock_ms()));
		take_notification();
	}
	close(pidfd);
	rig.wnad = 0;
	if (waitpid(wnad, &status, WNOHANG) != wnad) {
		kill(wnad, SIGKILL);
		waitpid(wnad, &status, 0);
		fprintf(stderr, "%s\n", rig_log());
		fail_msg("wnad did not end");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void rig_ends(pid_t pid)
{
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (ended.fd < 0) {
		assert_int_equal(errno, ESRCH);
		return;
	}
	assert_int_equal(poll(&ended, 1, RIG_WAIT_MS), 1);
	close(ended.fd);
}

int rig_stop(pid_t wnad)
{
	kill(wnad, SIGTERM);
	return rig_exit_code(wnad);
}

pid_t rig_ask(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(RIG_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval limit = { .tv_sec = RIG_WAIT_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[32] = "";

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail_msg("connect: %s", strerror(errno));
	if (recv(fd, text, sizeof text - 1, 0) <= 0)
		fail_msg("no answer: %s", strerror(errno));
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

#include "machine.c"
