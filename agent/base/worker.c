/* Every process; blocks on local files in worker_write_file only. */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "str.h"

/* One of each per process. */
static struct {
	struct peer peer;
	struct sockaddr_un notify; /* where systemd listens */
	int notify_fd;             /* -1: systemd did not start this process */
	int64_t watchdog_ms;       /* how often a sign of life is due; 0: never */
	const char *config;
	int64_t watchdog_due_ms;
	int signal_fd;
	char run_dir[LIMIT_PATH], state_dir[LIMIT_PATH];
} self;

/* sd_notify(3) without its library: datagrams to the socket that NOTIFY_SOCKET names. No child
 * inherits the variables. */
static void open_notify(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
	int64_t value;

	self.notify.sun_family = AF_UNIX;
	self.notify_fd = -1;
	if (path && str_copy(self.notify.sun_path, sizeof self.notify.sun_path, path))
		self.notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (usec && str_int64(usec, 0, INT64_MAX, &value))
		self.watchdog_ms = value / 3000;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
}

static _Noreturn void refuse(const char *name, const char *what)
{
	fprintf(stderr, "%s: %s\nTry %s --help.\n", name, what, name);
	exit(2);
}

static _Noreturn void help(const char *name)
{
	printf("usage: %s [--config FILE] [--hub PATH] [--run-dir FOLDER] [--state-dir FOLDER]\n"
	       "A part of web-node-agent(7), run by systemd.\n",
	       name);
	exit(0);
}

/* "--name VALUE" and nothing else. */
static void read_options(struct worker *worker, int argc, char **argv,
                         bool (*extra)(const char *name, const char *value))
{
	const char *exe = role_of(worker->role)->exe;

	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(name, "--version") == 0) {
			printf("%s %s\n", exe, WNA_VERSION);
			exit(0);
		}
		if (strcmp(name, "--help") == 0)
			help(exe);
		if (!value)
			refuse(exe, "an option without its value, or no option");
		if (strcmp(name, "--config") == 0)
			self.config = value;
		else if (strcmp(name, "--hub") == 0)
			worker->hub = value;
		else if (strcmp(name, "--run-dir") == 0)
			worker->run_dir = value;
		else if (strcmp(name, "--state-dir") == 0)
			worker->state_dir = value;
		else if (!extra || !extra(name, value))
			refuse(exe, "unknown option");
		i++;
	}
}

static void take_configuration(struct worker *worker)
{
	const char *exe = role_of(worker->role)->exe;

	worker->snapshot = snapshot_map(self.config);
	if (!worker->snapshot) {
		log_error("%s: %s", self.config,
		          errno == EPROTO ? "of another build; wnactl load writes it anew"
		                          : strerror(errno));
		exit(1);
	}
	worker->conf = &worker->snapshot->conf;
	log_init(exe, (enum log_level)worker->conf->agent.log_level);
	if (!snapshot_wants(worker->conf, worker->role) ||
	    (worker->snapshot->why[0] && worker->role != ROLE_CORE)) {
		log_debug("%s: not configured", role_name(worker->role));
		worker_notify(worker, "READY=1\nSTATUS=not configured");
		exit(WORKER_EXIT_OFF);
	}
}

/* SIGHUP becomes a message. Blocked early, it cannot end the process at its start. */
static int take_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void worker_init(struct worker *ret, enum role role, int64_t wants, int argc, char **argv,
                 bool (*extra)(const char *name, const char *value))
{
	const char *exe = role_of(role)->exe;

	snprintf(self.run_dir, sizeof self.run_dir, CONF_RUN_DIR "/%s", role_name(role));
	snprintf(self.state_dir, sizeof self.state_dir, CONF_STATE_DIR "/%s", role_name(role));
	self.config = SNAPSHOT_FILE;
	*ret = (struct worker){ .role = role,
		                .hub = HUB_SOCKET,
		                .run_dir = self.run_dir,
		                .state_dir = self.state_dir };
	read_options(ret, argc, argv, extra);
	log_init(exe, LOG_LEVEL_INFO);
	/* Only this service uses its stream to the journal. If journald stalls, log lines are lost,
	 * but the service does not wait. Writing to a terminal may wait. */
	if (getenv("JOURNAL_STREAM"))
		log_nonblocking();
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0);
	open_notify();
	self.signal_fd = take_signal();
	take_configuration(ret);
	ret->fd = self.signal_fd;
	if (role != ROLE_CORE) {
		ret->peer = &self.peer;
		if (peer_init(&self.peer, ret->hub, role, ret->conf, wants) < 0 ||
		    peer_watch(&self.peer, self.signal_fd) < 0)
			ret->fd = -1;
		else
			ret->fd = self.peer.fd;
	}
	if (ret->fd < 0) {
		log_error("%s: no descriptors: %s", exe, strerror(errno));
		exit(1);
	}
	if (role != ROLE_CORE)
		worker_notify(ret, "READY=1");
}

void worker_say(const struct worker *worker, const struct msg *msg)
{
	peer_say(worker->peer, msg);
}

void worker_trend(const struct worker *worker, enum fact_id id, struct trend *trend, int64_t now_ms,
                  int64_t value)
{
	struct msg msg = { .id = (uint16_t)id };

	if (!trend_add(trend, now_ms, value))
		return;
	msg.value = trend->minute - 1;
	trend_text(trend, msg.why);
	worker_say(worker, &msg);
}

void worker_fact(const struct worker *worker, enum fact_id id, int64_t value, const char *text,
                 const char *why)
{
	struct msg msg = { .id = (uint16_t)id, .value = value };

	str_copy(msg.text, sizeof msg.text, text ? text : "");
	str_copy(msg.why, sizeof msg.why, why ? why : "");
	peer_say(worker->peer, &msg);
}

void worker_spoken(const struct worker *worker)
{
	peer_spoken(worker->peer);
}

void worker_notify(const struct worker *worker, const char *text)
{
	(void)worker;
	if (self.notify_fd >= 0)
		(void)!sendto(self.notify_fd, text, strlen(text), MSG_NOSIGNAL,
		              (struct sockaddr *)&self.notify, sizeof self.notify);
}

void worker_alive(const struct worker *worker)
{
	int64_t now_ms = clock_ms();

	if (self.watchdog_ms == 0 || now_ms < self.watchdog_due_ms)
		return;
	self.watchdog_due_ms = now_ms + self.watchdog_ms / 2;
	worker_notify(worker, "WATCHDOG=1");
}

static bool reloaded(const struct worker *worker, struct msg *ret)
{
	const struct snapshot *now = snapshot_map(self.config);
	enum log_level level;

	if (!now) {
		log_warning("%s: %s; the old configuration stays in force", self.config,
		            strerror(errno));
		return false;
	}
	level = (enum log_level)now->conf.agent.log_level;
	log_init(role_of(worker->role)->exe, level);
	*ret = (struct msg){ .type = WORKER_RELOAD };
	ret->value = snapshot_differs(worker->conf, &now->conf, worker->role) ||
	             strcmp(worker->snapshot->why, now->why) != 0;
	snapshot_unmap(now);
	if (ret->value)
		log_info("%s: ends, since its configuration has changed", role_name(worker->role));
	return true;
}

bool worker_recv(const struct worker *worker, struct msg *ret)
{
	struct signalfd_siginfo info;

	if (read(self.signal_fd, &info, sizeof info) == (ssize_t)sizeof info &&
	    reloaded(worker, ret))
		return true;
	return worker->peer && peer_recv(worker->peer, ret);
}

int worker_write_file(const char *dir, const char *name, const char *data, size_t len)
{
	return file_write(dir, name, data, len);
}
