/*
 * One HTTP request of the kind a health checker sends: GET or HEAD, HTTP/1.0
 * or 1.1, no body (RFC 9112). Pure and incremental: it may be fed any number
 * of bytes at a time and never looks at a byte of a finished line again.
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum route { ROUTE_NONE, ROUTE_LIVEZ, ROUTE_HEALTHZ, ROUTE_READYZ, ROUTE_STATUS, ROUTE_MAX };

enum request_state {
	REQUEST_MORE, /* not complete yet */
	REQUEST_DONE, /* complete; used bytes belong to it */
	REQUEST_BAD,  /* answer `status` and close */
};

struct request {
	uint16_t pos;     /* start of the line that is not finished */
	uint16_t scanned; /* bytes known to hold no line end after pos */
	uint16_t status;  /* REQUEST_BAD: 400, 414, 431 or 505 */
	uint8_t route;    /* enum route */
	uint8_t lines;    /* 0 before the request line, then 1 */
	bool get;         /* GET or HEAD; everything else is 405 */
	bool head;        /* HEAD */
	bool http11;      /* 1.1 or a later 1.x; otherwise 1.0 */
	bool close;       /* the connection ends with the answer */
	bool keep;        /* "Connection: keep-alive" was said */
	bool body;        /* a body follows, which is not read */
	bool length;      /* Content-Length was given */
	bool host;        /* Host was given */
	bool forwarded;   /* came by a proxy: X-Forwarded-For, Forwarded or Via */
};

void request_init(struct request *request);

/*
 * Looks at the `len` bytes received so far of this request, `len` at most
 * `room`, which is what the caller can hold; len == room and still no end is a
 * request too long (414 or 431). *ret_used is set for REQUEST_DONE only.
 */
enum request_state request_parse(struct request *request, const char *buf, size_t len, size_t room,
                                 size_t *ret_used);

#endif
