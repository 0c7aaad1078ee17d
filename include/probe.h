/*
 * Between wna-mount and its child wna-probe: one question at a time over a pair of
 * SOCK_SEQPACKET sockets; each answer is a datagram. The child asks the mounted file system and
 * name servers. If they never answer, the parent kills it. A second child, while the mount hangs,
 * asks whether the mount target accepts connections.
 */
#ifndef WNA_PROBE_H
#define WNA_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "hub.h"
#include "limits.h"
#include "net.h"

enum {
	PROBE_FD = 3, /* the child's socket */
	PROBE_ADDRESSES = 16,
	PROBE_REACH_MS = 2000, /* for connections */
};

struct probe_question {
	char contract[HUB_CONTRACT_SIZE]; /* hub_contract: a child of another build ends */
	int64_t limit_ms;                 /* after this time the child ends by itself */
	uint16_t reach_port;              /* not 0: only try to connect to this port of the host */
	char host[LIMIT_HOST];            /* if not empty, is resolved first; has its own answer */
	char other[LIMIT_HOST];           /* with reach_port: another host of the same service */
	int64_t mount_id;                 /* of the mount on `path` */
	char path[LIMIT_PATH];
	char file[LIMIT_PATH]; /* below path; if not empty, is read as well */
};

struct probe_answer {
	bool names;    /* the addresses of the host, or those that accept connections; else the sign
	                 * of life */
	int64_t value; /* us that it took, or -errno; -ENODEV: the path leads to another mount. With
	                * reach_port: how many addresses of the host were tried */
	uint32_t count; /* how many addresses; 0: the name does not resolve */
	struct net_addr address[PROBE_ADDRESSES];
	struct net_addr other; /* one of the other host that accepts connections; family 0: none */
	char why[LIMIT_FACT_WHY];
};

#endif
