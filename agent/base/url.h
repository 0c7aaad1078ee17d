/*
 * The URLs of the configuration and of the SDKs' environment variables: the base of a service,
 * and the target of an http check (RFC 3986, section 3). No name is resolved.
 */
#ifndef WNA_URL_H
#define WNA_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "limits.h"
#include "net.h"

struct url_base {
	bool https;                /* else http */
	bool loopback;             /* the host is "localhost" or a loopback address */
	char host[LIMIT_HOST + 8]; /* lower case, an IPv6 address in brackets, with the port
	                            * unless it is the scheme's own: the Host header that
	                            * curl sends */
};

/*
 * http:// or https://, then a host name or an address, perhaps a port, perhaps one final
 * slash. 0; -EINVAL, without a change of *ret, with the fault in why[size]: "URL must begin
 * with https://".
 */
int url_base_parse(const char *text, struct url_base *ret, char *why, size_t size);

/*
 * A base, perhaps with a path, to which the paths of requests are appended; without user, query
 * or fragment. Written into ret[size] as url_base_parse does, without slashes at the end.
 * False, without a change of `ret`, if it is not one, or is too long.
 */
bool url_prefix_parse(const char *text, char *ret, size_t size);

/* The target of an http check. */
struct url_target {
	struct net_endpoint endpoint;
	char address[NET_ADDR_TEXT]; /* literal, without brackets */
	char host[LIMIT_HOST + 8];   /* Host header: as in the URL, with a port that is not 80 */
	char resource[LIMIT_VALUE];  /* path and query; at least "/" */
};

/*
 * http://ADDRESS[:PORT][/PATH][?QUERY] with a literal address, or "localhost", which is
 * 127.0.0.1. A fragment is dropped. `host`, if it is not empty, replaces the Host header. 0;
 * -EINVAL, without a change of *ret, with the reason in *ret_why (static).
 */
int url_target_parse(const char *url, const char *host, struct url_target *ret,
                     const char **ret_why);

/* Labels of lower-case letters, digits and inner hyphens, with dots between (RFC 1123). */
bool url_is_host_name(const char *host);

#endif
