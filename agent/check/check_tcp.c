/*
 * Run by wna-check. Blocks on nothing: a non-blocking connect to a literal
 * address. Owns the socket and its event.
 */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

static void tcp_bad(struct check_run *run, int error)
{
	char word[128];

	check_bad(&run->result, error, "%s", str_errno(error, word, sizeof word));
	check_run_settle(run);
}

/*
 * A connect to a closed port of this machine, if that port is in the range of ephemeral ports,
 * may connect to itself (RFC 9293, 3.5: simultaneous open), although there is no server.
 */
static bool tcp_self(int fd)
{
	struct sockaddr_storage own, peer;
	socklen_t own_len = sizeof own, peer_len = sizeof peer;

	memset(&own, 0, sizeof own);
	memset(&peer, 0, sizeof peer);
	return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && own_len == peer_len &&
	       memcmp(&own, &peer, own_len) == 0;
}

static void tcp_writable(evutil_socket_t fd, short what, void *arg)
{
	struct check_run *run = arg;
	int error = 0;
	socklen_t len = sizeof error;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0 && tcp_self(fd))
		error = ECONNREFUSED;
	if (error != 0) {
		tcp_bad(run, error);
		return;
	}
	check_good(&run->result, clock_us() - run->start_us, "connected");
	check_run_settle(run);
}

void check_tcp_start(struct check_run *run)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (run->conf->address.addr.family == 0) {
		tcp_bad(run, EINVAL);
		return;
	}
	len = net_endpoint_sockaddr(&run->conf->address, &ss);
	run->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (run->fd < 0) {
		tcp_bad(run, errno);
		return;
	}
	if (connect(run->fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
		tcp_bad(run, errno);
		return;
	}
	run->io = event_new(run->base, run->fd, EV_WRITE, tcp_writable, run);
	if (!run->io || event_add(run->io, NULL) < 0)
		tcp_bad(run, ENOMEM);
}

void check_tcp_timeout(struct check_run *run)
{
	char span[32];

	check_bad(&run->result, ETIMEDOUT, "not connected within %s",
	          clock_span(run->conf->timeout_ms, span, sizeof span));
}

void check_tcp_clean(struct check_run *run)
{
	if (run->io)
		event_free(run->io);
	run->io = NULL;
	if (run->fd >= 0)
		close(run->fd);
	run->fd = -1;
}
