/*
 * wna-core. Never blocks: every call is on a non-blocking socket. Owns the
 * connection from accept to close.
 */
#include "core_conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

static void on_event(evutil_socket_t fd, short what, void *arg);

/* After an answer. CLOSED: the connection is no more. BLOCKED: it waits to write. */
enum flow { FLOW_ON, FLOW_BLOCKED, FLOW_CLOSED };

static char *input_of(struct conn *conn)
{
	return conn->http->input[conn - conn->http->conn];
}

static int watch(struct conn *conn, short what)
{
	event_assign(&conn->event, conn->http->base, conn->fd, what | EV_PERSIST, on_event, conn);
	return event_add(&conn->event, NULL) < 0 ? -ENOMEM : 0;
}

static void out_release(struct http *http, struct out *out)
{
	out->next_free = http->free_outs;
	http->free_outs = out;
}

static struct out *out_take(struct http *http)
{
	struct out *out = http->free_outs;

	if (!out)
		return http->outs_made < HTTP_OUTS ? &http->outs[http->outs_made++] : NULL;
	http->free_outs = out->next_free;
	return out;
}

static void unlink_age(struct conn *conn)
{
	struct http *http = conn->http;

	*(conn->older ? &conn->older->newer : &http->oldest) = conn->newer;
	*(conn->newer ? &conn->newer->older : &http->newest) = conn->older;
}

static void link_newest(struct conn *conn, int64_t now_ms)
{
	struct http *http = conn->http;

	conn->since_ms = now_ms;
	conn->newer = NULL;
	conn->older = http->newest;
	*(http->newest ? &http->newest->newer : &http->oldest) = conn;
	http->newest = conn;
}

/* Moves to the newest end. */
static void conn_touch(struct conn *conn, int64_t now_ms)
{
	if (conn->http->newest == conn) {
		conn->since_ms = now_ms;
		return;
	}
	unlink_age(conn);
	link_newest(conn, now_ms);
}

int conn_open(struct conn *conn, int fd, int64_t now_ms)
{
	conn->fd = fd;
	conn->out = NULL;
	conn->first_ms = 0;
	conn->lingered = 0;
	conn->len = 0;
	conn->answered = conn->close = conn->unread = conn->linger = false;
	request_init(&conn->request);
	link_newest(conn, now_ms);
	conn->http->connections++;
	return watch(conn, EV_READ);
}

void conn_close(struct conn *conn)
{
	struct http *http = conn->http;

	event_del(&conn->event);
	close(conn->fd);
	if (conn->out)
		out_release(http, conn->out);
	conn->out = NULL;
	unlink_age(conn);
	conn->newer = http->free_list;
	http->free_list = conn;
	http->connections--;
}

bool conn_expired(const struct conn *conn, int64_t now_ms)
{
	const struct conf_health *conf = conn->http->conf;

	if (conn->linger)
		return now_ms - conn->since_ms > HTTP_LINGER_MS;
	if (conn->out)
		return now_ms - conn->since_ms > conf->request_timeout_ms;
	if (conn->first_ms != 0)
		return now_ms - conn->first_ms > conf->request_timeout_ms;
	return now_ms - conn->since_ms > conf->idle_timeout_ms;
}

/*
 * Closing a socket with unread input makes the kernel send a reset, which may
 * overtake the answer; so the peer is given a while to finish (RFC 9112, 9.6).
 */
static enum flow finish(struct conn *conn)
{
	if (!conn->unread || shutdown(conn->fd, SHUT_WR) < 0) {
		conn_close(conn);
		return FLOW_CLOSED;
	}
	conn->linger = true;
	conn->len = 0;
	conn->first_ms = 0;
	return FLOW_BLOCKED;
}

/* The rest of `out` will leave when the socket takes it. */
static enum flow block(struct conn *conn, struct out *out)
{
	conn->out = out;
	event_del(&conn->event);
	if (watch(conn, EV_WRITE) < 0) {
		conn_close(conn);
		return FLOW_CLOSED;
	}
	return FLOW_BLOCKED;
}

/* How much the socket took, or -1 if the connection is dead. */
static ssize_t send_some(const struct conn *conn, const char *data, size_t len)
{
	ssize_t n;

	do {
		n = send(conn->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return n;
}

static enum flow flush_gather(struct conn *conn, size_t *len)
{
	struct http *http = conn->http;
	ssize_t n = *len > 0 ? send_some(conn, http->gather, *len) : 0;
	size_t left = *len - (n > 0 ? (size_t)n : 0);
	struct out *out;

	*len = 0;
	if (n >= 0 && left == 0)
		return FLOW_ON;
	/* A client that does not read, and all places for such taken: it goes. */
	out = n >= 0 ? out_take(http) : NULL;
	if (!out) {
		conn_close(conn);
		return FLOW_CLOSED;
	}
	memcpy(out->data, http->gather + n, left);
	out->from = 0;
	out->to = left;
	return block(conn, out);
}

static bool status_allowed(const struct conn *conn)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	struct net_addr addr;

	if (conn->request.forwarded || getpeername(conn->fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	net_addr_from_sockaddr((struct sockaddr *)&peer, &addr);
	return net_addr_is_loopback(&addr) || net_list_has(&conn->http->conf->status_allow, &addr);
}

static enum flow answer_status(struct conn *conn)
{
	struct http *http = conn->http;
	struct out *out = out_take(http);
	size_t head, body = 0;
	char *body_at;
	ssize_t n;

	if (out)
		body = http->ops.status(http->ops.ctx, out->data + HTTP_OUT_HEAD, STATUS_BYTES);
	if (body == 0) {
		if (out)
			out_release(http, out);
		conn_close(conn);
		return FLOW_CLOSED;
	}
	body_at = out->data + HTTP_OUT_HEAD;
	head = page_status_head(out->data, HTTP_OUT_HEAD, body, conn->close, clock_wall_ms());
	/* Head and body side by side, so that they leave in one send. */
	memmove(body_at - head, out->data, head);
	out->from = HTTP_OUT_HEAD - head;
	out->to = HTTP_OUT_HEAD + (conn->request.head ? 0 : body);
	n = send_some(conn, out->data + out->from, out->to - out->from);
	if (n >= 0 && (size_t)n < out->to - out->from) {
		out->from += (size_t)n;
		return block(conn, out);
	}
	out_release(http, out);
	if (n < 0) {
		conn_close(conn);
		return FLOW_CLOSED;
	}
	return FLOW_ON;
}

/* Answers one request, finished or bad, into the gather buffer or directly. */
static enum flow answer(struct conn *conn, enum request_state state, size_t *gathered)
{
	struct http *http = conn->http;
	enum page_id id = page_for(&conn->request, state);
	const struct page *page;
	enum flow flow;
	size_t len;

	http->counters.requests++;
	conn->answered = true;
	if (state == REQUEST_BAD)
		http->counters.bad_requests++;
	conn->close = conn->request.close || http->draining;
	if (id == PAGE_MAX && !status_allowed(conn)) {
		http->counters.refused_status++;
		id = PAGE_FORBIDDEN;
	}
	if (id == PAGE_MAX) {
		flow = flush_gather(conn, gathered);
		/* Blocked by what came before it: an answer in the middle of another
		 * is none. A client that reads so little does not get this page. */
		if (flow == FLOW_BLOCKED) {
			conn->close = true;
			return flow;
		}
		return flow == FLOW_ON ? answer_status(conn) : flow;
	}
	page = &http->pages.item[id][conn->close ? 1 : 0];
	len = conn->request.head ? page->head_len : page->len;
	memcpy(http->gather + *gathered, page->text, len);
	*gathered += len;
	if (conn->close || *gathered + PAGE_BYTES > sizeof http->gather)
		return flush_gather(conn, gathered);
	return FLOW_ON;
}

/* Keeps what is not a whole request yet. */
static void keep_rest(struct conn *conn, const char *from, size_t len, int64_t now_ms)
{
	if (len > 0)
		memmove(input_of(conn), from, len);
	conn->len = (uint16_t)len;
	if (len == 0)
		conn->first_ms = 0;
	else if (conn->first_ms == 0)
		conn->first_ms = now_ms;
}

/* Answers all whole requests among `len` bytes. */
static void process(struct conn *conn, const char *data, size_t len, int64_t now_ms)
{
	size_t at = 0, used = 0, gathered = 0;
	enum flow flow = FLOW_ON;

	while (at < len && flow == FLOW_ON) {
		enum request_state state = request_parse(&conn->request, data + at, len - at,
		                                         LIMIT_HTTP_REQUEST, &used);

		if (state == REQUEST_MORE)
			break;
		if (at == 0)
			conn_touch(conn, now_ms);
		at += state == REQUEST_DONE ? used : len - at;
		flow = answer(conn, state, &gathered);
		if (flow == FLOW_CLOSED)
			return;
		conn->first_ms = 0;
		if (conn->close) {
			conn->unread = state == REQUEST_BAD || conn->request.body || at < len;
			if (flow == FLOW_ON)
				finish(conn);
			return;
		}
		request_init(&conn->request);
	}
	if (gathered > 0 && flush_gather(conn, &gathered) == FLOW_CLOSED)
		return;
	keep_rest(conn, data + at, len - at, now_ms);
}

static void discard(struct conn *conn)
{
	struct http *http = conn->http;
	ssize_t n = recv(conn->fd, http->shared, sizeof http->shared, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		conn->lingered += (uint32_t)n;
	if (n <= 0 || conn->lingered > HTTP_LINGER_BYTES)
		conn_close(conn);
}

void conn_serve(struct conn *conn, int64_t now_ms)
{
	struct http *http = conn->http;
	char *data = conn->len > 0 ? input_of(conn) : http->shared;
	ssize_t n;

	if (conn->linger) {
		discard(conn);
		return;
	}
	n = recv(conn->fd, data + conn->len, (size_t)(LIMIT_HTTP_REQUEST - conn->len),
	         MSG_DONTWAIT);
	if (n > 0)
		process(conn, data, (size_t)conn->len + (size_t)n, now_ms);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		conn_close(conn);
}

static void write_rest(struct conn *conn, int64_t now_ms)
{
	struct out *out = conn->out;
	ssize_t n = send_some(conn, out->data + out->from, out->to - out->from);

	if (n < 0) {
		conn_close(conn);
		return;
	}
	out->from += (size_t)n;
	if (out->from < out->to)
		return;
	out_release(conn->http, out);
	conn->out = NULL;
	event_del(&conn->event);
	if (watch(conn, EV_READ) < 0) {
		conn_close(conn);
		return;
	}
	if (conn->close)
		finish(conn);
	else if (conn->len > 0)
		process(conn, input_of(conn), conn->len, now_ms);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->out)
		write_rest(conn, clock_ms());
	else
		conn_serve(conn, clock_ms());
}
