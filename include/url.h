/*
 * The base URL of a service, as configurations and the SDKs' environment
 * variables give it (RFC 3986, section 3, without user, path, query and
 * fragment). No name is resolved.
 */
#ifndef WNA_URL_H
#define WNA_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"

struct url_base {
	bool https;                /* else http */
	bool loopback;             /* the host is "localhost" or a loopback address */
	char host[LIMIT_HOST + 8]; /* lower case, an IPv6 address in brackets, with the port
	                            * unless it is the scheme's own: the Host header that
	                            * curl sends */
};

/*
 * http:// or https://, a host name or an address, perhaps a port, perhaps one
 * final slash, and nothing more. 0; or -EINVAL with what is wrong in why[size],
 * a text that goes on after a noun ("URL must begin with https://"), and *ret
 * untouched.
 */
int url_base_parse(const char *text, struct url_base *ret, char *why, size_t size);

/* Labels of lower-case letters, digits and inner hyphens, with dots between (RFC 1123). */
bool url_is_host_name(const char *host);

#endif
