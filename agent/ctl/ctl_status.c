/*
 * Run by wnactl. Waits for the agent's answer (ctl->answer_ms). Owns nothing
 * beyond a call.
 */
#include "ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int status_ask(const struct ctl *ctl, struct view *ret, char *why, size_t why_size, char **ret_text)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	why[0] = '\0';
	r = talk(ctl->socket, ASK_STATUS, ctl->answer_ms, &text, &len);
	if (r < 0)
		return r;
	r = view_parse(text, len, ret, why, why_size);
	if (ret_text != NULL)
		*ret_text = text;
	else
		free(text);
	return r;
}

enum ctl_exit status_once(const struct ctl *ctl, bool json, bool verbose)
{
	static struct view view; /* large */
	char *text = NULL;
	struct page page;
	char why[256];
	int r;

	r = status_ask(ctl, &view, why, sizeof why, &text);
	if (r < 0) {
		free(text);
		return ctl_complain(ctl, r, why);
	}
	if (json) {
		if (ctl->out_tty)
			text_write(ctl->out, text, strlen(text), ctl->utf8);
		else
			fputs(text, ctl->out);
	} else {
		page_init(&page, ctl->out, ctl_width(ctl->out, ctl->width), ctl->colour, ctl->utf8);
		screen_show(&page, &view, verbose ? SCREEN_VERBOSE : SCREEN_NORMAL);
	}
	free(text);
	return view.readyz.code == 200 ? CTL_OK : CTL_NO;
}
