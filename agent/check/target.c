/*
 * Run by wna-check. Blocks on nothing, owns nothing. The syntax is left to
 * libevent's parser of RFC 3986; what is allowed of it is decided here.
 */
#include "target.h"

#include <errno.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "str.h"

static int target_take(struct evhttp_uri *uri, const char *override, struct target *to,
                       const char **ret_why)
{
	const char *scheme = evhttp_uri_get_scheme(uri);
	const char *host = evhttp_uri_get_host(uri);
	const char *path = evhttp_uri_get_path(uri);
	const char *query = evhttp_uri_get_query(uri);
	int port = evhttp_uri_get_port(uri);
	struct sb sb;
	size_t len;

	*ret_why = "not an absolute http:// URL";
	if (scheme == NULL || strcasecmp(scheme, "http") != 0 || host == NULL || host[0] == '\0')
		return -EINVAL;
	*ret_why = "user names in URLs are not supported";
	if (evhttp_uri_get_userinfo(uri) != NULL)
		return -EINVAL;
	*ret_why = "port out of range";
	if (port == -1)
		port = 80;
	if (port < 1 || port > 65535)
		return -EINVAL;

	*ret_why = "the host must be an address or localhost";
	len = strlen(host);
	if (strcasecmp(host, "localhost") == 0)
		str_copy(to->address, sizeof to->address, "127.0.0.1");
	else if (host[0] == '[' && host[len - 1] == ']' && len - 2 < sizeof to->address)
		snprintf(to->address, sizeof to->address, "%.*s", (int)(len - 2), host + 1);
	else if (!str_copy(to->address, sizeof to->address, host))
		return -EINVAL;
	if (!net_addr_parse(to->address, &to->endpoint.addr))
		return -EINVAL;
	to->endpoint.port = (uint16_t)port;

	sb_init(&sb, to->host, sizeof to->host);
	sb_put(&sb, override[0] != '\0' ? override : host);
	if (override[0] == '\0' && port != 80)
		sb_printf(&sb, ":%d", port);
	*ret_why = "host name too long";
	if (sb.cut)
		return -EINVAL;
	/* What would end the header line and start another. */
	*ret_why = "control characters in the host name";
	for (const char *p = to->host; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return -EINVAL;

	sb_init(&sb, to->resource, sizeof to->resource);
	if (path == NULL || path[0] != '/')
		sb_char(&sb, '/');
	sb_put(&sb, path != NULL ? path : "");
	if (query != NULL)
		sb_printf(&sb, "?%s", query);
	*ret_why = "path too long";
	return sb.cut ? -EINVAL : 0;
}

int target_parse(const char *url, const char *host, struct target *ret, const char **ret_why)
{
	struct evhttp_uri *uri = evhttp_uri_parse(url);
	struct target to = { .host = "" };
	int r;

	if (uri == NULL) {
		*ret_why = "not a URL";
		return -EINVAL;
	}
	r = target_take(uri, host, &to, ret_why);
	evhttp_uri_free(uri);
	if (r == 0)
		*ret = to;
	return r;
}
