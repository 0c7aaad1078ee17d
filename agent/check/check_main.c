/*
 * wna-check: this node's own checks, the [check NAME] sections.
 *
 * A service of user wna-check without capabilities. A local disk that fails may stall it in a
 * check of a file or a disk; then systemd's watchdog (WatchdogSec= of its unit) starts it anew.
 * It blocks on nothing else. Owns the event loop and the state of each check.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "check.h"
#include "clock.h"
#include "log.h"
#include "worker.h"

struct process {
	struct worker worker;
	struct check_loop loop;
	bool spoken;
};

static void on_result(const struct check_slot *slot, int64_t found_ms, void *arg)
{
	struct process *process = arg;
	struct msg msg;

	check_fact(slot, found_ms, &msg);
	worker_say(&process->worker, &msg);
	if (process->loop.silent == 0 && !process->spoken)
		worker_spoken(&process->worker);
	process->spoken = process->loop.silent == 0;
}

static void on_worker(evutil_socket_t fd, short what, void *arg)
{
	const struct process *process = arg;
	struct msg msg;

	(void)fd;
	(void)what;
	while (worker_recv(&process->worker, &msg)) {
		if (msg.type == WORKER_RELOAD && msg.value)
			exit(EXIT_SUCCESS);
	}
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
	struct timeval period = { .tv_sec = WORKER_ALIVE_MS / 1000 };
	struct event *alive, *worker;
	struct event_base *base;

	worker_init(&process.worker, ROLE_CHECK, 0, argc, argv, NULL);
	env.mount_path = process.worker.conf->mount.enabled ? process.worker.conf->mount.path : "";
	env.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (env.proc < 0)
		log_warning("/proc: cannot be opened; checks of processes will fail");
	base = event_base_new();
	if (!base) {
		log_error("event loop: out of memory");
		return EXIT_FAILURE;
	}
	alive = event_new(base, -1, EV_PERSIST, on_alive, &process);
	worker = event_new(base, process.worker.fd, EV_READ | EV_PERSIST, on_worker, &process);
	if (!alive || !worker || event_add(worker, NULL) < 0 || event_add(alive, &period) < 0 ||
	    check_loop_init(&process.loop, &process.worker.conf->checks, &env, base, on_result,
	                    &process) < 0) {
		log_error("event loop: out of memory");
		return EXIT_FAILURE;
	}
	worker_alive(&process.worker);
	event_base_dispatch(base);
	log_error("event loop: ended");
	return EXIT_FAILURE;
}
