/*
 * The URL of an http check, taken apart. Pure.
 */
#ifndef WNA_CHECK_TARGET_H
#define WNA_CHECK_TARGET_H

#include "net.h"

struct target {
	struct net_endpoint endpoint;
	char address[NET_ADDR_TEXT]; /* literal, without brackets */
	char host[LIMIT_HOST + 8];   /* Host header: as in the URL, with a port that is not 80 */
	char resource[LIMIT_VALUE];  /* path and query; at least "/" */
};

/*
 * http://ADDRESS[:PORT][/PATH][?QUERY] with a literal address, or "localhost"
 * (which is 127.0.0.1: no resolver is asked). A fragment is dropped. `host`
 * replaces the Host header if not empty. 0; -EINVAL if it is anything else,
 * with the reason in *ret_why.
 */
int target_parse(const char *url, const char *host, struct target *ret, const char **ret_why);

#endif
