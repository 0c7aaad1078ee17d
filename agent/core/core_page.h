/*
 * Complete answers, rendered when the verdict changes and only written when
 * asked. Pure.
 */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core_request.h"
#include "verdict.h"

enum page_id {
	PAGE_LIVEZ,     /* 200: the loop turns */
	PAGE_HEALTHZ,   /* 200 or 503: what the load balancer goes by */
	PAGE_READYZ,    /* 200 or 503: everything */
	PAGE_FORBIDDEN, /* 403: /status for a stranger, or through a proxy */
	PAGE_NOT_FOUND, /* 404 */
	PAGE_METHOD,    /* 405 */
	PAGE_BAD,       /* 400 */
	PAGE_URI,       /* 414 */
	PAGE_HEADERS,   /* 431 */
	PAGE_VERSION,   /* 505 */
	PAGE_MAX
};

enum { PAGE_BYTES = 320 };

struct page {
	uint16_t head_len; /* the answer to HEAD */
	uint16_t len;      /* the answer to GET: head and body */
	uint16_t date_at;  /* where the Date value is */
	char text[PAGE_BYTES];
};

struct pages {
	struct page item[PAGE_MAX][2]; /* [1]: the connection ends with it */
};

/* Renders all. The bodies are one word: they tell a stranger nothing. */
void page_render(struct pages *pages, enum verdict_level health, enum verdict_level ready,
                 int64_t wall_ms);

/* Writes a new Date (RFC 9110, 6.6.1) into all. */
void page_date(struct pages *pages, int64_t wall_ms);

/* The page for a finished or bad request; PAGE_MAX for a GET or HEAD of
 * /status, which is for the caller to decide. */
enum page_id page_for(const struct request *request, enum request_state state);

/* The head of a 200 with `body_len` bytes of JSON. Length written, or 0 if it
 * does not fit. */
size_t page_status_head(char *ret, size_t size, size_t body_len, bool close, int64_t wall_ms);

#endif
