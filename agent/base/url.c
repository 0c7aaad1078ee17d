/* Needed by wnad and wna-cloud; pure. */
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net.h"
#include "str.h"

bool url_is_host_name(const char *host)
{
	size_t label = 0;

	for (const char *c = host;; c++) {
		if (*c == '.' || *c == '\0') {
			if (label == 0 || label > 63 || c[-1] == '-')
				return false;
			if (*c == '\0')
				return true;
			label = 0;
		} else if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
		           (*c == '-' && label > 0)) {
			label++;
		} else {
			return false;
		}
	}
}

/* Splits "host", "host:port", "[v6]", "[v6]:port", lower case; 0 = no port given. */
static bool split_authority(char *text, char **ret_host, int64_t *ret_port)
{
	char *host = text, *port;

	*ret_port = 0;
	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		host = text + 1;
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		if (strchr(host, ':') == NULL || !str_is_address(host))
			return false;
	} else {
		port = strchr(text, ':');
		if (port != NULL)
			*port++ = '\0';
		if (!url_is_host_name(host))
			return false;
	}
	*ret_host = host;
	return port == NULL || str_int64(port, 1, 65535, ret_port);
}

static bool is_loopback(const char *host)
{
	struct net_addr addr;

	if (strcmp(host, "localhost") == 0)
		return true;
	return net_addr_parse(host, &addr) && net_addr_is_loopback(&addr);
}

/* Host and port the way curl writes them into the Host header. */
static void put_host(struct url_base *ret, const char *host, int64_t port)
{
	bool v6 = strchr(host, ':') != NULL;
	struct sb sb;

	sb_init(&sb, ret->host, sizeof(ret->host));
	sb_printf(&sb, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
	if (port != 0 && port != (ret->https ? 443 : 80))
		sb_printf(&sb, ":%d", (int)port);
}

int url_base_parse(const char *text, struct url_base *ret, char *why, size_t size)
{
	struct url_base base = { .https = strncmp(text, "https://", 8) == 0 };
	char authority[LIMIT_HOST], *host;
	const char *start;
	int64_t port;
	size_t len;

	if (!base.https && strncmp(text, "http://", 7) != 0) {
		snprintf(why, size, "URL must begin with https://");
		return -EINVAL;
	}
	start = strchr(text, '/') + 2;
	len = strcspn(start, "/");
	if (len == 0 || len >= sizeof(authority) || (start[len] == '/' && start[len + 1] != '\0')) {
		snprintf(why, size, "URL must be https://HOST[:PORT] and no more");
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		authority[i] =
		        (char)(start[i] >= 'A' && start[i] <= 'Z' ? start[i] + 32 : start[i]);
	authority[len] = '\0';
	if (!split_authority(authority, &host, &port)) {
		snprintf(why, size, "URL has no valid host and port");
		return -EINVAL;
	}
	base.loopback = is_loopback(host);
	put_host(&base, host, port);
	*ret = base;
	return 0;
}
