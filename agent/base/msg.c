/* Every process; never blocks; owns nothing. */
#include "msg.h"

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

bool msg_valid(const struct msg *msg)
{
	return msg->type >= MSG_FACT && msg->type < MSG_TYPE_MAX && msg->zero == 0 &&
	       msg->found_ms >= 0 && text_valid(msg->text, sizeof msg->text) &&
	       text_valid(msg->why, sizeof msg->why);
}

bool envelope_valid(const struct envelope *envelope)
{
	return envelope->role < ROLE_MAX && envelope->zero == 0 && msg_valid(&envelope->msg);
}

bool order_valid(const struct order *order)
{
	return order->verb >= ORDER_BEAT && order->verb < ORDER_VERB_MAX && order->zero == 0;
}

static int send_whole(int fd, const void *data, size_t size)
{
	ssize_t n;

	do {
		n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)size)
		return 0;
	if (n >= 0)
		return -EIO;
	if (errno == EWOULDBLOCK || errno == ENOBUFS)
		return -EAGAIN;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int msg_send(int fd, const struct msg *msg)
{
	return send_whole(fd, msg, sizeof *msg);
}

int order_send(int fd, const struct order *order)
{
	return send_whole(fd, order, sizeof *order);
}

/* MSG_TRUNC makes the kernel report a too long datagram's true length. */
static int recv_whole(int fd, void *data, size_t size)
{
	ssize_t n;

	do {
		n = recv(fd, data, size, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)size)
		return 0;
	if (n == 0)
		return -EPIPE;
	if (n > 0)
		return -EBADMSG;
	if (errno == EWOULDBLOCK)
		return -EAGAIN;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int msg_recv(int fd, struct msg *ret)
{
	struct msg msg;
	int rc = recv_whole(fd, &msg, sizeof msg);

	if (rc < 0)
		return rc;
	if (!msg_valid(&msg))
		return -EBADMSG;
	*ret = msg;
	return 0;
}

int envelope_recv(int fd, struct envelope *ret)
{
	struct envelope envelope;
	int rc = recv_whole(fd, &envelope, sizeof envelope);

	if (rc < 0)
		return rc;
	if (!envelope_valid(&envelope))
		return -EBADMSG;
	*ret = envelope;
	return 0;
}

int order_recv(int fd, struct order *ret)
{
	struct order order;
	int rc = recv_whole(fd, &order, sizeof order);

	if (rc < 0)
		return rc;
	if (!order_valid(&order))
		return -EBADMSG;
	*ret = order;
	return 0;
}
