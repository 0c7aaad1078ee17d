/* See fake.h. Included by the tests that start wnad. */
#include "fake.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rig.h"
#include "worker.h"

enum { FAKE_TURN_MS = 200 };

static struct {
	const char *role;
	bool silent;
	int commands;
} fake;

static void fake_commands_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rig.%d", getpid());

	fake.commands = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fake.commands, (struct sockaddr *)&address,
	         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) < 0)
		_exit(99);
}

/* The value of one line of /proc/self/status, without its white space. */
static void status_line(const char *key, char *ret, size_t size)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	ret[0] = '\0';
	while (file && fgets(line, sizeof line, file)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			char *value = line + strlen(key);

			value += strspn(value, " \t:");
			value[strcspn(value, "\t\n")] = '\0';
			snprintf(ret, size, "%s", value);
		}
	}
	if (file)
		fclose(file);
}

static void open_fds(char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = '\0';
	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			len += (size_t)snprintf(ret + len, size - len, "%s%d", len ? "," : "", fd);
	}
}

/* Everything that confines it, in one line that tests can match. Taken before
 * anything of its own is opened. */
static void introduce(const char *arg, const char *fds)
{
	char bounding[64], effective[64], privs[16], groups[64];
	struct rlimit nofile, core;
	int signal_of_death = 0;
	bool clean = true;

	status_line("CapBnd", bounding, sizeof bounding);
	status_line("CapEff", effective, sizeof effective);
	status_line("NoNewPrivs", privs, sizeof privs);
	status_line("Groups", groups, sizeof groups);
	getrlimit(RLIMIT_NOFILE, &nofile);
	getrlimit(RLIMIT_CORE, &core);
	prctl(PR_GET_PDEATHSIG, &signal_of_death);
	for (char **entry = environ; *entry; entry++) {
		if (strncmp(*entry, "PATH=", 5) != 0 && strcmp(*entry, "LANG=C") != 0)
			rig_say("%s environment %s", fake.role, *entry);
		clean = clean && strncmp(*entry, "NOTIFY", 6) != 0;
	}
	rig_say("%s hello pid=%d arg=%s uid=%d gid=%d groups=%s bounding=%s effective=%s nnp=%s "
	        "securebits=%x death=%d leader=%d nofile=%lu core=%lu fds=%s env=%s",
	        fake.role, getpid(), arg, getuid(), getgid(), *groups ? groups : "none", bounding,
	        effective, privs, (unsigned)prctl(PR_GET_SECUREBITS), signal_of_death,
	        getpgrp() == getpid(), (unsigned long)nofile.rlim_cur, (unsigned long)core.rlim_cur,
	        fds, clean ? "clean" : "dirty");
}

static void secret_line(void)
{
	char text[64] = "";
	ssize_t n = read(RDS_FD_PASSWORD, text, sizeof text - 1);

	if (n > 0)
		text[strcspn(text, "\n")] = '\0';
	rig_say("%s secret pid=%d %s", fake.role, getpid(), n > 0 ? text : "none");
}

static void send_fact(unsigned id, long value, const char *text)
{
	struct msg msg = { .type = MSG_FACT, .id = (uint16_t)id, .value = value };

	snprintf(msg.text, sizeof msg.text, "%s", text);
	msg_send(WORKER_FD_WNAD, &msg);
}

static void command(const char *text)
{
	unsigned verb, arg, key;
	long value;
	char word[64] = "";

	if (sscanf(text, "order %u %u %u %ld", &verb, &arg, &key, &value) == 4) {
		struct order order = { .verb = (uint16_t)verb,
			               .arg = (uint16_t)arg,
			               .key = (uint16_t)key,
			               .value = value };

		order_send(WORKER_FD_WNAD, &order);
	} else if (sscanf(text, "fact %u %ld %63s", &verb, &value, word) == 3) {
		send_fact(verb, value, word);
	} else if (sscanf(text, "exit %u", &verb) == 1) {
		_exit((int)verb);
	} else if (strcmp(text, "silent") == 0) {
		fake.silent = true;
	} else if (strcmp(text, "garbage") == 0) {
		send(WORKER_FD_WNAD, "garbage", 7, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (strcmp(text, "close") == 0) {
		close(WORKER_FD_WNAD);
		for (;;)
			pause();
	}
}

static void take_commands(void)
{
	char text[256];
	ssize_t n;

	while ((n = recv(fake.commands, text, sizeof text - 1, 0)) > 0) {
		text[n] = '\0';
		command(text);
	}
}

static void take_messages(bool core)
{
	struct envelope envelope;
	struct msg msg;
	int rc;

	if (core) {
		while ((rc = envelope_recv(WORKER_FD_WNAD, &envelope)) == 0)
			rig_say("core got pid=%d role=%d slot=%d id=%d of=%d value=%ld text=%s "
			        "why=%s",
			        getpid(), envelope.role, envelope.slot, envelope.msg.id,
			        envelope.msg.slot, (long)envelope.msg.value, envelope.msg.text,
			        envelope.msg.why);
	} else {
		while ((rc = msg_recv(WORKER_FD_WNAD, &msg)) == 0)
			rig_say("%s got pid=%d type=%d id=%d value=%ld", fake.role, getpid(),
			        msg.type, msg.id, (long)msg.value);
	}
	if (rc == -EPIPE) {
		rig_say("%s leaves pid=%d", fake.role, getpid());
		_exit(0);
	}
}

/* One connection, one line: who answered. */
static void answer(void)
{
	char text[16];
	int fd, len = snprintf(text, sizeof text, "%d\n", getpid());

	while ((fd = accept4(CORE_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		send(fd, text, (size_t)len, MSG_NOSIGNAL);
		close(fd);
	}
}

__attribute__((noreturn)) static void turn_for_ever(bool core)
{
	struct pollfd fds[] = {
		{ .fd = WORKER_FD_WNAD, .events = POLLIN },
		{ .fd = fake.commands, .events = POLLIN },
		{ .fd = core ? CORE_FD_LISTEN : -1, .events = POLLIN },
	};
	struct order beat = { .verb = ORDER_BEAT };
	struct msg alive = { .type = MSG_ALIVE };

	for (;;) {
		if (!fake.silent && core)
			order_send(WORKER_FD_WNAD, &beat);
		else if (!fake.silent)
			msg_send(WORKER_FD_WNAD, &alive);
		poll(fds, 3, FAKE_TURN_MS);
		take_commands();
		take_messages(core);
		if (core && !fake.silent)
			answer();
	}
}

static void mode_of(const char *role, char *ret, size_t size)
{
	char path[128];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, RIG_MODES "/%s", role);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, ret, size - 1);
		close(fd);
	}
	ret[n > 0 ? n : 0] = '\0';
}

static void stay(void)
{
	for (;;)
		pause();
}

/* vfork(2) keeps the parent in uninterruptible (killable) sleep for as long as the
 * child neither executes nor exits. */
static void sleep_in_the_kernel(void)
{
	rig_say("%s dstate pid=%d", fake.role, getpid());
	if (vfork() == 0)
		for (;;)
			pause();
}

/* The kernel makes the first process of a pid namespace wait for all others at its
 * end, and there is no signal against that. */
static void keep_an_unkillable_helper(void)
{
	pid_t helper;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(98);
	helper = fork();
	if (helper == 0) {
		fork();
		stay();
	}
	rig_say("%s stuck pid=%d", fake.role, helper);
	stay();
}

static void keep_a_tidy_helper(void)
{
	struct pollfd told = { .events = POLLIN };
	sigset_t term;
	int number;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	if (fork() == 0) {
		fake_commands_open();
		rig_say("%s helper pid=%d", fake.role, getpid());
		sigwait(&term, &number);
		rig_say("%s tidies pid=%d", fake.role, getpid());
		told.fd = fake.commands;
		poll(&told, 1, -1);
		rig_say("%s tidied pid=%d", fake.role, getpid());
		_exit(0);
	}
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	stay();
}

static void leave_stragglers(void)
{
	int away[2] = { -1, -1 };
	pid_t helper;
	char byte;

	if (pipe2(away, O_CLOEXEC) < 0)
		_exit(97);
	helper = fork();
	if (helper == 0)
		stay();
	if (fork() == 0) {
		setsid();
		rig_say("%s daemon pid=%d", fake.role, getpid());
		(void)!write(away[1], "", 1);
		stay();
	}
	/* Until it has left the group it would be swept with it, and rightly. */
	(void)!read(away[0], &byte, 1);
	rig_say("%s helper pid=%d", fake.role, helper);
	_exit(0);
}

void fake_main(const char *role, int argc, char **argv)
{
	char mode[64], fds[128];
	bool core = strcmp(role, "core") == 0;

	open_fds(fds, sizeof fds);
	fake.role = role;
	mode_of(role, mode, sizeof mode);
	/* Before it is heard of, so that a test may act on its first line. */
	signal(SIGTERM, strcmp(mode, "deaf") == 0 || strcmp(mode, "dstate") == 0 ||
	                                strcmp(mode, "straggler") == 0
	                        ? SIG_IGN
	                        : SIG_DFL);
	introduce(argc > 1 ? argv[1] : "-", fds);
	if (strcmp(role, "rds") == 0)
		secret_line();
	if (strncmp(mode, "exit ", 5) == 0)
		_exit(atoi(mode + 5));
	if (strcmp(mode, "silent") == 0 || strcmp(mode, "deaf") == 0)
		stay();
	if (strcmp(mode, "dstate") == 0)
		sleep_in_the_kernel();
	if (strcmp(mode, "stuck") == 0)
		keep_an_unkillable_helper();
	if (strcmp(mode, "tidy") == 0)
		keep_a_tidy_helper();
	if (strcmp(mode, "straggler") == 0)
		leave_stragglers();
	if (strcmp(role, "mount") == 0 || strcmp(role, "probe") == 0 || strcmp(role, "hook") == 0) {
		send_fact(FACT_MOUNT, 1, "done");
		_exit(0);
	}
	fake_commands_open();
	if (core)
		command("order 6 0 0 0"); /* ORDER_REFRESH */
	if (strcmp(mode, "early") == 0 || strcmp(mode, "mute") == 0)
		command("order 2 0 0 0"); /* ORDER_MOUNT */
	rig_say("%s listens pid=%d", role, getpid());
	fake.silent = strcmp(mode, "mute") == 0;
	turn_for_ever(core);
}
