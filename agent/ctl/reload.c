/*
 * Run by wnactl reload. Waits for the agent, whose core may be exchanged
 * meanwhile. Owns nothing.
 */
#include "reload.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "status.h"
#include "talk.h"

enum reload_answer reload_judge(const struct view *view, int64_t tries)
{
	/* A core that has just started has not been told yet. */
	if (view->tries <= tries || view->loads == 0)
		return RELOAD_PENDING;
	return view->error[0] == '\0' ? RELOAD_TAKEN : RELOAD_REFUSED;
}

/* Sends the order. 0 with the attempts before it in *ret_tries, or an exit code
 * after having said what is wrong. */
static enum ctl_exit reload_order(const struct ctl *ctl, int64_t *ret_tries)
{
	char error[512] = "";
	char *text = NULL;
	bool ok = false;
	size_t len;
	int r;

	r = talk(ctl->socket, "reload\n", ctl->answer_ms, &text, &len);
	if (r == 0)
		r = view_parse_reload(text, len, &ok, ret_tries, error, sizeof error);
	free(text);
	if (r < 0)
		return ctl_complain(ctl, r, error);
	if (ok)
		return CTL_OK;
	fprintf(ctl->err, "wnactl: reload refused: %s\n", error);
	return geteuid() != 0 ? CTL_DENIED : CTL_NO;
}

static enum ctl_exit reload_await(const struct ctl *ctl, int64_t tries)
{
	static struct view view; /* large */
	int64_t start_ms = clock_ms();
	char phrase[512] = "";
	char why[256];

	for (;;) {
		int r = status_ask(ctl, &view, why, sizeof why, NULL);

		if (r == -EBADMSG || r == -EMSGSIZE)
			return ctl_complain(ctl, r, why);
		if (r < 0)
			ctl_phrase(ctl, r, why, phrase, sizeof phrase);
		else
			snprintf(phrase, sizeof phrase, "the agent has not said how it went");
		switch (r < 0 ? RELOAD_PENDING : reload_judge(&view, tries)) {
		case RELOAD_TAKEN:
			fprintf(ctl->out, "configuration taken (loaded %" PRId64 " times)\n",
			        view.loads);
			return CTL_OK;
		case RELOAD_REFUSED:
			fprintf(ctl->err,
			        "wnactl: configuration refused, the old one stays in force: %s\n",
			        view.error);
			return CTL_NO;
		case RELOAD_PENDING: break;
		}
		if (clock_ms() - start_ms >= RELOAD_LIMIT_MS) {
			fprintf(ctl->err, "wnactl: reload: no result after %d s: %s\n",
			        RELOAD_LIMIT_MS / 1000, phrase);
			return CTL_TIMEOUT;
		}
		poll(NULL, 0, (int)ctl->poll_ms);
	}
}

enum ctl_exit reload(const struct ctl *ctl)
{
	int64_t tries = 0;
	enum ctl_exit ret = reload_order(ctl, &tries);

	return ret != CTL_OK ? ret : reload_await(ctl, tries);
}
