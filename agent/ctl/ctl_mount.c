/*
 * Run by wnactl mount. Waits for the agent's answer. Owns nothing.
 */
#include "ctl.h"

#include <inttypes.h>

#include "clock.h"

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

enum ctl_exit mount_show(const struct ctl *ctl)
{
	static struct view view; /* large */
	const struct view_job *job;
	char why[256];
	int r = status_ask(ctl, &view, why, sizeof why, NULL);

	if (r < 0)
		return ctl_complain(ctl, r, why);
	job = view_job(&view, "mount");
	if (!job || job->level == LEVEL_OFF) {
		fputs("wnactl: no mount is configured\n", ctl->err);
		return CTL_OFF;
	}
	if (view.service.state == SERVICE_STATE_MAX) {
		fprintf(ctl->out, "%-9s not known: wna-mount has not reported yet\n", "state");
		return CTL_NO;
	}
	show(ctl->out, &view, job);
	return view.service.state == SERVICE_SERVING || view.service.state == SERVICE_SLOW ? CTL_OK
	                                                                                   : CTL_NO;
}
