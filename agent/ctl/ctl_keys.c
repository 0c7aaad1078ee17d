/* Run by wnactl status --watch. Never waits. Owns the mode of the terminal and gives it back. */
#include <ctype.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"

static struct termios before;
static bool changed;

void keys_begin(const struct ctl *ctl)
{
	struct termios now;

	/* A job in the background must not change the terminal: it would be stopped. */
	if (ctl->in < 0 || tcgetattr(ctl->in, &before) < 0 || tcgetpgrp(ctl->in) != getpgrp())
		return;
	now = before;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	changed = tcsetattr(ctl->in, TCSADRAIN, &now) == 0;
}

void keys_end(const struct ctl *ctl)
{
	if (changed)
		tcsetattr(ctl->in, TCSADRAIN, &before);
	changed = false;
}

enum keys_step keys_read(const struct ctl *ctl)
{
	static const struct {
		const char *key;
		enum keys_step step;
	} keys[] = {
		{ "q", KEYS_END },
		{ "j", KEYS_LINE },
		{ "\033[B", KEYS_LINE },
		{ "k", KEYS_LINE_BACK },
		{ "\033[A", KEYS_LINE_BACK },
		{ " ", KEYS_PAGE },
		{ "\033[6~", KEYS_PAGE },
		{ "b", KEYS_PAGE_BACK },
		{ "\033[5~", KEYS_PAGE_BACK },
	};
	struct pollfd pollfd = { .fd = ctl->in, .events = POLLIN };
	char text[16];
	size_t len = 0;

	if (ctl->in < 0 || poll(&pollfd, 1, 0) <= 0)
		return KEYS_NONE;
	/* An arrow is an escape sequence, which comes at once and ends with a letter or '~'. */
	do {
		if (read(ctl->in, text + len, 1) <= 0)
			return KEYS_END; /* the terminal is gone */
		len++;
	} while (text[0] == '\033' && len < sizeof text - 1 &&
	         !isalpha((unsigned char)text[len - 1]) && text[len - 1] != '~' &&
	         poll(&pollfd, 1, 0) > 0);
	text[len] = '\0';
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(text, keys[i].key) == 0)
			return keys[i].step;
	return KEYS_NONE;
}
