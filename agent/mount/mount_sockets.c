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
	WITH_PEER =
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

static void read_socket(const struct nlmsghdr *head, struct watch_socket *ret)
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

/* 1: more will come; 0: the end of the list; -1: the kernel cannot make it. */
static int read_dump(const char *dump, size_t size,
                     void (*take)(void *arg, const struct watch_socket *sock), void *arg)
{
	struct watch_socket sock;
	size_t len = size;

	for (const struct nlmsghdr *head = (const struct nlmsghdr *)dump; NLMSG_OK(head, len);
	     head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return head->nlmsg_type == NLMSG_DONE ? 0 : -1;
		read_socket(head, &sock);
		take(arg, &sock);
	}
	return 1;
}

static bool list_family(int fd, uint8_t family, unsigned states, uint16_t port,
                        void (*take)(void *arg, const struct watch_socket *sock), void *arg)
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
		          .idiag_states = states,
		          .id.idiag_sport = htons(port) },
	};
	static _Alignas(struct nlmsghdr) char dump[DUMP_BYTES];
	int more = 1;
	ssize_t n;

	if (send(fd, &request, sizeof request, 0) != (ssize_t)sizeof request)
		return false;
	while (more > 0) {
		n = recv(fd, dump, sizeof dump, 0);
		more = n > 0 ? read_dump(dump, (size_t)n, take, arg) : -1;
	}
	return more == 0;
}

/* All sockets in these states; `port`: their own, 0: any. */
static bool list(unsigned states, uint16_t port,
                 void (*take)(void *arg, const struct watch_socket *sock), void *arg)
{
	struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool known;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	known = list_family(fd, AF_INET, states, port, take, arg) &&
	        list_family(fd, AF_INET6, states, port, take, arg);
	close(fd);
	return known;
}

static void take_listener(void *arg, const struct watch_socket *sock)
{
	const struct net_addr *addr = &sock->local.addr;
	static const struct net_addr all;

	if (net_addr_is_loopback(addr) || memcmp(addr->bytes, all.bytes, sizeof all.bytes) == 0)
		*(uint64_t *)arg = sock->inode;
}

uint64_t watch_listens(uint16_t port)
{
	uint64_t inode = 0;

	/* A kernel without tcp_diag may list nothing. Its tables are the truth, but it reads all of
	 * its hash table for them, which takes milliseconds on a large machine. */
	if (!list(1 << TCP_LISTEN, port, take_listener, &inode) || inode == 0)
		inode = watch_tables(port);
	return inode;
}

struct sum {
	const struct watch *watch;
	const struct watch_owner *owner;
	struct watch_flow flow;
};

static void take_connection(void *arg, const struct watch_socket *sock)
{
	struct sum *sum = arg;

	watch_flow_add(&sum->flow, sum->watch, sum->owner, sock);
}

enum heal_flow watch_sockets(const struct watch *watch, const struct watch_owner *owner)
{
	struct sum sum = { watch, owner, { 0 } };

	return list(WITH_PEER, 0, take_connection, &sum) ? watch_flow_of(&sum.flow, watch)
	                                                 : FLOW_UNKNOWN;
}
