/*
 * wna-hook: runs the scripts of one event. Run by wnad as hooks.user, once an
 * event, with its number (enum hook_event) as argument. Blocks on the scripts;
 * wnad ends the whole process group after hooks.timeout. Owns nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "envfile.h"
#include "environment.h"
#include "log.h"
#include "run.h"
#include "trust.h"
#include "worker.h"

#define RDS_ENV CONF_RUN_DIR "/rds/rds.env"

enum { LEFT_FOR_US = 10 }; /* per cent of hooks.timeout: to report before wnad strikes */

struct hook {
	struct worker worker;
	const char *event;
	const char *script; /* that runs now */
	int64_t ends_ms;    /* all scripts' limit */

	int ran;
	int64_t failed; /* the first failure's status, 0 none */
	char what[LIMIT_FACT_TEXT];
	char why[LIMIT_FACT_WHY];
};

static void on_line(void *arg, const char *line)
{
	const struct hook *hook = arg;

	log_info("%s/%s: says: %s", hook->event, hook->script, line);
}

static void on_turn(void *arg)
{
	const struct hook *hook = arg;

	worker_alive(&hook->worker);
}

/* The first failure is the one that is told; all are logged. */
static void fail(struct hook *hook, const char *script, int64_t status, const char *why)
{
	log_warning("%s/%s: %s", hook->event, script, why);
	if (hook->failed != 0)
		return;
	hook->failed = status;
	snprintf(hook->what, sizeof hook->what, "%s %.64s", hook->event, script);
	snprintf(hook->why, sizeof hook->why, "%s", why);
}

static void run_one(struct hook *hook, int dir_fd, const char *name, char *const environment[],
                    int64_t limit_ms)
{
	int64_t start = clock_ms();
	char why[LIMIT_FACT_WHY];
	struct output output;
	int fd, rc;

	rc = trust_open_script(dir_fd, name, 0, &fd);
	if (rc < 0) {
		snprintf(why, sizeof why, "not run: %s", trust_explain(rc));
		fail(hook, name, RUN_REFUSED, why);
		return;
	}
	hook->script = name;
	output_init(&output, on_line, hook);
	rc = run_script(fd, name, environment, limit_ms, &output, on_turn, hook);
	close(fd);
	hook->ran++;
	if (rc == 0) {
		log_info("%s/%s: done in %lld ms", hook->event, name,
		         (long long)(clock_ms() - start));
		return;
	}
	if (rc < 0)
		snprintf(why, sizeof why, "cannot be started: %s", strerror(-rc));
	else if (rc == RUN_LATE)
		snprintf(why, sizeof why, "ended by us after %lld ms, its share of hooks.timeout",
		         (long long)limit_ms);
	else if (rc > RUN_SIGNAL)
		snprintf(why, sizeof why, "killed by signal %d", rc - RUN_SIGNAL);
	else
		snprintf(why, sizeof why, "exit status %d: %.100s", rc, output.last);
	fail(hook, name, rc < 0 ? RUN_REFUSED : rc, why);
}

/* Each script gets an equal share of what is left, so the last one gets a turn
 * whatever the first ones do. */
static void run_all(struct hook *hook, int dir_fd, const struct trust_names *names,
                    char *const environment[])
{
	for (int i = 0; i < names->count; i++) {
		int64_t left_ms = hook->ends_ms - clock_ms();
		int64_t share_ms = left_ms / (names->count - i);

		run_one(hook, dir_fd, names->name[i], environment, share_ms > 50 ? share_ms : 50);
	}
}

static void run_event(struct hook *hook, enum hook_event event)
{
	char path[TRUST_PATH], wrong[TRUST_PATH], text[1024];
	const char *base = hook->worker.conf->hooks.directory;
	struct environment environment;
	struct trust_names names;
	int dir_fd, rc;

	snprintf(path, sizeof path, "%s/%s", base, hook->event);
	rc = trust_open_dir(path, 0, &dir_fd, wrong);
	if (rc == -ENOENT) {
		snprintf(hook->why, sizeof hook->why, "no scripts");
		return;
	}
	if (rc < 0) {
		snprintf(text, sizeof text, "%s %s", wrong, trust_explain(rc));
		fail(hook, "", RUN_REFUSED, text);
		return;
	}
	rc = trust_list(dir_fd, &names);
	if (rc < 0) {
		snprintf(text, sizeof text, "%s %s", path, trust_explain(rc));
		fail(hook, "", RUN_REFUSED, text);
		goto out;
	}
	if (names.strange > 0)
		log_warning("%s: %d entries do not look like scripts and are passed over",
		            hook->event, names.strange);
	rc = envfile_read(RDS_ENV, text, sizeof text);
	rc = environment_make(event, rc < 0 ? NULL : text, &environment);
	if (rc < 0)
		log_warning("%s: %s %s; scripts run without its values", hook->event, RDS_ENV,
		            rc == -ENODATA ? "cannot be read" : "has a bad value");
	run_all(hook, dir_fd, &names, environment.list);
	if (hook->failed == 0)
		snprintf(hook->why, sizeof hook->why, "%d scripts run", hook->ran);
out:
	close(dir_fd);
}

int main(int argc, char **argv)
{
	struct hook hook = { 0 };

	worker_init(&hook.worker, ROLE_HOOK, argc, argv);
	hook.event = hook_event_name((enum hook_event)hook.worker.arg);
	if (hook.event == NULL || run_init() < 0) {
		log_error("hook: there is no event %u", hook.worker.arg);
		return WORKER_EXIT_CONTRACT;
	}
	snprintf(hook.what, sizeof hook.what, "%s", hook.event);
	hook.ends_ms = clock_ms() + hook.worker.conf->hooks.timeout_ms * (100 - LEFT_FOR_US) / 100;
	run_event(&hook, (enum hook_event)hook.worker.arg);
	worker_fact(&hook.worker, FACT_HOOK, 0, hook.failed, hook.what, hook.why);
	return 0;
}
