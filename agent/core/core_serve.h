/*
 * The sockets of the core: health checks over HTTP, and the hub. Nothing here ever waits for
 * a peer. core.h is the other half, which decides.
 *
 *	core_main.c           start, timers, end
 *	core_listeners.c      the two listening sockets
 *	core_sandbox.c        the system-call filter
 *	core_http.c           the table of HTTP connections: accept, make room, time out
 *	core_conn.c           one HTTP connection, from accept to close
 *	core_request.c        the parser of one request, pure
 *	core_hub.c            the connections of finders and listeners
 */
#ifndef CORE_SERVE_H
#define CORE_SERVE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "core.h"
#include "net.h"

/* -- The listening sockets: core_listeners.c -- */

/* systemd owns both and passes them on (sd_listen_fds(3)), hence no restart of the core
 * refuses a connect; outside of systemd the core opens them itself. */
struct core_listeners {
	int health, hub;   /* -1: none was passed */
	unsigned unserved; /* passed beside them, and closed here */
};

/* Takes what systemd passed, by name: "health" and "hub" (FileDescriptorName= of the
 * socket units), made non-blocking, and removes the variables from the environment. */
void core_listeners_take(struct core_listeners *ret);

/* Opens what is missing: `health` if its port is not 0, `hub` if it is not NULL.
 * 0 or -errno. */
int core_listeners_open(struct core_listeners *listeners, const struct net_endpoint *health,
                        const char *hub);

/* -- The sandbox: core_sandbox.c -- */

/* Before the tables are made: no transparent huge pages, descriptors up to the
 * hard limit. Best effort. */
void sandbox_prepare(void);

/*
 * No new privileges, no core dumps, memory locked (best effort: it needs
 * RLIMIT_MEMLOCK), and from here on a system call that is not on the list
 * kills the process with SIGSYS. 0 or -errno.
 */
int sandbox_enter(void);

/* -- One request: core_request.c -- */

enum route {
	ROUTE_NONE,
	ROUTE_LIVEZ,
	ROUTE_HEALTHZ,
	ROUTE_READYZ,
	/* Rendered when they are asked for, and not for strangers: */
	ROUTE_PAGE, /* "/" */
	ROUTE_STATUS,
	ROUTE_METRICS,
	ROUTE_MAX
};

enum request_state {
	REQUEST_MORE, /* not complete yet */
	REQUEST_DONE, /* complete; used bytes belong to it */
	REQUEST_BAD,  /* answer `status` and close */
};

struct request {
	uint16_t pos;    /* start of the line that is not finished */
	uint16_t status; /* REQUEST_BAD: 400, 414, 431 or 505 */
	uint8_t route;   /* enum route */
	uint8_t lines;   /* 0 before the request line, then 1 */
	bool get;        /* GET or HEAD; everything else is 405 */
	bool head;       /* HEAD */
	bool http11;     /* 1.1 or a later 1.x; otherwise 1.0 */
	bool close;      /* the connection ends with the answer */
	bool keep;       /* "Connection: keep-alive" was said */
	bool body;       /* a body follows, which is not read */
	bool length;     /* Content-Length was given */
	bool host;       /* Host was given */
	bool forwarded;  /* came by a proxy: X-Forwarded-For, Forwarded or Via */
};

void request_init(struct request *request);

/*
 * One request of the kind that a health checker sends: GET or HEAD, HTTP/1.0 or 1.1, no
 * body (RFC 9112). Looks at the `len` bytes received so far of this request, `len` at most
 * `room`, which is what the caller can hold; len == room without an end is a request
 * too long (414 or 431). It may be called after any number of bytes, and parses no line
 * twice. *ret_used is set for REQUEST_DONE only.
 */
enum request_state request_parse(struct request *request, const char *buf, size_t len, size_t room,
                                 size_t *ret_used);

/* The page for a finished or bad request; PAGE_MAX for a GET or HEAD of what is rendered,
 * which is for the caller to decide. */
enum page_id request_page(const struct request *request, enum request_state state);

/* -- HTTP connections: core_http.c, and core_conn.c for one of them -- */

enum {
	HTTP_ACCEPTS = 32, /* accepted per turn of the loop; answers are sent in between */
	HTTP_SWEEP_MS = 500,
	HTTP_LINGER_MS = 2000, /* how long a refused sender may go on sending */
	HTTP_OUTS = 8,         /* answers waiting for a full socket buffer, all clients together */
	HTTP_OUT_HEAD = 1024,
	HTTP_OUT_BYTES = HTTP_OUT_HEAD + STATUS_BYTES,
};

struct http;

/* The rest of an answer, for which the socket has no room yet. */
struct out {
	bool used;
	size_t from, to;
	char data[HTTP_OUT_BYTES];
};

struct conn {
	struct event event;
	struct http *http;
	TAILQ_ENTRY(conn) entry; /* of http.held or http.spare */
	struct out *out;         /* not NULL: waiting to write */
	int64_t since_ms;        /* accepted, or last complete request */
	int64_t first_ms;        /* first byte of a request not yet complete, or 0 */
	int fd;
	uint16_t len;  /* bytes of that request in its buffer */
	bool answered; /* has had an answer */
	bool close;    /* ends when `out` is written */
	bool unread;   /* the peer may still be sending: linger */
	bool linger;   /* our side is shut, input is thrown away */
	struct request request;
};

TAILQ_HEAD(conn_list, conn);

/*
 * A fixed table of connections on one listener. An answer is one recv, one parse, one send;
 * it allocates nothing, logs nothing and touches no timer.
 *
 * When the table is full, a new connection takes the place of the connection that has been
 * without a complete request for the longest time: any number of idle or slow clients costs
 * the load balancer's checks nothing.
 */
struct http {
	struct event_base *base;
	const struct conf_health *conf;
	struct core *core; /* its pages and counters; what is rendered */
	struct event accept_event, sweep_event;
	bool accepting, draining;
	unsigned connections;
	struct conn *conn;                 /* conf->max_connections of them */
	char (*input)[LIMIT_HTTP_REQUEST]; /* same; touched only for partial requests */
	struct conn_list held;             /* by since_ms, the oldest first */
	/* Last in, first out; a place that was never used comes last: few pages are touched. */
	struct conn_list spare;
	unsigned made; /* places of conn ever used */
	struct out *outs;
	char shared[LIMIT_HTTP_REQUEST]; /* input of connections that hold nothing */
	char rendered[HTTP_OUT_BYTES];   /* an answer, before it is sent */
};

/*
 * Makes the tables; `listen_fd` must be listening and non-blocking and stays
 * the caller's. Accepts nothing before http_accept. 0 or -errno.
 */
int http_init(struct http *http, struct event_base *base, int listen_fd, struct core *core);

/* Begins to accept. May be called again. */
void http_accept(struct http *http);

/*
 * Accepts no more; every answer from now on ends its connection. A kept-alive
 * connection between two requests is closed at once, which every client expects;
 * a connection without an answer yet stays open, for at most its own time.
 */
void http_drain(struct http *http);

/* Starts waiting for its first request. 0 or -errno. */
int conn_open(struct conn *conn, int fd, int64_t now_ms);

/* Reads what is there and answers it. The connection may be closed by this. */
void conn_serve(struct conn *conn, int64_t now_ms);

/* Closes and forgets it; its place is free again. */
void conn_close(struct conn *conn);

/* Whether its time is over. */
bool conn_expired(const struct conn *conn, int64_t now_ms);

/* -- The hub (include/hub.h): core_hub.c -- */

/* Which user may claim a role. (uid_t)-1: none. */
struct hub_users {
	uid_t of[ROLE_MAX];
	bool by_name; /* any user may claim any: for tests that run as one user */
};

/* Looks the users of the roles up; call before the sandbox. A user that does not exist
 * may claim nothing. */
void hub_users_find(const struct conf *conf, struct hub_users *ret);

/* Serves the hub in a fixed table; a peer that does not read, sends too much or is of another
 * build is disconnected, and connects again. `listen_fd`: a listening SOCK_SEQPACKET socket,
 * non-blocking; -1: none. `moved` is called after anything that may have changed what the core does next.
 * 0 or -errno. */
int hub_init(struct event_base *base, int listen_fd, const struct hub_users *users,
             struct core *core, void (*moved)(void));

/* Tells the verdict of now to all that want to hear it. */
void hub_tell_verdict(void);

/* Accepts no more and disconnects all. */
void hub_stop(void);

#endif
