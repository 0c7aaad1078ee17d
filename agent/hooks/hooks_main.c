/*
 * wna-hooks: runs an operator's scripts when the database has another writer. It runs as the
 * user in hooks.user. It blocks on the scripts, until hooks.timeout, and tells systemd's
 * watchdog meanwhile that it lives. Owns the scripts' processes and CONF_RUN_DIR/hooks.
 * When it is asked to end, the scripts that run come to their end first, within
 * TimeoutStopSec= of the unit.
 *
 * The scripts run once for each change, whatever is restarted: a restarted wna-rds goes on
 * counting changes, and the number of a change is on the disk before the scripts run for it.
 * Both are lost together, at a reboot.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hooks.h"
#include "log.h"
#include "worker.h"

struct process {
	struct worker worker;
	struct hooks_due due;
};

static volatile sig_atomic_t leave;

/* A script that runs is waited for. */
static void on_term(int signal_number)
{
	(void)signal_number;
	leave = 1;
}

static void on_turn(void *arg)
{
	struct process *process = arg;
	struct msg msg;

	worker_alive(&process->worker);
	while (worker_recv(&process->worker, &msg)) {
		if (msg.type == HUB_FACT && msg.id == FACT_RDS_CHANGE)
			hooks_due_hear(&process->due, &msg);
		if (msg.type == WORKER_RELOAD && msg.value)
			leave = 1;
	}
}

static void act(struct process *process, const struct msg *change)
{
	const struct conf *conf = process->worker.conf;
	struct msg fact = { .id = FACT_HOOK, .more = { change->value } };
	struct hooks_environment environment;

	log_info(HOOKS_EVENT " %" PRId64 ": %s", change->value, change->text);
	if (hooks_environment(conf->rds.endpoint, change, &environment) < 0)
		log_warning(HOOKS_EVENT ": the addresses are not known; scripts run without "
		                        "WNA_RDS_*");
	hooks_event(conf->hooks.directory, &environment, conf->hooks.timeout_ms, on_turn, process,
	            &fact);
	worker_say(&process->worker, &fact);
}

static void wait_until(const struct process *process, int64_t due_ms)
{
	struct pollfd poll_fd = { .fd = process->worker.fd, .events = POLLIN };
	int64_t left_ms = due_ms - clock_ms();

	poll(&poll_fd, 1,
	     left_ms < 0                 ? 0
	     : left_ms < WORKER_ALIVE_MS ? (int)left_ms
	                                 : WORKER_ALIVE_MS);
}

int main(int argc, char **argv)
{
	static struct process process;
	struct msg change;

	worker_init(&process.worker, ROLE_HOOKS, HUB_WANTS(FACT_RDS_CHANGE), argc, argv, NULL);
	signal(SIGTERM, on_term);
	if (hooks_run_init() < 0) {
		log_error("scripts: cannot start: processes of a script could not be ended");
		return EXIT_FAILURE;
	}
	hooks_due_init(&process.due, process.worker.run_dir);
	worker_spoken(&process.worker);
	while (!leave) {
		on_turn(&process);
		hooks_run_reap();
		if (hooks_due_take(&process.due, clock_ms(), &change)) {
			act(&process, &change);
			hooks_due_done(&process.due, clock_ms());
		}
		if (!leave)
			wait_until(&process, hooks_due_ms(&process.due));
	}
	return EXIT_SUCCESS;
}
