/* A worker whose hub is the test: the facts it sent last, by their id. */
#ifndef TEST_CLOUD_FAKE_WORKER_H
#define TEST_CLOUD_FAKE_WORKER_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "fact.h"
#include "hub.h"
#include "worker.h"

struct fake_worker {
	struct worker worker;
	struct conf conf;
	struct peer peer;
	int hub; /* the other end */
	struct msg last[FACT_MAX];
	int count[FACT_MAX];
};

static inline void fake_worker_pair(int *ret_a, int *ret_b)
{
	int pair[2], size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	*ret_a = pair[0];
	*ret_b = pair[1];
}

static inline void fake_worker_init(struct fake_worker *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->peer.timer_fd = -1;
	fake_worker_pair(&ret->peer.hub_fd, &ret->hub);
	ret->worker.role = ROLE_CLOUD;
	ret->worker.conf = &ret->conf;
	ret->worker.peer = &ret->peer;
	ret->worker.fd = ret->peer.fd = ret->peer.hub_fd;
}

static inline void fake_worker_end(struct fake_worker *worker)
{
	close(worker->peer.hub_fd);
	close(worker->hub);
}

/* Takes what was sent; returns how many facts. */
static inline int fake_worker_take(struct fake_worker *worker)
{
	struct msg msg;
	int taken = 0;

	while (hub_recv(worker->hub, &msg) == 0) {
		if (msg.type != HUB_FACT || msg.id >= FACT_MAX)
			continue;
		worker->last[msg.id] = msg;
		worker->count[msg.id]++;
		taken++;
	}
	return taken;
}

#endif
