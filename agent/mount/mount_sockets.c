/* Run by wna-mount as root. Asks the kernel over netlink, which answers at once. Owns nothing. */
#include <netinet/tcp.h>
#include <string.h>

#include "mount_watch.h"

/* The kernel's client connects to 127.0.0.1. A listener on another loopback address is anybody's. */
static void take_listener(void *arg, const struct sockdiag_socket *sock)
{
	static const uint8_t all[sizeof sock->local.addr.bytes], loopback[] = { 127, 0, 0, 1 };
	const struct net_addr *addr = &sock->local.addr;
	uint64_t *inode = arg;
	bool its = addr->family == AF_INET && memcmp(addr->bytes, loopback, sizeof loopback) == 0;

	if (its || (*inode == 0 && memcmp(addr->bytes, all, sizeof all) == 0))
		*inode = sock->inode;
}

int watch_listens(uint16_t port, uint64_t *ret)
{
	uint64_t inode = 0;
	int rc = 0;

	/* A kernel without tcp_diag may list nothing. Its tables are the truth, but it reads all of
	 * its hash table for them, which takes milliseconds on a large machine. */
	if (sockdiag_list(SOCKDIAG_STATE(TCP_LISTEN), port, 0, take_listener, &inode) < 0 ||
	    inode == 0)
		rc = watch_tables(port, &inode);
	*ret = inode;
	return rc;
}

struct queue {
	const struct watch *watch;
	bool found, queued;
};

static void take_queue(void *arg, const struct sockdiag_socket *sock)
{
	struct queue *queue = arg;

	if (!net_addr_equal(&sock->remote.addr, &queue->watch->server))
		return;
	queue->found = true;
	queue->queued = queue->queued || sock->unsent_bytes > 0 || sock->unread_bytes > 0;
}

bool watch_queued(const struct watch *watch)
{
	enum { NFS_PORT = 2049 };
	struct queue queue = { watch, false, false };
	uint16_t port = watch->port != 0 ? watch->port : NFS_PORT;

	return sockdiag_list(SOCKDIAG_STATE(TCP_ESTABLISHED), 0, port, take_queue, &queue) < 0 ||
	       !queue.found || queue.queued;
}

struct sum {
	const struct watch *watch;
	const struct watch_owner *owner;
	struct watch_flow flow;
};

static void take_connection(void *arg, const struct sockdiag_socket *sock)
{
	struct sum *sum = arg;

	watch_flow_add(&sum->flow, sum->watch, sum->owner, sock);
}

enum heal_flow watch_sockets(const struct watch *watch, const struct watch_owner *owner)
{
	const unsigned with_peer = SOCKDIAG_STATE(TCP_ESTABLISHED) | SOCKDIAG_STATE(TCP_SYN_SENT) |
	                           SOCKDIAG_STATE(TCP_FIN_WAIT1) | SOCKDIAG_STATE(TCP_CLOSE_WAIT);
	struct sum sum = { watch, owner, { 0 } };

	return sockdiag_list(with_peer, 0, 0, take_connection, &sum) < 0
	               ? FLOW_UNKNOWN
	               : watch_flow_of(&sum.flow, watch);
}
