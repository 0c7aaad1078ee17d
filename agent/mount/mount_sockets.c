/*
 * Run by wna-mount as root. Asks the kernel over netlink, which answers at once. Owns nothing.
 * Source: sock_diag(7), linux/inet_diag.h.
 */
#include "mount_watch.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	STATES =
	        1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT | 1 << TCP_FIN_WAIT1 | 1 << TCP_CLOSE_WAIT,
	DUMP_BYTES = 32768,
};

static void take_address(uint8_t family, const void *bytes, uint16_t port, struct net_endpoint *ret)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	memcpy(&v6.sin6_addr, bytes, sizeof v6.sin6_addr);
	memcpy(&v4.sin_addr, bytes, sizeof v4.sin_addr);
	net_addr_from_sockaddr(family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
	                       &ret->addr);
	ret->port = ntohs(port);
}

static void take_info(const struct tcp_info *info, struct watch_socket *ret)
{
	ret->unacked = info->tcpi_unacked;
	ret->backoff = info->tcpi_backoff;
	ret->sent_ms = info->tcpi_last_data_sent;
}

static void take_socket(const struct nlmsghdr *head, struct watch_socket *ret)
{
	const struct inet_diag_msg *diag = NLMSG_DATA(head);
	int len = (int)NLMSG_PAYLOAD(head, sizeof *diag);
	struct tcp_info info = { 0 };

	*ret = (struct watch_socket){ .inode = diag->idiag_inode,
		                      .unread_bytes = diag->idiag_rqueue,
		                      .opening = diag->idiag_state == TCP_SYN_SENT };
	take_address(diag->idiag_family, diag->id.idiag_src, diag->id.idiag_sport, &ret->local);
	take_address(diag->idiag_family, diag->id.idiag_dst, diag->id.idiag_dport, &ret->remote);
	for (const struct rtattr *attr = (const struct rtattr *)(diag + 1); RTA_OK(attr, len);
	     attr = RTA_NEXT(attr, len)) {
		size_t size = RTA_PAYLOAD(attr);

		if (attr->rta_type != INET_DIAG_INFO)
			continue;
		memcpy(&info, RTA_DATA(attr), size < sizeof info ? size : sizeof info);
		take_info(&info, ret);
	}
	ret->unsent_bytes = ret->unacked == 0 ? diag->idiag_wqueue : 0;
}

/* 1: more will come; 0: the end of the dump; -1: the kernel cannot make it. */
static int take_dump(const char *dump, size_t size, const struct watch *watch,
                     const struct watch_owner *owner, struct watch_flow *flow)
{
	struct watch_socket sock;
	size_t len = size;

	for (const struct nlmsghdr *head = (const struct nlmsghdr *)dump; NLMSG_OK(head, len);
	     head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return head->nlmsg_type == NLMSG_DONE ? 0 : -1;
		take_socket(head, &sock);
		watch_flow_add(flow, watch, owner, &sock);
	}
	return 1;
}

static bool dump_family(int fd, uint8_t family, const struct watch *watch,
                        const struct watch_owner *owner, struct watch_flow *flow)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 diag;
	} request = {
		.head = { .nlmsg_len = sizeof request,
		          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.diag = { .sdiag_family = family,
		          .sdiag_protocol = IPPROTO_TCP,
		          .idiag_ext = 1 << (INET_DIAG_INFO - 1),
		          .idiag_states = STATES },
	};
	static _Alignas(struct nlmsghdr) char dump[DUMP_BYTES];
	int more = 1;
	ssize_t n;

	if (send(fd, &request, sizeof request, 0) != (ssize_t)sizeof request)
		return false;
	while (more > 0) {
		n = recv(fd, dump, sizeof dump, 0);
		more = n > 0 ? take_dump(dump, (size_t)n, watch, owner, flow) : -1;
	}
	return more == 0;
}

enum heal_flow watch_sockets(const struct watch *watch, const struct watch_owner *owner)
{
	struct timeval patience = { .tv_sec = 1 };
	struct watch_flow flow = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool known;

	if (fd < 0)
		return FLOW_UNKNOWN;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	known = dump_family(fd, AF_INET, watch, owner, &flow) &&
	        dump_family(fd, AF_INET6, watch, owner, &flow);
	close(fd);
	return known ? watch_flow_of(&flow, watch) : FLOW_UNKNOWN;
}
