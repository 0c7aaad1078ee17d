/*
 * Run by wnactl mount. Waits for the agent's answer. Owns nothing.
 */
#include "ctl.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

/* The hub takes no orders: systemd knows the process, and lets root alone signal it. */
#define ASK "systemctl kill --kill-who=main --signal=USR1 web-node-agent-mount.service"

enum { REPAIR_MS = 40 * 1000 }; /* until the keeper calls it a failure, and some more */

static void line(FILE *out, const char *name, const char *text)
{
	if (text[0] != '\0')
		fprintf(out, "%-9s %s\n", name, text);
}

static void show(FILE *out, const struct view *view, const struct view_job *job)
{
	const struct view_service *service = &view->service;
	char span[32], since[32], number[24];

	fprintf(out, "%-9s %s, since %s (%s)\n", "state", service_state_name(service->state),
	        clock_iso8601(service->since_ms, since, sizeof since),
	        clock_span(view->now_ms - service->since_ms, span, sizeof span));
	line(out, "what", job->what);
	line(out, "cause", service_cause_name(service->cause));
	line(out, "why", service->why[0] ? service->why : job->why);
	snprintf(number, sizeof number, "%" PRId64, service->repairs);
	if (service->repairs > 0)
		line(out, "repairs", number);
	line(out, "last", service->last);
	line(out, "next", job->next);
}

/* The job of the mount, in *ret with its service. NULL, and *ret_code is the exit code. */
static const struct view_job *look(const struct ctl *ctl, struct view *ret, enum ctl_exit *ret_code)
{
	const struct view_job *job;
	char why[256];
	int r = status_ask(ctl, ret, why, sizeof why, NULL);

	if (r < 0) {
		*ret_code = ctl_complain(ctl, r, why);
		return NULL;
	}
	job = view_job(ret, "mount");
	if (!job || job->level == LEVEL_OFF) {
		fputs("wnactl: no mount is configured\n", ctl->err);
		*ret_code = CTL_OFF;
		return NULL;
	}
	if (ret->service.state == SERVICE_STATE_MAX) {
		fprintf(ctl->out, "%-9s not known: wna-mount has not reported yet\n", "state");
		*ret_code = CTL_NO;
		return NULL;
	}
	return job;
}

static bool serves(const struct view *view)
{
	return view->service.state == SERVICE_SERVING || view->service.state == SERVICE_SLOW;
}

enum ctl_exit mount_show(const struct ctl *ctl)
{
	static struct view view; /* large */
	enum ctl_exit code;
	const struct view_job *job = look(ctl, &view, &code);

	if (!job)
		return code;
	show(ctl->out, &view, job);
	return serves(&view) ? CTL_OK : CTL_NO;
}

enum ctl_exit mount_repair(const struct ctl *ctl)
{
	static struct view view; /* large */
	char before[sizeof view.service.last];
	int64_t end_ms = clock_ms() + REPAIR_MS, repairs;
	enum ctl_exit code;

	if (!look(ctl, &view, &code))
		return code;
	repairs = view.service.repairs;
	if (geteuid() != 0) {
		fputs("wnactl: only root may ask for a repair\n", ctl->err);
		return CTL_DENIED;
	}
	str_copy(before, sizeof before, view.service.last);
	if (system(ASK) != 0)
		return CTL_UNREACHABLE; /* systemctl has said why */
	while (view.service.state == SERVICE_REPAIRING ||
	       (view.service.repairs == repairs && strcmp(view.service.last, before) == 0)) {
		if (clock_ms() >= end_ms) {
			fputs("wnactl: no result of the repair\n", ctl->err);
			return CTL_TIMEOUT;
		}
		poll(NULL, 0, (int)ctl->poll_ms);
		if (!look(ctl, &view, &code))
			return code;
		if (view.service.repairs < repairs) {
			fputs("wnactl: wna-mount was restarted meanwhile\n", ctl->err);
			return CTL_NO;
		}
	}
	fprintf(ctl->out, "%s\n", view.service.last);
	/* A refusal begins no repair. */
	return view.service.repairs > repairs && serves(&view) ? CTL_OK : CTL_NO;
}
