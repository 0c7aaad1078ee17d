/*
 * wna-core. Never blocks. Owns the table of connections; the listener is
 * systemd's and outlives this process.
 */
#include "core_http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core_conn.h"
#include "log.h"

enum { EVICT_TRIES = 8 };

static const struct timeval sweep_period = { .tv_usec = HTTP_SWEEP_MS * 1000 };

/* Zeroed and untouched until used, which malloc does not promise. */
static void *table(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static size_t slots(const struct http *http)
{
	return (size_t)http->conf->max_connections;
}

static struct conn *take_place(struct http *http)
{
	struct conn *conn = http->free_list;

	if (conn) {
		http->free_list = conn->newer;
	} else if (http->made < slots(http)) {
		conn = &http->conn[http->made++];
		conn->http = http;
	}
	return conn;
}

/*
 * The one that has been without a complete request for the longest time makes
 * room. What it sent but was not read yet is looked at first: it may be a
 * request.
 */
static bool evict(struct http *http, int64_t now_ms)
{
	struct conn *conn;

	for (int i = 0; i < EVICT_TRIES; i++) {
		unsigned before = http->connections;

		for (conn = http->oldest; conn && conn->out; conn = conn->newer)
			;
		if (!conn)
			return false;
		if (i < EVICT_TRIES - 1 && !conn->linger) {
			conn_serve(conn, now_ms);
			if (http->connections < before)
				return true;
			if (conn != http->oldest && conn->since_ms == now_ms)
				continue;
			if (conn->out)
				continue;
		}
		conn_close(conn);
		http->counters.evicted++;
		return true;
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
	http->counters.accepted++;
	if (conn_open(conn, fd, now_ms) < 0) {
		conn_close(conn);
		return;
	}
	/* The request is often there already. */
	conn_serve(conn, now_ms);
}

/* No descriptor is left, in this process or on the machine. */
static bool accept_starved(struct http *http, int64_t now_ms)
{
	int fd;

	if (evict(http, now_ms))
		return true;
	if (http->reserve_fd < 0)
		return false;
	close(http->reserve_fd);
	fd = accept4(http->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	http->reserve_fd = fcntl(http->listen_fd, F_DUPFD_CLOEXEC, 0);
	return fd >= 0;
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct http *http = arg;
	int64_t now_ms = clock_ms();

	(void)what;
	for (int i = 0; i < HTTP_ACCEPTS; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			open_conn(http, fd, now_ms);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			if (accept_starved(http, now_ms))
				continue;
			/* Until the next sweep: the loop must not spin on it. */
			event_del(&http->accept_event);
			break;
		}
		if (errno == EINVAL) {
			/* Shut down by another process that holds it; a new start
			 * of the socket unit makes another. */
			log_info("health: this listener was given up");
			http->accepting = false;
			event_del(&http->accept_event);
			break;
		}
		/* The others concern one connection, which is gone (accept(2)). */
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
	/* By age: nothing newer than the first young one can have expired. */
	for (conn = http->oldest; conn && now_ms - conn->since_ms > young_ms; conn = newer) {
		newer = conn->newer;
		if (!conn_expired(conn, now_ms))
			continue;
		conn_close(conn);
		http->counters.timed_out++;
	}
	if (http->accepting && !event_pending(&http->accept_event, EV_READ, NULL))
		event_add(&http->accept_event, NULL);
	else if (http->connections == 0)
		event_del(&http->sweep_event);
}

int http_init(struct http **ret, struct event_base *base, const struct conf_health *conf,
              int listen_fd, const struct http_ops *ops)
{
	struct http *http = table(sizeof *http);
	int one = 1;

	if (!http)
		return -ENOMEM;
	http->base = base;
	http->conf = conf;
	http->ops = *ops;
	http->listen_fd = listen_fd;
	http->conn = table(slots(http) * sizeof *http->conn);
	http->input = table(slots(http) * sizeof *http->input);
	http->outs = table(HTTP_OUTS * sizeof *http->outs);
	http->reserve_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
	if (!http->conn || !http->input || !http->outs) {
		http_free(http);
		return -ENOMEM;
	}
	/* Inherited by what is accepted; of no use, and no harm, on other sockets. */
	setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	event_assign(&http->accept_event, base, listen_fd, EV_READ | EV_PERSIST, on_accept, http);
	event_assign(&http->sweep_event, base, -1, EV_PERSIST, on_sweep, http);
	*ret = http;
	return 0;
}

void http_accept(struct http *http)
{
	if (http->accepting || http->draining)
		return;
	http->accepting = true;
	event_add(&http->accept_event, NULL);
}

/* Closes who holds nothing, after a last look at what he may have sent: of those
 * who never asked, only if `all`. */
static void close_idle(struct http *http, bool all)
{
	int64_t now_ms = clock_ms();
	struct conn *conn, *newer;

	for (conn = http->oldest; conn; conn = newer) {
		unsigned before = http->connections;

		newer = conn->newer;
		if (conn->out || conn->linger)
			continue;
		conn_serve(conn, now_ms);
		if (http->connections == before && !conn->out && !conn->linger && conn->len == 0 &&
		    (all || conn->answered))
			conn_close(conn);
	}
}

void http_drain(struct http *http)
{
	if (http->draining)
		return;
	http->draining = true;
	http->accepting = false;
	event_del(&http->accept_event);
	close_idle(http, false);
}

void http_hurry(struct http *http)
{
	close_idle(http, true);
}

unsigned http_connections(const struct http *http)
{
	return http->connections;
}

struct pages *http_pages(struct http *http)
{
	return &http->pages;
}

struct status_counters *http_counters(struct http *http)
{
	return &http->counters;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	while (http->oldest)
		conn_close(http->oldest);
	if (http->accepting)
		event_del(&http->accept_event);
	if (event_initialized(&http->sweep_event))
		event_del(&http->sweep_event);
	if (http->reserve_fd >= 0)
		close(http->reserve_fd);
	if (http->conn)
		munmap(http->conn, slots(http) * sizeof *http->conn);
	if (http->input)
		munmap(http->input, slots(http) * sizeof *http->input);
	if (http->outs)
		munmap(http->outs, HTTP_OUTS * sizeof *http->outs);
	munmap(http, sizeof *http);
}
