/*
 * wna-check: this node's own checks, the [check NAME] sections.
 *
 * Run by wnad as user wna-check without capabilities; resident. Blocks on
 * nothing on purpose; a dying local disk may stall it in a file or disk check,
 * and then wnad, hearing nothing for 15 s, kills it and starts another.
 * Owns the event loop.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "checker.h"
#include "clock.h"
#include "log.h"
#include "worker.h"

enum { ALIVE_MS = 1000 };

struct process {
	struct worker worker;
	struct checker checker;
};

static void on_result(int i, const struct check_result *result, int64_t found_ms, void *arg)
{
	const struct process *process = arg;

	worker_finding(&process->worker, FACT_CHECK, (unsigned)i, result->value, result->text,
	               result->why, found_ms);
}

static void on_wnad(evutil_socket_t fd, short what, void *arg)
{
	const struct process *process = arg;
	struct msg msg;

	(void)fd;
	(void)what;
	/* Ends the process when the socket has ended. */
	while (worker_recv(&process->worker, &msg))
		if (msg.type == MSG_REFRESH)
			checker_refresh(&process->checker, clock_ms());
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
	const struct process *process = arg;

	(void)fd;
	(void)what;
	worker_alive(&process->worker);
}

int main(int argc, char **argv)
{
	static struct process process;
	struct check_env env = { .mountinfo = "/proc/self/mountinfo" };
	struct timeval period = { .tv_sec = ALIVE_MS / 1000, .tv_usec = ALIVE_MS % 1000 * 1000 };
	struct event *alive, *wnad;
	struct event_base *base;

	worker_init(&process.worker, ROLE_CHECK, argc, argv);
	env.mount_path = process.worker.conf->mount.enabled ? process.worker.conf->mount.path : "";
	env.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (env.proc < 0)
		log_warning("proc: cannot be opened, process checks will fail");
	base = event_base_new();
	if (base == NULL) {
		log_error("event loop: cannot be made");
		return EXIT_FAILURE;
	}
	alive = event_new(base, -1, EV_PERSIST, on_alive, &process);
	wnad = event_new(base, process.worker.fd, EV_READ | EV_PERSIST, on_wnad, &process);
	if (alive == NULL || wnad == NULL || event_add(wnad, NULL) < 0 ||
	    event_add(alive, &period) < 0 ||
	    checker_init(&process.checker, &process.worker.conf->checks, &env, base, on_result,
	                 &process) < 0) {
		log_error("event loop: out of memory");
		return EXIT_FAILURE;
	}
	worker_alive(&process.worker);
	event_base_dispatch(base);
	log_error("event loop: ended");
	return EXIT_FAILURE;
}
