/*
 * HTTP requests over one curl multi handle: the process' only way to the network,
 * and its loop's only place to wait. Only http and https are spoken; no redirect
 * is followed and no proxy is used.
 */
#ifndef CLOUD_HTTP_H
#define CLOUD_HTTP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;      /* the multi handle */
struct http_call; /* one request under way */

/* The longest answer; error pages must fit as well. */
enum { HTTP_BODY_MAX = 16 * 1024 };

enum http_outcome {
	HTTP_ANSWERED,  /* a whole answer with a status; see .status */
	HTTP_TIMED_OUT, /* no connection, or no whole answer, in time */
	HTTP_UNREACHED, /* the name did not resolve, the connection was refused, no route */
	HTTP_BROKEN,    /* anything else: TLS, an answer that is cut off, too long or not HTTP */
};

struct http_header {
	const char *name, *value;
};

struct http_request {
	const char *method; /* "GET", "PUT", "POST" */
	const char *url;
	const struct http_header *headers; /* copied, as is the body */
	size_t header_count;
	const void *body;
	size_t body_len;
	int64_t connect_timeout_ms, timeout_ms;
	const char *ca_file; /* NULL: the system's */
};

struct http_result {
	enum http_outcome outcome;
	long status;      /* with HTTP_ANSWERED */
	const char *body; /* NUL-terminated; valid during the callback */
	size_t body_len;
	int64_t date_wall_ms; /* Date header, Unix ms; 0 = none */
	char error_type[128]; /* X-Amzn-Errortype, cleaned; "" = none */
	char content_type[64];
	char why[160];        /* for people, when not HTTP_ANSWERED; never has secrets */
	int64_t sent_wall_ms; /* our clock when the request was started */
	int64_t took_ms;
	int64_t done_ms; /* monotonic, when the answer was complete */
};

typedef void http_done(void *arg, const struct http_result *result);

/* NULL if curl fails. No call may be under way when it is freed. */
struct http *http_new(void);
void http_free(struct http *http);

/* Starts one request; `done` is called once from http_wait, never from here.
 * NULL if it cannot be started (out of memory, a bad URL, a line end in a header). */
struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg);

/* Gives up a request; `done` is not called. NULL is allowed. */
void http_cancel(struct http *http, struct http_call *call);

/* Waits for network, for one of up to two descriptors or for timeout_ms, whatever comes first,
 * and calls what is done. Returns true if a descriptor is readable or closed. */
bool http_wait(struct http *http, struct pollfd *fds, unsigned count, int64_t timeout_ms);

/* cloud_http_head.c: the few response headers that are read, line by line as they arrive
 * (RFC 9110: names in any case, Date in any of its three forms). */

/* Forgets all: a new status line came, and what was before it was a 1xx. */
void http_head_reset(struct http_result *result);
/* One line, with or without its CRLF, without a NUL at the end. Unknown and malformed
 * ones are ignored; values are cleaned and cut to their fields. */
void http_head_line(struct http_result *result, const char *line, size_t len);

#endif
