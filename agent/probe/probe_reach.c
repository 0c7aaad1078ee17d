/* Run by wna-probe. Blocks on connections, with a limit. Owns nothing. */
#include "probe_reach.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

/* A descriptor, or -1. */
static int begin(const struct net_addr *addr, uint16_t port)
{
	struct net_endpoint endpoint = { .addr = *addr, .port = port };
	int fd = socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage storage;
	socklen_t len = net_endpoint_sockaddr(&endpoint, &storage);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&storage, len) < 0 && errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool is_open(int fd)
{
	int error = 0;
	socklen_t len = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

void probe_reach(uint16_t port, unsigned own, int64_t limit_ms, struct probe_answer *answer)
{
	struct pollfd polls[PROBE_ADDRESSES];
	int64_t end_ms = clock_ms() + limit_ms, left_ms;
	unsigned count = answer->count, waiting = 0;
	bool open[PROBE_ADDRESSES] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		polls[i] = (struct pollfd){ .fd = begin(&answer->address[i], port),
			                    .events = POLLOUT };
		waiting += polls[i].fd >= 0;
	}
	while (waiting > 0 && (left_ms = end_ms - clock_ms()) > 0 &&
	       poll(polls, count, (int)left_ms) >= 0) {
		for (unsigned i = 0; i < count; i++) {
			if (polls[i].fd < 0 || polls[i].revents == 0)
				continue;
			open[i] = is_open(polls[i].fd);
			close(polls[i].fd);
			polls[i].fd = -1;
			waiting--;
		}
	}
	answer->value = own;
	answer->count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (polls[i].fd >= 0)
			close(polls[i].fd);
		if (i < own && open[i])
			answer->address[answer->count++] = answer->address[i];
		else if (open[i])
			answer->other = answer->address[i];
	}
}
