/*
 * Run by wna-cloud: identity, credentials and the metric take turns around one
 * wait. Blocks in http_wait alone, but for small local files. Owns the lives of
 * all three.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "creds.h"
#include "http.h"
#include "identity.h"
#include "imds.h"
#include "log.h"
#include "push.h"

enum { ALIVE_MS = 1000 };

struct loop {
	const struct worker *worker;
	struct http *http;
	struct imds *imds;
	struct identity_job *identity;
	struct creds_store *creds;
	struct push *push;
	int signal_fd; /* SIGTERM, SIGINT */
	int epoll_fd;  /* wnad's socket and signal_fd: one descriptor to wait for */
	int64_t alive_ms;
	bool end;
};

static bool watch(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool descriptors_new(struct loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->signal_fd >= 0 && loop->epoll_fd >= 0 &&
	       watch(loop->epoll_fd, loop->signal_fd) && watch(loop->epoll_fd, loop->worker->fd);
}

/* To be asked before anything else is opened, which would take its number. */
static int shared_file_fd(const struct conf *conf)
{
	struct stat st;

	if (conf->metrics.credentials_file[0] == '\0')
		return -1;
	if (fstat(CLOUD_FD_SHARED_CREDENTIALS, &st) == 0 && S_ISREG(st.st_mode))
		return CLOUD_FD_SHARED_CREDENTIALS;
	log_warning("credentials: no descriptor of metrics.credentials_file was handed over");
	return -1;
}

static bool jobs_new(struct loop *loop, const struct loop_places *places, int file_fd,
                     int64_t now_ms)
{
	const struct conf *conf = loop->worker->conf;
	struct imds_settings settings;

	imds_settings_read(&conf->imds, getenv, &settings);
	if (settings.ignored[0] != '\0')
		log_warning("imds: %s makes no sense and is ignored", settings.ignored);
	loop->http = http_new();
	if (loop->http == NULL)
		return false;
	loop->imds = imds_new(loop->http, &settings);
	if (loop->imds == NULL)
		return false;
	loop->identity = identity_new(loop->worker, loop->imds, places->run_dir, now_ms);

	const struct creds_deps creds_deps = {
		.worker = loop->worker,
		.conf = &conf->metrics,
		.imds = loop->imds,
		.file_fd = file_fd,
		.env = getenv,
	};

	loop->creds = creds_new(&creds_deps, now_ms);
	if (loop->identity == NULL || loop->creds == NULL)
		return false;

	const struct push_deps push_deps = {
		.worker = loop->worker,
		.conf = conf,
		.http = loop->http,
		.creds = loop->creds,
		.identity = identity_get(loop->identity),
		.state_dir = places->state_dir,
		.run_dir = places->run_dir,
		.proc_stat = places->proc_stat,
	};

	loop->push = push_new(&push_deps, now_ms, clock_wall_ms());
	return loop->push != NULL;
}

static void loop_free(struct loop *loop)
{
	if (loop->push != NULL)
		push_free(loop->push, clock_ms(), clock_wall_ms());
	creds_free(loop->creds);
	identity_free(loop->identity);
	imds_free(loop->imds);
	http_free(loop->http);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
}

static void take_messages(struct loop *loop)
{
	struct signalfd_siginfo info;
	struct msg msg;

	while (worker_recv(loop->worker, &msg)) {
		if (msg.type == MSG_TELL && msg.id == TELL_HEALTHY && msg.value == 1) {
			push_healthy(loop->push);
		} else if (msg.type == MSG_REFRESH) {
			identity_refresh(loop->identity);
			creds_refresh(loop->creds);
			push_refresh(loop->push);
		}
	}
	if (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->end = true;
}

static void alive(struct loop *loop, int64_t now_ms)
{
	if (now_ms < loop->alive_ms)
		return;
	worker_alive(loop->worker);
	loop->alive_ms = now_ms + ALIVE_MS;
}

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void turn(struct loop *loop)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();

	/* The sample first: it is the only one that lateness spoils. */
	push_turn(loop->push, now_ms, wall_ms);
	identity_turn(loop->identity, now_ms);
	creds_turn(loop->creds, now_ms, wall_ms);
	alive(loop, now_ms);

	int64_t deadline_ms = earliest(loop->alive_ms, push_deadline(loop->push));

	deadline_ms = earliest(deadline_ms, identity_deadline(loop->identity));
	deadline_ms = earliest(deadline_ms, creds_deadline(loop->creds));
	if (http_wait(loop->http, loop->epoll_fd, deadline_ms - clock_ms()))
		take_messages(loop);
}

int loop_run(const struct worker *worker, const struct loop_places *places)
{
	struct loop loop = { .worker = worker, .signal_fd = -1, .epoll_fd = -1 };
	int file_fd = shared_file_fd(worker->conf), code = 0;

	if (!descriptors_new(&loop) || !jobs_new(&loop, places, file_fd, clock_ms())) {
		log_error("cloud: no start: %s", strerror(errno));
		code = 1;
		goto out;
	}
	while (!loop.end && !creds_want_reopen(loop.creds))
		turn(&loop);
	if (!loop.end)
		code = WORKER_EXIT_REOPEN;
out:
	loop_free(&loop);
	return code;
}
