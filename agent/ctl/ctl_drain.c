/*
 * Run by wnactl drain and undrain. Waits for the agent's answer. Owns nothing.
 */
#include "ctl.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

/* The hub takes no orders: systemd knows the process, and lets root alone signal it. */
#define ORDER   "systemctl kill --kill-who=main --signal=%s web-node-agent-cloud.service"
#define DRAIN   "USR1"
#define UNDRAIN "USR2"
#define STOP    "RTMIN" /* drain until the machine stops; not known after its start */

enum {
	OBEY_MS = 10 * 1000,  /* until wna-cloud obeys */
	REPEAT_MS = 2 * 1000, /* a process that has just started may not have heard it */
};

static bool obeyed(const struct view *view, bool drain)
{
	return (view->healthz.level == LEVEL_DRAINING) == drain;
}

static bool over(const struct view *view)
{
	return view->life.state == LIFE_DRAINED || view->life.state == LIFE_GONE;
}

static void tell(const struct ctl *ctl, const struct view_life *life)
{
	fprintf(ctl->out, "%s%s%s%s%s\n", life_state_name(life->state), life->why[0] ? ": " : "",
	        life->why, life->next[0] ? "; " : "", life->next);
	fflush(ctl->out);
}

static enum ctl_exit look(const struct ctl *ctl, struct view *ret)
{
	char why[256];
	int r = status_ask(ctl, ret, why, sizeof why, NULL);

	return r < 0 ? ctl_complain(ctl, r, why) : CTL_OK;
}

/* Sends the order until the agent's answers show it. */
static enum ctl_exit order(const struct ctl *ctl, const char *signal, struct view *view)
{
	int64_t start_ms = clock_ms(), send_ms = start_ms;
	bool drain = strcmp(signal, UNDRAIN) != 0;
	char command[160];
	enum ctl_exit code;

	snprintf(command, sizeof command, ORDER, signal);
	for (;;) {
		int64_t now_ms = clock_ms();

		if (now_ms >= send_ms) {
			if (system(command) != 0)
				return CTL_UNREACHABLE; /* systemctl has said why */
			send_ms = now_ms + REPEAT_MS;
		}
		code = look(ctl, view);
		if (code != CTL_OK || obeyed(view, drain))
			return code;
		if (now_ms - start_ms >= OBEY_MS) {
			fprintf(ctl->err, "wnactl: wna-cloud does not obey: %s\n",
			        view->life.why[0] ? view->life.why : "no reason is known");
			return CTL_NO;
		}
		poll(NULL, 0, (int)ctl->poll_ms);
	}
}

/* The unit of a shutdown's drain may also be stopped for itself, or with the package. */
static bool machine_stops(void)
{
	char state[32] = "";
	FILE *pipe = popen("systemctl is-system-running", "re");

	if (!pipe)
		return false;
	if (!fgets(state, sizeof state, pipe))
		state[0] = '\0';
	pclose(pipe);
	return strcmp(state, "stopping\n") == 0;
}

enum ctl_exit drain_order(const struct ctl *ctl, enum drain_kind kind, bool wait,
                          int64_t timeout_ms)
{
	static const char *const signals[] = {
		[DRAIN_ON] = DRAIN, [DRAIN_OFF] = UNDRAIN, [DRAIN_AT_SHUTDOWN] = STOP
	};
	static struct view view; /* large */
	int64_t end_ms = clock_ms() + timeout_ms;
	enum ctl_exit code;

	if (geteuid() != 0) {
		fprintf(ctl->err, "wnactl: only root may %s this node\n",
		        kind == DRAIN_OFF ? "undrain" : "drain");
		return CTL_DENIED;
	}
	if (kind == DRAIN_AT_SHUTDOWN && !machine_stops())
		return CTL_OK;
	code = order(ctl, signals[kind], &view);
	while (code == CTL_OK && wait && !over(&view)) {
		if (clock_ms() >= end_ms) {
			fputs("wnactl: not drained yet: ", ctl->err);
			code = CTL_TIMEOUT;
			break;
		}
		poll(NULL, 0, (int)ctl->poll_ms);
		code = look(ctl, &view);
		if (code == CTL_OK && !obeyed(&view, true)) {
			fputs("wnactl: the drain was ended by another order\n", ctl->err);
			code = CTL_NO;
		}
	}
	if (view.life.state < LIFE_STATE_MAX && (code == CTL_OK || code == CTL_TIMEOUT))
		tell(ctl, &view.life);
	return code;
}
