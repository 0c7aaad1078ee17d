/*
 * Run by wnactl. Waits for the agent, never longer than it is told to. Owns
 * the connection.
 */
#include "talk.h"

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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Does not wait on Unix sockets: done, refused, or -EAGAIN when the
	 * listener's queue is full. */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

static int talk_send(int fd, const char *request, int64_t deadline_ms)
{
	size_t len = strlen(request);

	while (len > 0) {
		ssize_t n = send(fd, request, len, MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			request += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = talk_wait(fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int talk_receive(int fd, int64_t deadline_ms, char **ret_text, size_t *ret_len)
{
	size_t size = 64 * 1024, len = 0;
	char *text = malloc(size);
	int r = -ENOMEM;

	if (text == NULL)
		return r;
	for (;;) {
		ssize_t n;

		if (size - len < 2) {
			char *larger = size < TALK_MAX ? realloc(text, size * 2) : NULL;

			r = size < TALK_MAX ? -ENOMEM : -EMSGSIZE;
			if (larger == NULL)
				goto out;
			text = larger;
			size *= 2;
		}
		n = recv(fd, text + len, size - len - 1, 0);
		if (n == 0)
			break;
		if (n > 0) {
			len += (size_t)n;
			continue;
		}
		r = -errno;
		if (r != -EAGAIN && r != -EINTR)
			goto out;
		r = talk_wait(fd, POLLIN, deadline_ms);
		if (r < 0)
			goto out;
	}
	r = -ECONNRESET;
	if (len == 0)
		goto out;
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
out:
	free(text);
	return r;
}

int talk(const char *path, const char *request, int64_t timeout_ms, char **ret_text,
         size_t *ret_len)
{
	int64_t deadline_ms = clock_ms() + timeout_ms;
	int fd = -1, r;

	r = talk_connect(path, &fd);
	if (r < 0)
		return r;
	r = talk_send(fd, request, deadline_ms);
	if (r == 0)
		r = talk_receive(fd, deadline_ms, ret_text, ret_len);
	close(fd);
	return r;
}
