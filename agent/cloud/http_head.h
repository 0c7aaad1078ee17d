/*
 * The few response headers that wna-cloud reads, taken line by line as they
 * arrive. Pure; HTTP semantics after RFC 9110 (case-insensitive names, Date in
 * any of its three forms).
 */
#ifndef CLOUD_HTTP_HEAD_H
#define CLOUD_HTTP_HEAD_H

#include <stddef.h>

#include "http.h"

/* Forgets everything: a new status line came, what was before was a 1xx. */
void http_head_reset(struct http_result *result);

/*
 * Takes one header line, with or without its CRLF, not NUL-terminated. Unknown
 * and malformed ones are ignored; values are cleaned and cut to their fields.
 */
void http_head_line(struct http_result *result, const char *line, size_t len);

#endif
