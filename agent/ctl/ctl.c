/*
 * Run by wnactl. Blocks on the terminal only. Owns nothing.
 */
#include "ctl.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 100, WIDTH_MIN = 20, WIDTH_MAX = 500 };

void ctl_init(struct ctl *ret)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	memset(ret, 0, sizeof *ret);
	ret->socket = HUB_SOCKET;
	ret->run_dir = CONF_RUN_DIR;
	ret->out = stdout;
	ret->err = stderr;
	ret->out_tty = isatty(STDOUT_FILENO);
	ret->err_tty = isatty(STDERR_FILENO);
	/* no-color.org: any value but the empty one. */
	ret->colour = ret->out_tty && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
	              strcmp(term, "dumb") != 0;
	ret->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	ret->in = ret->out_tty && isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
	ret->width = WIDTH_DEFAULT;
	ret->answer_ms = 3000;
	ret->poll_ms = 250;
	ret->watch_ms = 1000;
	ret->firm_ms = 2000;
}

static struct winsize ctl_winsize(FILE *file)
{
	struct winsize size = { .ws_col = 0 };

	if (ioctl(fileno(file), TIOCGWINSZ, &size) < 0)
		memset(&size, 0, sizeof size);
	return size;
}

int ctl_width(FILE *file, int otherwise)
{
	int width = ctl_winsize(file).ws_col;

	if (width == 0)
		width = otherwise;
	if (width < WIDTH_MIN)
		return WIDTH_MIN;
	return width > WIDTH_MAX ? WIDTH_MAX : width;
}

int ctl_rows(FILE *file, int otherwise)
{
	int rows = ctl_winsize(file).ws_row;

	return rows > 0 ? rows : otherwise;
}

char *ctl_phrase(const struct ctl *ctl, int error, const char *why, char *ret, size_t size)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		snprintf(ret, size, "the agent does not run (nothing listens at %s)", ctl->socket);
		break;
	case EACCES:
	case EPERM:
		snprintf(ret, size,
		         "this user may not speak to the agent (%s is for root and group wna)",
		         ctl->socket);
		break;
	case EBADMSG:
	case EMSGSIZE:
		snprintf(ret, size, "the answer is not the agent's: %s",
		         why[0] != '\0' ? why : strerror(-error));
		break;
	case ETIMEDOUT:
	case EAGAIN: snprintf(ret, size, "the agent does not answer"); break;
	case ECONNRESET:
	case EPIPE: snprintf(ret, size, "the agent closed the connection without an answer"); break;
	default: snprintf(ret, size, "%s: %s", ctl->socket, strerror(-error)); break;
	}
	return ret;
}

enum ctl_exit ctl_complain(const struct ctl *ctl, int error, const char *why)
{
	char phrase[512];

	fprintf(ctl->err, "wnactl: %s\n", ctl_phrase(ctl, error, why, phrase, sizeof phrase));
	switch (-error) {
	case EACCES:
	case EPERM: return CTL_DENIED;
	case EBADMSG:
	case EMSGSIZE: return CTL_BAD;
	default: return CTL_UNREACHABLE;
	}
}
