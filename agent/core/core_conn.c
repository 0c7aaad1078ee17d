/*
 * wna-core. Never blocks: every call is on a non-blocking socket. Owns the
 * connection from accept to close.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core_serve.h"

static void on_event(evutil_socket_t fd, short what, void *arg);

static char *input_of(struct conn *conn)
{
	return conn->http->input[conn - conn->http->conn];
}

static int watch(struct conn *conn, short what)
{
	event_assign(&conn->event, conn->http->base, conn->fd, what | EV_PERSIST, on_event, conn);
	return event_add(&conn->event, NULL) < 0 ? -ENOMEM : 0;
}

static struct out *out_take(struct http *http)
{
	for (int i = 0; i < HTTP_OUTS; i++) {
		if (!http->outs[i].used) {
			http->outs[i].used = true;
			return &http->outs[i];
		}
	}
	return NULL;
}

int conn_open(struct conn *conn, int fd, int64_t now_ms)
{
	struct http *http = conn->http;

	conn->fd = fd;
	conn->out = NULL;
	conn->since_ms = now_ms;
	conn->first_ms = 0;
	conn->len = 0;
	conn->answered = conn->close = conn->unread = conn->linger = false;
	request_init(&conn->request);
	TAILQ_INSERT_TAIL(&http->held, conn, entry);
	http->connections++;
	return watch(conn, EV_READ);
}

void conn_close(struct conn *conn)
{
	struct http *http = conn->http;

	event_del(&conn->event);
	close(conn->fd);
	if (conn->out)
		conn->out->used = false;
	conn->out = NULL;
	TAILQ_REMOVE(&http->held, conn, entry);
	TAILQ_INSERT_HEAD(&http->spare, conn, entry);
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
 * After the last answer. Closing a socket with unread input makes the kernel send a reset,
 * which may overtake the answer; hence the peer has a while to finish (RFC 9112, 9.6).
 */
static void finish(struct conn *conn)
{
	if (!conn->unread || shutdown(conn->fd, SHUT_WR) < 0) {
		conn_close(conn);
		return;
	}
	conn->linger = true;
	conn->len = 0;
	conn->first_ms = 0;
}

/* The number of bytes sent, or -1 if the connection is dead. */
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

/* Sends an answer; the rest of it waits in conn->out for room in the socket. False if the
 * connection is closed: it is dead, or no place for a slow reader is free. */
static bool reply(struct conn *conn, const char *data, size_t len)
{
	ssize_t n = send_some(conn, data, len);
	struct out *out;

	if (n == (ssize_t)len)
		return true;
	out = n >= 0 ? out_take(conn->http) : NULL;
	if (out) {
		out->from = 0;
		out->to = len - (size_t)n;
		memcpy(out->data, data + n, out->to);
		conn->out = out;
		event_del(&conn->event);
		if (watch(conn, EV_WRITE) == 0)
			return true;
	}
	conn_close(conn);
	return false;
}

static bool reader_allowed(const struct conn *conn)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	struct net_addr addr;

	if (conn->request.forwarded || getpeername(conn->fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	net_addr_from_sockaddr((struct sockaddr *)&peer, &addr);
	return net_addr_is_loopback(&addr) || net_list_has(&conn->http->conf->status_allow, &addr);
}

static bool reply_rendered(struct conn *conn)
{
	struct http *http = conn->http;
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();
	char *body = http->rendered + HTTP_OUT_HEAD, head[HTTP_OUT_HEAD];
	const char *fields = STATUS_FIELDS;
	size_t len, head_len;
	int code = 200;

	if (conn->request.route == ROUTE_PAGE) {
		fields = HTML_FIELDS;
		len = html_render(http->core, now_ms, wall_ms, body, STATUS_BYTES);
		code = judge_code(http->core->verdict.health);
	} else if (conn->request.route == ROUTE_METRICS) {
		fields = METRICS_FIELDS;
		len = metrics_render(http->core, now_ms, wall_ms, body, STATUS_BYTES);
	} else {
		len = status_render(http->core, now_ms, wall_ms, body, STATUS_BYTES);
	}
	head_len = page_head(head, sizeof head, code, fields, len, conn->close, wall_ms);
	/* Head and body side by side, hence they leave in one send. */
	memcpy(body - head_len, head, head_len);
	return reply(conn, body - head_len, head_len + (conn->request.head ? 0 : len));
}

/* Answers one request, finished or bad. False if the connection is closed. */
static bool answer(struct conn *conn, enum request_state state)
{
	struct core *core = conn->http->core;
	enum page_id id = request_page(&conn->request, state);
	const struct page *page;

	core->counters.requests++;
	conn->answered = true;
	if (state == REQUEST_BAD)
		core->counters.bad_requests++;
	conn->close = conn->request.close || conn->http->draining;
	if (id == PAGE_MAX && !reader_allowed(conn)) {
		core->counters.refused_status++;
		id = PAGE_FORBIDDEN;
	}
	if (id == PAGE_MAX)
		return reply_rendered(conn);
	page = &core->pages.item[id][conn->close ? 1 : 0];
	return reply(conn, page->text, conn->request.head ? page->head_len : page->len);
}

/* Keeps what is not answered yet: a part of a request, or requests behind conn->out. */
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

/* Answers the whole requests among `len` bytes, in their order. */
static void process(struct conn *conn, const char *data, size_t len, int64_t now_ms)
{
	size_t at = 0, used = 0;

	while (at < len && !conn->out) {
		enum request_state state = request_parse(&conn->request, data + at, len - at,
		                                         LIMIT_HTTP_REQUEST, &used);

		if (state == REQUEST_MORE)
			break;
		at += state == REQUEST_DONE ? used : len - at;
		if (!answer(conn, state))
			return;
		conn->first_ms = 0;
		conn->since_ms = now_ms;
		TAILQ_REMOVE(&conn->http->held, conn, entry);
		TAILQ_INSERT_TAIL(&conn->http->held, conn, entry);
		if (conn->close) {
			conn->unread = state == REQUEST_BAD || conn->request.body || at < len;
			if (!conn->out)
				finish(conn);
			return;
		}
		request_init(&conn->request);
	}
	keep_rest(conn, data + at, len - at, now_ms);
}

static void discard(struct conn *conn)
{
	struct http *http = conn->http;
	ssize_t n = recv(conn->fd, http->shared, sizeof http->shared, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_close(conn);
}

void conn_serve(struct conn *conn, int64_t now_ms)
{
	char *data = conn->len > 0 ? input_of(conn) : conn->http->shared;
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
	out->used = false;
	conn->out = NULL;
	event_del(&conn->event);
	if (watch(conn, EV_READ) < 0)
		conn_close(conn);
	else if (conn->close)
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
