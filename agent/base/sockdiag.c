/* wna-sockets, wna-mount and wnactl. Waits for the kernel only, ANSWER_S at most; owns nothing. */
#include "sockdiag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_S = 1, BUFFER = 32 * 1024 };

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

static struct net_endpoint endpoint_of(uint8_t family, const uint32_t *addr, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct net_endpoint endpoint = { .port = ntohs(port) };

	memcpy(&in.sin_addr, addr, sizeof in.sin_addr);
	memcpy(&in6.sin6_addr, addr, sizeof in6.sin6_addr);
	net_addr_from_sockaddr(family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
	                       &endpoint.addr);
	return endpoint;
}

/* The kernel's struct tcp_info may be shorter or longer than ours. */
static void parse_info(const uint8_t *at, size_t len, struct sockdiag_socket *ret)
{
	struct tcp_info info = { 0 };
	struct rtattr head;
	size_t step, size;

	for (; len >= sizeof head; at += step, len -= step) {
		memcpy(&head, at, sizeof head);
		if (head.rta_len < sizeof head || head.rta_len > len)
			return;
		size = head.rta_len - sizeof head;
		if (head.rta_type == INET_DIAG_INFO)
			memcpy(&info, at + sizeof head, size < sizeof info ? size : sizeof info);
		step = RTA_ALIGN(head.rta_len);
		if (step > len)
			step = len;
	}
	ret->unacked_segments = info.tcpi_unacked;
	ret->backoff = info.tcpi_backoff;
	ret->quiet_ms = info.tcpi_last_data_sent;
}

static int parse_socket(const uint8_t *body, size_t len, sockdiag_take *take, void *arg)
{
	struct inet_diag_msg msg;
	struct sockdiag_socket socket;

	if (len < sizeof msg)
		return -EBADMSG;
	memcpy(&msg, body, sizeof msg);
	if (msg.idiag_family != AF_INET && msg.idiag_family != AF_INET6)
		return -EBADMSG;
	socket = (struct sockdiag_socket){
		.family = msg.idiag_family,
		.state = msg.idiag_state,
		.local = endpoint_of(msg.idiag_family, msg.id.idiag_src, msg.id.idiag_sport),
		.remote = endpoint_of(msg.idiag_family, msg.id.idiag_dst, msg.id.idiag_dport),
		.uid = msg.idiag_uid,
		.inode = msg.idiag_inode,
		.unread_bytes = msg.idiag_rqueue,
		.unsent_bytes = msg.idiag_wqueue,
		.id = msg.id,
	};
	parse_info(body + sizeof msg, len - sizeof msg, &socket);
	take(arg, &socket);
	return 1;
}

/* The number of an error, or of the error that ended a list; 0 in a confirmation. */
static int parse_error(const void *body, size_t len)
{
	int32_t error;

	if (len < sizeof error)
		return -EBADMSG;
	memcpy(&error, body, sizeof error);
	return error <= 0 && error >= -4095 ? error : -EBADMSG;
}

int sockdiag_parse(const void *data, size_t len, sockdiag_take *take, void *arg)
{
	const uint8_t *at = data;
	struct nlmsghdr head;
	size_t step;
	int rc = 1;

	while (rc == 1 && len > 0) {
		if (len < sizeof head)
			return -EBADMSG;
		memcpy(&head, at, sizeof head);
		if (head.nlmsg_len < sizeof head || head.nlmsg_len > len)
			return -EBADMSG;
		if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR)
			return parse_error(at + sizeof head, head.nlmsg_len - sizeof head);
		if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			rc = parse_socket(at + sizeof head, head.nlmsg_len - sizeof head, take,
			                  arg);
		step = NLMSG_ALIGN(head.nlmsg_len);
		if (step >= len)
			break;
		at += step;
		len -= step;
	}
	return rc;
}

/* A datagram of the kernel; those of processes are passed over. Its length or -errno. */
static ssize_t receive(int fd, void *ret, size_t size)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct iovec part = { .iov_base = ret, .iov_len = size };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_name = &from };
	ssize_t len;

	do {
		msg.msg_namelen = sizeof from;
		len = recvmsg(fd, &msg, 0);
	} while ((len < 0 && errno == EINTR) || (len >= 0 && from.nl_pid != 0));
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return len == 0 || (msg.msg_flags & MSG_TRUNC) ? -EBADMSG : len;
}

/* Each request has a socket of its own: no answer to an earlier one can be waiting in it. */
static int ask(struct request *request, sockdiag_take *take, void *arg)
{
	const struct timeval wait = { .tv_sec = ANSWER_S };
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), rc = 1;
	_Alignas(struct nlmsghdr) uint8_t buffer[BUFFER]; /* `take` may ask, too */
	ssize_t len;

	if (fd < 0)
		return -errno;
	request->head.nlmsg_len = sizeof *request;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
	    sendto(fd, request, sizeof *request, 0, (const struct sockaddr *)&kernel,
	           sizeof kernel) < 0)
		rc = -errno;
	while (rc == 1) {
		len = receive(fd, buffer, sizeof buffer);
		rc = len < 0 ? (int)len : sockdiag_parse(buffer, (size_t)len, take, arg);
	}
	close(fd);
	return rc;
}

int sockdiag_list(unsigned states, uint16_t local_port, uint16_t remote_port, sockdiag_take *take,
                  void *arg)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof families; i++) {
		struct request request = {
			.head = { .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
			.body = { .sdiag_family = families[i],
			          .sdiag_protocol = IPPROTO_TCP,
			          .idiag_ext = 1 << (INET_DIAG_INFO - 1),
			          .idiag_states = states,
			          .id = { .idiag_sport = htons(local_port),
			                  .idiag_dport = htons(remote_port) } },
		};

		rc = ask(&request, take, arg);
	}
	return rc;
}

static void ignore(void *arg, const struct sockdiag_socket *socket)
{
	(void)arg;
	(void)socket;
}

int sockdiag_end(const struct sockdiag_socket *socket)
{
	struct request request = {
		.head = { .nlmsg_type = SOCK_DESTROY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.body = { .sdiag_family = socket->family,
		          .sdiag_protocol = IPPROTO_TCP,
		          .idiag_states = ~0u,
		          .id = socket->id },
	};
	int rc = ask(&request, ignore, NULL);

	return rc == -ENOENT ? 0 : rc;
}
