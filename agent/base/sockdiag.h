/*
 * The TCP sockets of this network namespace, by sock_diag(7): list them, and end one. The
 * kernel answers at once; an answer that is late is an error. Sockets of containers with a
 * network of their own are not seen.
 */
#ifndef WNA_SOCKDIAG_H
#define WNA_SOCKDIAG_H

#include <linux/inet_diag.h>
#include <stddef.h>
#include <stdint.h>

#include "net.h"

struct sockdiag_socket {
	uint8_t family; /* of the socket: with AF_INET6 both addresses may be IPv4 (mapped) */
	uint8_t state;  /* TCP_ESTABLISHED ... of <netinet/tcp.h> */
	struct net_endpoint local, remote;
	uint32_t uid, inode;       /* inode 0: no process has it any more */
	uint32_t unread_bytes;     /* received, and not read by the owner */
	uint32_t unsent_bytes;     /* not acknowledged, sent or not */
	uint32_t unacked_segments; /* sent, and not acknowledged */
	uint32_t backoff; /* how often the time-out was doubled: retransmissions in a row */
	int64_t quiet_ms; /* since data were sent last */
	struct inet_diag_sockid id; /* has the cookie, which no other socket ever has */
};

typedef void sockdiag_take(void *arg, const struct sockdiag_socket *socket);

/* The bit of a state, for sockdiag_list. */
#define SOCKDIAG_STATE(state) (1u << (state))

/*
 * Gives `take` every socket of both families in one of the states, with these ports; 0: any. 0 or
 * -errno; -ENOENT and -EPROTONOSUPPORT: the kernel has no sock_diag. A kernel without
 * CONFIG_INET_TCP_DIAG may list nothing instead.
 */
int sockdiag_list(unsigned states, uint16_t local_port, uint16_t remote_port, sockdiag_take *take,
                  void *arg);

/*
 * Ends a socket of sockdiag_list: its owner's calls fail with ECONNABORTED, and the peer gets
 * an RST. 0, also if the socket is gone already; -EPERM without CAP_NET_ADMIN; -EOPNOTSUPP if
 * the kernel was built without CONFIG_INET_DIAG_DESTROY; other -errno.
 */
int sockdiag_end(const struct sockdiag_socket *socket);

/*
 * One datagram of the kernel: sockets, an error or the end of a list. 1: more datagrams
 * follow; 0: the end, or a confirmation; -errno of the kernel; -EBADMSG malformed, after
 * `take` had the sockets before that. Pure.
 */
int sockdiag_parse(const void *data, size_t len, sockdiag_take *take, void *arg);

#endif
