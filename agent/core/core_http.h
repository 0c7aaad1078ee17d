/*
 * The health responder: a fixed table of connections on one listener. The hot
 * path is one recv, one parse, one send; it allocates nothing, logs nothing
 * and touches no timer.
 *
 * When the table is full, a new connection takes the place of the one that has
 * been without a complete request for the longest time. So any number of idle
 * or slow clients costs the load balancer's checks nothing.
 */
#ifndef CORE_HTTP_H
#define CORE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "core_page.h"
#include "core_status.h"

struct event_base;
struct http;

struct http_ops {
	/* Renders the body of /status; length, or 0 if it does not fit. */
	size_t (*status)(void *ctx, char *ret, size_t size);
	void *ctx;
};

/*
 * Makes the tables; `listen_fd` must be listening and non-blocking and stays
 * the caller's. Accepts nothing before http_accept. 0 or -errno.
 */
int http_init(struct http **ret, struct event_base *base, const struct conf_health *conf,
              int listen_fd, const struct http_ops *ops);

/* Begins to accept. May be called again. */
void http_accept(struct http *http);

/*
 * Accepts no more; every answer from now on ends its connection. A kept-alive
 * connection between two requests is closed at once, which every client expects;
 * one that has had no answer yet is not, for as long as its own time lasts.
 */
void http_drain(struct http *http);

/* After http_drain, when there is no more time: closes also those that have sent
 * nothing. What is left is in the middle of a request or an answer. */
void http_hurry(struct http *http);

/* Connections held. */
unsigned http_connections(const struct http *http);

/* The pages it answers with, for page_render and page_date. */
struct pages *http_pages(struct http *http);

/* What it counts; control.c and main.c add theirs. */
struct status_counters *http_counters(struct http *http);

/* Closes all connections and frees everything. NULL is allowed. */
void http_free(struct http *http);

#endif
