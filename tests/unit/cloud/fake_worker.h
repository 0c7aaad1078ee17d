/* A worker whose wnad is the test: the facts it sent last, by their id. */
#ifndef TEST_CLOUD_FAKE_WORKER_H
#define TEST_CLOUD_FAKE_WORKER_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "fact.h"
#include "msg.h"
#include "worker.h"

struct fake_worker {
	struct worker worker;
	struct conf conf;
	int peer;
	struct msg last[FACT_MAX];
	int count[FACT_MAX];
};

static inline void fake_worker_init(struct fake_worker *ret)
{
	int pair[2], size = 1 << 20;

	memset(ret, 0, sizeof(*ret));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ret->worker = (struct worker){ .role = ROLE_CLOUD, .fd = pair[0], .conf = &ret->conf };
	ret->peer = pair[1];
}

static inline void fake_worker_end(struct fake_worker *worker)
{
	close(worker->worker.fd);
	close(worker->peer);
}

/* Takes what was sent; returns how many facts. */
static inline int fake_worker_take(struct fake_worker *worker)
{
	struct msg msg;
	int taken = 0;

	while (msg_recv(worker->peer, &msg) == 0) {
		if (msg.type != MSG_FACT || msg.id >= FACT_MAX)
			continue;
		worker->last[msg.id] = msg;
		worker->count[msg.id]++;
		taken++;
	}
	return taken;
}

#endif
