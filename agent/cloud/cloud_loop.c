/*
 * Run by wna-cloud: the loop of identity, credentials, metric and lifecycle. Blocks in http_wait and
 * on small local files. Owns all four.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "cloud_life.h"
#include "log.h"

struct loop {
	const struct worker *worker;
	struct http *http;
	struct imds *imds;
	struct identity_job *identity;
	struct creds_store *creds;
	struct push *push;
	struct login *login;
	struct life_job *life;
	int signal_fd; /* SIGTERM, SIGINT; the orders of wnactl: SIGUSR1 drain, SIGUSR2 undrain,
	                * SIGRTMIN drain until the machine stops */
	bool end;
};

int loop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool jobs_new(struct loop *loop, int64_t now_ms)
{
	struct push_deps deps = { .worker = loop->worker, .proc_stat = "/proc/stat" };
	struct life_deps life = { .worker = loop->worker };
	struct imds_settings settings;

	imds_settings_read(&loop->worker->conf->imds, getenv, &settings);
	if (settings.ignored[0])
		log_warning("imds: the value of %s is not valid and is ignored", settings.ignored);
	loop->http = http_new();
	if (!loop->http)
		return false;
	loop->imds = imds_new(loop->http, &settings);
	if (!loop->imds)
		return false;
	loop->identity = identity_new(loop->worker, loop->imds, now_ms);
	loop->creds = creds_new(loop->worker, loop->imds, getenv, now_ms);
	if (!loop->identity || !loop->creds)
		return false;
	deps.http = loop->http;
	deps.creds = loop->creds;
	deps.identity = identity_get(loop->identity);
	loop->push = push_new(&deps, now_ms, clock_wall_ms());
	loop->login = login_new(loop->worker, loop->creds, deps.identity, LOGIN_DIR);
	life.identity = deps.identity;
	life.http = loop->http;
	life.creds = loop->creds;
	life.push = loop->push;
	if (loop->push)
		loop->life = life_job_new(&life, now_ms, clock_wall_ms());
	return loop->push && loop->login && loop->life;
}

static void loop_free(struct loop *loop)
{
	life_job_free(loop->life);
	login_free(loop->login);
	if (loop->push)
		push_free(loop->push, clock_ms());
	creds_free(loop->creds);
	identity_free(loop->identity);
	imds_free(loop->imds);
	http_free(loop->http);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
}

/* In this process: a new one would not know the node until the metadata service answers. */
static void retry(struct loop *loop)
{
	int64_t now_ms = clock_ms();

	imds_retry(loop->imds);
	identity_retry(loop->identity, now_ms);
	creds_retry(loop->creds, now_ms);
	push_retry(loop->push, now_ms);
}

static void take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		int number = (int)info.ssi_signo;

		if (number == SIGUSR1 || number == SIGUSR2)
			life_job_order(loop->life, number == SIGUSR1, clock_ms());
		else if (number == SIGRTMIN)
			life_job_stop(loop->life, clock_ms());
		else
			loop->end = true;
	}
}

static void take_messages(struct loop *loop)
{
	struct msg msg;

	while (worker_recv(loop->worker, &msg)) {
		if (msg.type == HUB_VERDICT)
			life_job_verdict(loop->life, &msg);
		if (msg.type == HUB_VERDICT && msg.more[1] == 1)
			push_healthy(loop->push);
		if (msg.type == HUB_FACT && msg.id == FACT_RDS_UP)
			push_outage(loop->push, &msg, clock_ms());
		if (msg.type == HUB_FACT && msg.id == FACT_RDS_HOST)
			login_host(loop->login, msg.why);
		if (msg.type == WORKER_RELOAD && msg.value)
			loop->end = true;
		else if (msg.type == WORKER_RELOAD)
			retry(loop);
	}
	take_signals(loop);
}

static void turn(struct loop *loop)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms(), due_ms;
	struct pollfd fds[] = { { .fd = loop->worker->fd, .events = POLLIN },
		                { .fd = loop->signal_fd, .events = POLLIN } };

	/* The sample first: it must not be late. */
	due_ms = push_turn(loop->push, now_ms, wall_ms);
	due_ms = earlier(due_ms, identity_turn(loop->identity, now_ms));
	due_ms = earlier(due_ms, creds_turn(loop->creds, now_ms, wall_ms));
	due_ms = earlier(due_ms, life_job_turn(loop->life, now_ms, wall_ms));
	due_ms = earlier(due_ms, login_turn(loop->login, now_ms, push_aws_ms(loop->push, wall_ms)));
	worker_alive(loop->worker);
	due_ms = earlier(due_ms, now_ms + WORKER_ALIVE_MS);
	if (http_wait(loop->http, fds, 2, due_ms - clock_ms()))
		take_messages(loop);
}

int loop_run(const struct worker *worker, int signal_fd)
{
	int code = 0;
	struct loop loop = { .worker = worker, .signal_fd = signal_fd };

	if (loop.signal_fd < 0 || !jobs_new(&loop, clock_ms())) {
		log_error("cloud: cannot start: %s", strerror(errno));
		code = 1;
		goto out;
	}
	worker_spoken(worker);
	while (!loop.end)
		turn(&loop);
out:
	loop_free(&loop);
	return code;
}
