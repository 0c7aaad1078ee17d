/* Every process; never blocks; owns nothing. */
#include "hub.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static bool text_valid(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return true;
}

bool hub_valid(const struct msg *msg)
{
	return msg->type >= HUB_HELLO && msg->type < HUB_TYPE_MAX && msg->zero == 0 &&
	       msg->found_ms >= 0 && msg->since_ms >= 0 &&
	       text_valid(msg->text, sizeof msg->text) && text_valid(msg->why, sizeof msg->why);
}

int hub_send(int fd, const struct msg *msg)
{
	ssize_t n;

	do {
		n = send(fd, msg, sizeof *msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof *msg)
		return 0;
	if (n >= 0)
		return -EIO;
	if (errno == EWOULDBLOCK || errno == ENOBUFS)
		return -EAGAIN;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int hub_recv(int fd, struct msg *ret)
{
	struct msg msg;
	ssize_t n;

	/* MSG_TRUNC makes the kernel report a too long datagram's true length. */
	do {
		n = recv(fd, &msg, sizeof msg, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EWOULDBLOCK)
		return -EAGAIN;
	if (n < 0)
		return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	if (n != (ssize_t)sizeof msg || !hub_valid(&msg))
		return -EBADMSG;
	*ret = msg;
	return 0;
}
