/* wnad; never blocks, whatever the reader of standard error does. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * O_NONBLOCK sits on the open file, which standard error shares with our
 * children and whoever started us. A pipe or terminal can be opened anew for a
 * description of our own; a socket cannot, but takes the wish per call.
 */
static void open_out(struct sink *sink, int to)
{
	struct stat st;
	char path[32];
	int fd;

	sink->out = to;
	if (fstat(to, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISREG(st.st_mode))) {
		/* A regular file needs no care, and its offset must stay shared: a
		 * second description would overwrite what our children write. */
		sink->is_socket = S_ISSOCK(st.st_mode);
		return;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", to);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		sink->out = fd;
		sink->owned = true;
	}
}

int sink_open(struct sink *ret, int to)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	memset(ret, 0, sizeof *ret);
	ret->pipe_read = fds[0];
	ret->pipe_write = fds[1];
	open_out(ret, to);
	return 0;
}

/* At most PIPE_BUF bytes at a time, for the case that only poll() protects. */
static ssize_t write_some(const struct sink *sink)
{
	struct pollfd ready = { .fd = sink->out, .events = POLLOUT };
	size_t len = sink->len < PIPE_BUF ? sink->len : PIPE_BUF;

	if (sink->is_socket)
		return send(sink->out, sink->buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!sink->owned && (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLOUT))) {
		errno = EAGAIN;
		return -1;
	}
	return write(sink->out, sink->buf, len);
}

static bool flush(struct sink *sink)
{
	ssize_t n;

	while (sink->len > 0) {
		n = write_some(sink);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			sink->len = 0; /* nobody will ever read this */
			break;
		}
		sink->len -= (size_t)n;
		memmove(sink->buf, sink->buf + n, sink->len);
	}
	return true;
}

bool sink_pump(struct sink *sink)
{
	ssize_t n;

	for (;;) {
		/* With a full buffer the pipe fills next, and its writers drop and count. */
		if (!flush(sink) && sink->len == sizeof sink->buf)
			return true;
		n = read(sink->pipe_read, sink->buf + sink->len, sizeof sink->buf - sink->len);
		if (n <= 0)
			return sink->len > 0;
		sink->len += (size_t)n;
	}
}

void sink_close(struct sink *sink)
{
	sink_pump(sink);
	close(sink->pipe_read);
	close(sink->pipe_write);
	if (sink->owned)
		close(sink->out);
}
