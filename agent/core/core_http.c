/*
 * wna-core. Never blocks. Owns the table of connections; the listener is
 * systemd's and outlives this process.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core_serve.h"

enum { EVICT_TRIES = 8 };

static const struct timeval sweep_period = { .tv_usec = HTTP_SWEEP_MS * 1000 };

/* An array of zeros, whose pages get memory when they are used: calloc does not promise this. */
static void *table(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static struct conn *take_place(struct http *http)
{
	struct conn *conn = TAILQ_FIRST(&http->spare);

	if (conn) {
		TAILQ_REMOVE(&http->spare, conn, entry);
	} else if (http->made < (unsigned)http->conf->max_connections) {
		conn = &http->conn[http->made++];
		conn->http = http;
	}
	return conn;
}

/* The oldest connection that does not wait to write. */
static struct conn *oldest(struct http *http)
{
	struct conn *conn = TAILQ_FIRST(&http->held);

	while (conn && conn->out)
		conn = TAILQ_NEXT(conn, entry);
	return conn;
}

/*
 * Closes the connection that has been without a complete request for the longest time.
 * If a request of that connection has arrived unread, it is answered, and the next oldest
 * connection is looked at, up to EVICT_TRIES. False if no place can be freed.
 */
static bool evict(struct http *http, int64_t now_ms)
{
	for (int i = 0; i < EVICT_TRIES; i++) {
		struct conn *conn = oldest(http);
		unsigned before = http->connections;

		if (!conn)
			return false;
		/* The last one is not served: all of them may have a request at hand. */
		if (i < EVICT_TRIES - 1)
			conn_serve(conn, now_ms);
		if (http->connections < before)
			return true;
		if (conn == oldest(http)) {
			conn_close(conn);
			http->core->counters.evicted++;
			return true;
		}
	}
	return false;
}

static void open_conn(struct http *http, int fd, int64_t now_ms)
{
	struct conn *conn = take_place(http);

	if (!conn && evict(http, now_ms))
		conn = take_place(http);
	if (!conn) {
		close(fd);
		return;
	}
	http->core->counters.accepted++;
	if (conn_open(conn, fd, now_ms) < 0) {
		conn_close(conn);
		return;
	}
	/* The request is often there already. */
	conn_serve(conn, now_ms);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct http *http = arg;
	int64_t now_ms = clock_ms();
	bool starved;

	(void)what;
	for (int i = 0; i < HTTP_ACCEPTS; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			open_conn(http, fd, now_ms);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		starved = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
		if (starved && evict(http, now_ms))
			continue;
		/* No accept before the next sweep, since the loop must not spin: no descriptor is
		 * free, or the listener was shut down. */
		if (starved || errno == EINVAL) {
			event_del(&http->accept_event);
			break;
		}
		/* Other errors concern one connection, which is gone (accept(2)). */
	}
	if (!event_pending(&http->sweep_event, EV_TIMEOUT, NULL))
		event_add(&http->sweep_event, &sweep_period);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;
	const struct conf_health *conf = http->conf;
	int64_t now_ms = clock_ms(), young_ms = conf->idle_timeout_ms;
	struct conn *conn, *newer;

	(void)fd;
	(void)what;
	if (conf->request_timeout_ms < young_ms)
		young_ms = conf->request_timeout_ms;
	if (HTTP_LINGER_MS < young_ms)
		young_ms = HTTP_LINGER_MS;
	/* By age: what is newer than the first young connection cannot have expired. */
	for (conn = TAILQ_FIRST(&http->held); conn && now_ms - conn->since_ms > young_ms;
	     conn = newer) {
		newer = TAILQ_NEXT(conn, entry);
		if (!conn_expired(conn, now_ms))
			continue;
		conn_close(conn);
		http->core->counters.timed_out++;
	}
	if (http->accepting && !event_pending(&http->accept_event, EV_READ, NULL))
		event_add(&http->accept_event, NULL);
	else if (http->connections == 0)
		event_del(&http->sweep_event);
}

int http_init(struct http *http, struct event_base *base, int listen_fd, struct core *core)
{
	size_t places = (size_t)core->state.conf->health.max_connections;
	int one = 1;

	http->base = base;
	http->conf = &core->state.conf->health;
	http->core = core;
	TAILQ_INIT(&http->held);
	TAILQ_INIT(&http->spare);
	http->conn = table(places * sizeof *http->conn);
	http->input = table(places * sizeof *http->input);
	http->outs = table(HTTP_OUTS * sizeof *http->outs);
	if (!http->conn || !http->input || !http->outs)
		return -ENOMEM;
	/* Accepted sockets inherit it; on a Unix socket (tests) it fails, which does no harm. */
	setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	event_assign(&http->accept_event, base, listen_fd, EV_READ | EV_PERSIST, on_accept, http);
	event_assign(&http->sweep_event, base, -1, EV_PERSIST, on_sweep, http);
	return 0;
}

void http_accept(struct http *http)
{
	if (http->accepting || http->draining)
		return;
	http->accepting = true;
	event_add(&http->accept_event, NULL);
}

void http_drain(struct http *http)
{
	struct conn *conn, *newer;
	int64_t now_ms = clock_ms();

	http->draining = true;
	http->accepting = false;
	event_del(&http->accept_event);
	for (conn = TAILQ_FIRST(&http->held); conn; conn = newer) {
		unsigned before = http->connections;

		newer = TAILQ_NEXT(conn, entry);
		if (conn->out || conn->linger)
			continue;
		/* A request may have arrived unread. */
		conn_serve(conn, now_ms);
		if (http->connections == before && conn->answered && conn->len == 0 && !conn->out &&
		    !conn->linger)
			conn_close(conn);
	}
}
