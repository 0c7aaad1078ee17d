/*
 * wna-hooks: runs an operator's scripts on the events of the database. It runs as the
 * user in hooks.user. It blocks on the scripts, until hooks.timeout, and tells systemd's
 * watchdog meanwhile that it lives. Owns the scripts' processes and CONF_RUN_DIR/hooks.
 * When it is asked to end, the scripts that run come to their end first, within
 * TimeoutStopSec= of the unit.
 *
 * The scripts run once for each event, whatever is restarted: a restarted wna-rds goes on
 * counting events, and the number of an event is on the disk before the scripts run for it.
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

/* In the order in which they happen in one outage. */
static const struct {
	enum fact_id fact;
	const char *name;
} events[] = {
	{ FACT_RDS_DOWN, "database-down" },
	{ FACT_RDS_CHANGE, "database-moved" },
	{ FACT_RDS_UP, "database-up" },
};

enum { EVENTS = sizeof events / sizeof events[0] };

struct process {
	struct worker worker;
	struct hooks_due due[EVENTS];
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
		for (int i = 0; i < EVENTS; i++) {
			if (msg.type == HUB_FACT && msg.id == events[i].fact)
				hooks_due_hear(&process->due[i], &msg);
		}
		if (msg.type == WORKER_RELOAD && msg.value)
			leave = 1;
	}
}

static void act(struct process *process, const char *event, const struct msg *happened)
{
	const struct conf *conf = process->worker.conf;
	struct msg fact = { .id = FACT_HOOK, .more = { happened->value } };
	struct hooks_environment environment;

	log_info("%s %" PRId64 ": %s", event, happened->value, happened->text);
	if (hooks_environment(event, conf->rds.endpoint, happened, &environment) < 0)
		log_warning("%s: the addresses are not known; scripts run without WNA_RDS_*",
		            event);
	if (hooks_event(conf->hooks.directory, event, &environment, conf->hooks.timeout_ms, on_turn,
	                process, &fact))
		worker_say(&process->worker, &fact);
}

/* The scripts of the event that is due next, one event at a time. */
static void turn(struct process *process)
{
	struct msg happened;
	int first = -1;

	for (int i = 0; i < EVENTS; i++) {
		const struct hooks_due *due = &process->due[i];

		/* The end of one outage comes before the beginning of the next. */
		if (hooks_due_ms(due) <= clock_ms() &&
		    (first < 0 || due->fact.since_ms < process->due[first].fact.since_ms))
			first = i;
	}
	if (first < 0 || !hooks_due_take(&process->due[first], clock_ms(), &happened))
		return;
	act(process, events[first].name, &happened);
	hooks_due_done(&process->due[first], clock_ms());
}

static void wait_for_work(const struct process *process)
{
	struct pollfd poll_fd = { .fd = process->worker.fd, .events = POLLIN };
	int64_t left_ms = INT64_MAX;

	for (int i = 0; i < EVENTS; i++) {
		int64_t due_ms = hooks_due_ms(&process->due[i]);

		if (due_ms - clock_ms() < left_ms)
			left_ms = due_ms - clock_ms();
	}
	poll(&poll_fd, 1,
	     left_ms < 0                 ? 0
	     : left_ms < WORKER_ALIVE_MS ? (int)left_ms
	                                 : WORKER_ALIVE_MS);
}

int main(int argc, char **argv)
{
	static struct process process;
	int64_t wants = 0;

	for (int i = 0; i < EVENTS; i++)
		wants |= HUB_WANTS(events[i].fact);
	worker_init(&process.worker, ROLE_HOOKS, wants, argc, argv, NULL);
	signal(SIGTERM, on_term);
	if (hooks_run_init() < 0) {
		log_error("scripts: cannot start: processes of a script could not be ended");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < EVENTS; i++)
		hooks_due_init(&process.due[i], process.worker.run_dir, events[i].name);
	worker_spoken(&process.worker);
	while (!leave) {
		on_turn(&process);
		hooks_run_reap();
		turn(&process);
		if (!leave)
			wait_for_work(&process);
	}
	return EXIT_SUCCESS;
}
