/* wna-check, wna-cloud, wnactl; pure. */
#include "url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* Whether the last label is a number, decimal or hexadecimal. Then it is not a name, but an IPv4
 * address in a form that inet_aton(3) accepts, or invalid (WHATWG URL Standard, "ends in a
 * number checker"). */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.'), *label = dot != NULL ? dot + 1 : host;

	return label[strspn(label, "0123456789")] == '\0' ||
	       (strncmp(label, "0x", 2) == 0 &&
	        label[2 + strspn(label + 2, "0123456789abcdef")] == '\0');
}

/* Writes a host as curl writes it, which makes an address as short as possible: the Host header
 * is signed, and curl sends it. False if it is not a host, or an IPv4 address in another form. */
static bool host_normal(char *host, bool bracketed)
{
	uint8_t bytes[16];

	if (bracketed)
		return inet_pton(AF_INET6, host, bytes) == 1 &&
		       inet_ntop(AF_INET6, bytes, host, NET_ADDR_TEXT) != NULL;
	return url_is_host_name(host) &&
	       (!ends_in_number(host) || inet_pton(AF_INET, host, bytes) == 1);
}

/* Splits "host", "host:port", "[v6]", "[v6]:port" into `text`, in lower case;
 * port 0 = none given. */
static bool split_authority(const char *from, size_t len, char text[LIMIT_HOST], char **ret_host,
                            int64_t *ret_port)
{
	char *host = text, *port;
	bool bracketed;

	if (len >= LIMIT_HOST)
		return false;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] + 32 : from[i]);
	text[len] = '\0';
	*ret_port = 0;
	bracketed = text[0] == '[';
	if (bracketed) {
		char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		host = text + 1;
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
	} else {
		port = strchr(text, ':');
		if (port != NULL)
			*port++ = '\0';
	}
	*ret_host = host;
	return (port == NULL || str_int64(port, 1, 65535, ret_port)) &&
	       host_normal(host, bracketed);
}

static bool is_loopback(const char *host)
{
	struct net_addr addr;

	if (strcmp(host, "localhost") == 0)
		return true;
	return net_addr_parse(host, &addr) && net_addr_is_loopback(&addr);
}

/* Host and port as curl writes them into the Host header. */
static void put_host(struct sb *sb, const char *host, int64_t port, int64_t usual)
{
	bool v6 = strchr(host, ':') != NULL;

	sb_printf(sb, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
	if (port != 0 && port != usual)
		sb_printf(sb, ":%d", (int)port);
}

int url_base_parse(const char *text, struct url_base *ret, char *why, size_t size)
{
	struct url_base base = { .https = strncmp(text, "https://", 8) == 0 };
	char authority[LIMIT_HOST], *host;
	const char *start;
	int64_t port;
	struct sb sb;
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
	if (!split_authority(start, len, authority, &host, &port)) {
		snprintf(why, size, "URL has no valid host and port");
		return -EINVAL;
	}
	base.loopback = is_loopback(host);
	sb_init(&sb, base.host, sizeof(base.host));
	put_host(&sb, host, port, base.https ? 443 : 80);
	*ret = base;
	return 0;
}

/* RFC 3986's pchar, "/" and "?": no character that could end the line of the request. */
static bool resource_plain(const char *text)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	char part[4] = "";

	while (*text != '\0') {
		if (*text == '%' && text[1] != '\0' && strchr(hex, text[1]) != NULL &&
		    text[2] != '\0' && strchr(hex, text[2]) != NULL) {
			text += 3;
			continue;
		}
		part[0] = *text++;
		if (!str_only(part, "-._~!$&'()*+,;=:@/?"))
			return false;
	}
	return true;
}

bool url_prefix_parse(const char *text, char *ret, size_t size)
{
	char origin[LIMIT_HOST + 8], prefix[LIMIT_VALUE], why[64];
	const char *host = strstr(text, "://");
	size_t len = host != NULL ? (size_t)(host - text) + 3 : 0;
	struct url_base base;
	struct sb sb;

	len += strcspn(text + len, "/");
	if (len >= sizeof(origin))
		return false;
	memcpy(origin, text, len);
	origin[len] = '\0';
	text += len;
	if (url_base_parse(origin, &base, why, sizeof(why)) < 0 || strpbrk(text, "?#") != NULL ||
	    !resource_plain(text))
		return false;
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	sb_init(&sb, prefix, sizeof(prefix));
	sb_printf(&sb, "http%s://%s%.*s", base.https ? "s" : "", base.host, (int)len, text);
	return !sb.cut && str_copy(ret, size, prefix);
}

static bool target_address(const char *from, size_t len, struct url_target *to,
                           const char *override, const char **ret_why)
{
	char authority[LIMIT_HOST], *host;
	int64_t port;
	struct sb sb;

	*ret_why = "user names in URLs are not supported";
	if (memchr(from, '@', len) != NULL)
		return false;
	*ret_why = "no address, or a port that is not 1 to 65535";
	if (!split_authority(from, len, authority, &host, &port))
		return false;
	*ret_why = "the host must be an address or localhost";
	if (!str_copy(to->address, sizeof(to->address),
	              strcmp(host, "localhost") == 0 ? "127.0.0.1" : host) ||
	    !net_addr_parse(to->address, &to->endpoint.addr))
		return false;
	to->endpoint.port = (uint16_t)(port != 0 ? port : 80);

	sb_init(&sb, to->host, sizeof(to->host));
	if (*override != '\0')
		sb_put(&sb, override);
	else
		put_host(&sb, host, port, 80);
	*ret_why = "host name too long";
	if (sb.cut)
		return false;
	/* Characters that would end the line of the header and begin another. */
	*ret_why = "control characters in the host name";
	for (const char *c = to->host; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return true;
}

int url_target_parse(const char *url, const char *host, struct url_target *ret,
                     const char **ret_why)
{
	struct url_target to = { .host = "" };
	const char *rest;
	struct sb sb;

	*ret_why = "not an absolute http:// URL";
	if (strncasecmp(url, "http://", 7) != 0)
		return -EINVAL;
	url += 7;
	rest = url + strcspn(url, "/?#");
	if (!target_address(url, (size_t)(rest - url), &to, host, ret_why))
		return -EINVAL;
	sb_init(&sb, to.resource, sizeof(to.resource));
	sb_printf(&sb, "%s%.*s", *rest == '/' ? "" : "/", (int)strcspn(rest, "#"), rest);
	*ret_why = "path too long";
	if (sb.cut)
		return -EINVAL;
	*ret_why = "characters in the path that must be written as %XX";
	if (!resource_plain(to.resource))
		return -EINVAL;
	*ret = to;
	return 0;
}
