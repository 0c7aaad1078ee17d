/* wna-hooks. Blocks on the scripts, until their limit; owns nothing after a call. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hooks.h"
#include "log.h"
#include "trust.h"

enum { SHARE_MIN_MS = 50 };

struct event {
	const char *name;
	const struct hooks_environment *environment;
	void (*on_turn)(void *arg);
	void *arg;
	const char *script; /* the one that runs now */
	int ran;
	struct msg *ret;
};

static void on_line(void *arg, const char *line)
{
	const struct event *event = arg;

	log_info("%s/%s: says: %s", event->name, event->script, line);
}

/* Logs each failure; the fact has the first one. */
static void fail(const struct event *event, const char *script, int64_t status, const char *why)
{
	struct msg *ret = event->ret;

	log_warning("%s/%s: %s", event->name, script, why);
	if (ret->value != 0)
		return;
	ret->value = status;
	snprintf(ret->text, sizeof ret->text, "%s %.64s", event->name, script);
	snprintf(ret->why, sizeof ret->why, "%s", why);
}

static void run_one(struct event *event, int dir_fd, const char *name, int64_t limit_ms)
{
	int64_t start_ms = clock_ms();
	char why[LIMIT_FACT_WHY];
	struct hooks_output output;
	int fd, rc;

	fd = hooks_open(dir_fd, name, 0);
	if (fd < 0) {
		snprintf(why, sizeof why, "not run: %s", trust_explain(fd));
		fail(event, name, HOOKS_REFUSED, why);
		return;
	}
	event->script = name;
	hooks_output_init(&output, on_line, event);
	rc = hooks_run(fd, name, event->environment->list, limit_ms, &output, event->on_turn,
	               event->arg);
	close(fd);
	event->ran++;
	if (rc == 0) {
		log_info("%s/%s: done in %" PRId64 " ms", event->name, name, clock_ms() - start_ms);
		return;
	}
	if (rc < 0)
		snprintf(why, sizeof why, "cannot be started: %s", strerror(-rc));
	else if (rc == HOOKS_LATE)
		snprintf(why, sizeof why, "ended after %" PRId64 " ms, its share of hooks.timeout",
		         limit_ms);
	else if (rc > HOOKS_SIGNAL)
		snprintf(why, sizeof why, "killed by signal %d", rc - HOOKS_SIGNAL);
	else
		snprintf(why, sizeof why, "exit status %d: %.100s", rc, output.last);
	fail(event, name, rc < 0 ? HOOKS_REFUSED : rc, why);
}

/* Each script gets an equal part of the time that is left: also the last one runs, however long
 * the first ones need. */
static void run_all(struct event *event, int dir_fd, const struct hooks_names *names,
                    int64_t limit_ms)
{
	int64_t end_ms = clock_ms() + limit_ms, share_ms;

	for (int i = 0; i < names->count; i++) {
		share_ms = (end_ms - clock_ms()) / (names->count - i);
		run_one(event, dir_fd, names->name[i],
		        share_ms > SHARE_MIN_MS ? share_ms : SHARE_MIN_MS);
	}
}

bool hooks_event(const char *directory, const char *name,
                 const struct hooks_environment *environment, int64_t limit_ms,
                 void (*on_turn)(void *arg), void *arg, struct msg *ret)
{
	struct event event = {
		.name = name,
		.environment = environment,
		.on_turn = on_turn,
		.arg = arg,
		.ret = ret,
	};
	char path[TRUST_PATH], wrong[TRUST_PATH], why[TRUST_PATH + LIMIT_FACT_WHY];
	struct hooks_names names = { .count = 0 };
	int dir_fd = -1, rc;

	ret->value = 0;
	snprintf(ret->text, sizeof ret->text, "%s", name);
	snprintf(path, sizeof path, "%s/%s", directory, name);
	rc = trust_open_dir(path, 0, &dir_fd, wrong);
	if (rc == -ENOENT)
		return false;
	if (rc == 0) {
		snprintf(wrong, sizeof wrong, "%s", path);
		rc = hooks_list(dir_fd, &names);
	}
	if (rc < 0) {
		snprintf(why, sizeof why, "%s %s", wrong, trust_explain(rc));
		fail(&event, "", HOOKS_REFUSED, why);
		goto out;
	}
	if (names.strange > 0)
		log_warning("%s: %d entries do not have a script's name and are not run", name,
		            names.strange);
	run_all(&event, dir_fd, &names, limit_ms);
	if (ret->value == 0)
		snprintf(ret->why, sizeof ret->why, "%d scripts run", event.ran);
out:
	if (dir_fd >= 0)
		close(dir_fd);
	return rc < 0 || names.count > 0;
}
