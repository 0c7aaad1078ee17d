/*
 * Run by wnactl. Waits for the agent's answer, at most ctl->answer_ms. Owns the connection.
 */
#include "ctl.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

static int talk_wait(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		int64_t left = deadline_ms - clock_ms();
		struct pollfd pollfd = { .fd = fd, .events = events };
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&pollfd, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int talk_connect(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* connect(2) does not wait on a Unix socket: done, refused, or -EAGAIN when the
	 * listener's queue is full. */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

/* One datagram is the whole answer. */
static int talk_receive(int fd, int64_t deadline_ms, char **ret_text, size_t *ret_len)
{
	char *text;
	ssize_t len;
	int r = talk_wait(fd, POLLIN, deadline_ms);

	if (r < 0)
		return r;
	text = malloc(TALK_MAX);
	if (!text)
		return -ENOMEM;
	len = recv(fd, text, TALK_MAX - 1, MSG_TRUNC);
	if (len > 0 && len < TALK_MAX) {
		text[len] = '\0';
		*ret_text = text;
		*ret_len = (size_t)len;
		return 0;
	}
	r = len == 0 ? -ECONNRESET : len > 0 ? -EMSGSIZE : -errno;
	free(text);
	return r;
}

int talk(const char *path, enum hub_ask ask, int64_t timeout_ms, char **ret_text, size_t *ret_len)
{
	const struct msg request = { .type = HUB_ASK, .id = (uint16_t)ask };
	int64_t deadline_ms = clock_ms() + timeout_ms;
	int fd = -1, r;

	r = talk_connect(path, &fd);
	if (r < 0)
		return r;
	r = hub_send(fd, &request);
	if (r == 0)
		r = talk_receive(fd, deadline_ms, ret_text, ret_len);
	close(fd);
	return r == -EPIPE ? -ECONNRESET : r;
}

int status_ask(const struct ctl *ctl, struct view *ret, char *why, size_t why_size, char **ret_text)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	why[0] = '\0';
	r = talk(ctl->socket, ASK_STATUS, ctl->answer_ms, &text, &len);
	if (r < 0)
		return r;
	assert(text);
	r = view_parse(text, len, ret, why, why_size);
	if (ret_text != NULL)
		*ret_text = text;
	else
		free(text);
	return r;
}

enum ctl_exit history_show(const struct ctl *ctl)
{
	static struct view view; /* large */
	char why[256], at[32];
	int r = status_ask(ctl, &view, why, sizeof why, NULL);

	if (r < 0)
		return ctl_complain(ctl, r, why);
	for (int i = 0; i < view.events; i++)
		fprintf(ctl->out, "%s  %s\n", clock_iso8601(view.event[i].at_ms, at, sizeof at),
		        view.event[i].what);
	return CTL_OK;
}

static enum ctl_exit exit_of(const struct view *view)
{
	if (view->readyz.code == 200)
		return CTL_OK;
	return view->healthz.code == 200 ? CTL_NO : CTL_OUT;
}

/* On a terminal the verdict stays visible: one row is for the shell's prompt. */
static void show_once(const struct ctl *ctl, const struct view *view, bool verbose)
{
	int rows = ctl->out_tty && !verbose ? ctl_rows(ctl->out, ctl->height) - 1 : 0;
	struct page page;
	char *text;

	page_init(&page, ctl->out, ctl_width(ctl->out, ctl->width), ctl->colour, ctl->utf8);
	text = screen_fit(&page, view, verbose, rows);
	if (text == NULL)
		return;
	if (rows > 1 && screen_lines(text) > rows) {
		const char *end = text;

		while (--rows > 0)
			end = strchr(end, '\n') + 1;
		fwrite(text, 1, (size_t)(end - text), ctl->out);
		fputs("[more: wnactl status -v | less]\n", ctl->out);
	} else {
		fputs(text, ctl->out);
	}
	free(text);
}

enum ctl_exit status_once(const struct ctl *ctl, bool json, bool verbose)
{
	static struct view view; /* large */
	enum ctl_exit code;
	char *text = NULL;
	char why[256];
	int r;

	r = status_ask(ctl, &view, why, sizeof why, &text);
	if (r < 0) {
		free(text);
		code = ctl_complain(ctl, r, why);
		if (code == CTL_UNREACHABLE)
			absent_explain(ctl);
		return code;
	}
	if (json && ctl->out_tty)
		text_write(ctl->out, text, strlen(text), ctl->utf8);
	else if (json)
		fputs(text, ctl->out);
	else
		show_once(ctl, &view, verbose);
	free(text);
	return exit_of(&view);
}

enum ctl_exit reasons_print(const struct ctl *ctl)
{
	fputs("| reason | meaning | what to do |\n|---|---|---|\n", ctl->out);
	for (int i = REASON_NONE + 1; i < REASON_MAX; i++)
		fprintf(ctl->out, "| `%s` | %s | %s |\n", reason_info(i)->name,
		        reason_info(i)->meaning, reason_info(i)->todo);
	return CTL_OK;
}
