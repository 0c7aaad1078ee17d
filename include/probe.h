/*
 * Between wna-mount and its child wna-probe: one question at a time over a
 * SOCK_SEQPACKET pair, each answer a datagram. The child asks the mounted file system
 * and the name servers, which may be silent for ever; then its parent kills it.
 */
#ifndef WNA_PROBE_H
#define WNA_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "hub.h"
#include "limits.h"
#include "net.h"

enum {
	PROBE_FD = 3, /* the child's end, its only descriptor beside 0 to 2 */
	PROBE_ADDRESSES = 16,
};

struct probe_question {
	char contract[HUB_CONTRACT_SIZE]; /* hub_contract: a child of another build leaves */
	int64_t limit_ms;                 /* after which the child ends by itself */
	char host[LIMIT_HOST];            /* resolve this first, in an answer of its own */
	int64_t mount_id;                 /* of the mount on `path` */
	char path[LIMIT_PATH];
	char file[LIMIT_PATH]; /* below path, read as well; may be empty */
};

struct probe_answer {
	bool names;     /* about the host; else the sign of life */
	int64_t value;  /* us that it took, or -errno; -ENODEV: the path leads to another mount */
	uint32_t count; /* addresses of the host; 0: it does not resolve */
	struct net_addr address[PROBE_ADDRESSES];
	char why[LIMIT_FACT_WHY];
};

#endif
