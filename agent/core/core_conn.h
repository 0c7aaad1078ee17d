/*
 * Between core_http.c (listener, table, sweep) and core_conn.c (one connection); nobody
 * else includes this.
 */
#ifndef CORE_CONN_H
#define CORE_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "core_http.h"
#include "core_request.h"

enum {
	HTTP_ACCEPTS = 32, /* accepted per turn of the loop, so that answers come between */
	HTTP_SWEEP_MS = 500,
	HTTP_LINGER_MS = 2000, /* how long a refused sender may go on sending */
	HTTP_LINGER_BYTES = 256 * 1024,
	HTTP_OUTS = 8, /* answers waiting for a full socket buffer, all clients together */
	HTTP_OUT_HEAD = 512,
	HTTP_OUT_BYTES = HTTP_OUT_HEAD + STATUS_BYTES,
	HTTP_GATHER = 8 * 1024, /* answers to pipelined requests that leave in one send */
};

/* An answer, or the rest of one, that the socket has not taken yet. */
struct out {
	struct out *next_free;
	size_t from, to;
	char data[HTTP_OUT_BYTES];
};

struct conn {
	struct event event;
	struct http *http;
	struct conn *older, *newer; /* by since_ms; newer alone links the free list */
	struct out *out;            /* not NULL: waiting to write */
	int64_t since_ms;           /* accepted, or last complete request */
	int64_t first_ms;           /* first byte of a request not yet complete, or 0 */
	int fd;
	uint32_t lingered; /* bytes thrown away */
	uint16_t len;      /* bytes of that request in its buffer */
	bool answered;     /* has had an answer */
	bool close;        /* ends when `out` is written */
	bool unread;       /* the peer may still be sending: linger */
	bool linger;       /* our side is shut, input is thrown away */
	struct request request;
};

struct http {
	struct event_base *base;
	const struct conf_health *conf;
	struct http_ops ops;
	struct event accept_event, sweep_event;
	int listen_fd;
	int reserve_fd; /* given up to accept and close one connection when there are no more */
	bool accepting, draining;
	unsigned connections;
	struct conn *conn;                 /* conf->max_connections of them */
	char (*input)[LIMIT_HTTP_REQUEST]; /* same; touched only for partial requests */
	/* Last in, first out, and never used ones last: few pages are ever touched. */
	struct conn *free_list;
	unsigned made; /* places of conn ever used */
	struct conn *oldest, *newest;
	struct out *outs, *free_outs;
	unsigned outs_made;
	struct pages pages;
	struct status_counters counters;
	char shared[LIMIT_HTTP_REQUEST]; /* input of connections that hold nothing */
	char gather[HTTP_GATHER];
};

/* Reads what is there and answers it. The connection may be closed by this. */
void conn_serve(struct conn *conn, int64_t now_ms);

/* Starts waiting for its first request. 0 or -errno. */
int conn_open(struct conn *conn, int fd, int64_t now_ms);

/* Closes and forgets it; its place is free again. */
void conn_close(struct conn *conn);

/* Whether its time is over. */
bool conn_expired(const struct conn *conn, int64_t now_ms);

#endif
