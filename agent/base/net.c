/* Every process; never blocks; owns nothing. */
#include "net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

static void unmap(struct net_addr *addr)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (addr->family != AF_INET6 || memcmp(addr->bytes, mapped, sizeof mapped) != 0)
		return;
	addr->family = AF_INET;
	memmove(addr->bytes, addr->bytes + 12, 4);
	memset(addr->bytes + 4, 0, 12);
}

bool net_addr_parse(const char *text, struct net_addr *ret)
{
	struct net_addr addr = { .family = AF_INET };

	if (inet_pton(AF_INET, text, addr.bytes) != 1) {
		addr.family = AF_INET6;
		if (inet_pton(AF_INET6, text, addr.bytes) != 1)
			return false;
		unmap(&addr);
	}
	*ret = addr;
	return true;
}

bool net_endpoint_parse(const char *text, struct net_endpoint *ret)
{
	struct net_endpoint endpoint;
	char host[NET_ADDR_TEXT];
	const char *colon = strrchr(text, ':');
	size_t len;
	int64_t port;

	if (!colon || !str_int64(colon + 1, 1, 65535, &port))
		return false;
	len = (size_t)(colon - text);
	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
		host[len - 1] = '\0';
		if (!strchr(host, ':') || !net_addr_parse(host + 1, &endpoint.addr))
			return false;
	} else if (strchr(host, ':') || !net_addr_parse(host, &endpoint.addr)) {
		return false;
	}
	endpoint.port = (uint16_t)port;
	*ret = endpoint;
	return true;
}

void net_addr_from_sockaddr(const struct sockaddr *sa, struct net_addr *ret)
{
	memset(ret, 0, sizeof *ret);
	if (sa->sa_family == AF_INET) {
		ret->family = AF_INET;
		memcpy(ret->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		ret->family = AF_INET6;
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
		unmap(ret);
	}
}

socklen_t net_endpoint_sockaddr(const struct net_endpoint *endpoint, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof *ret);
	if (endpoint->addr.family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->addr.bytes, 4);
		return sizeof *in;
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(endpoint->port);
		memcpy(&in6->sin6_addr, endpoint->addr.bytes, 16);
		return sizeof *in6;
	}
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool net_addr_is_loopback(const struct net_addr *addr)
{
	if (addr->family == AF_INET)
		return addr->bytes[0] == 127;
	return addr->family == AF_INET6 &&
	       memcmp(addr->bytes, &in6addr_loopback, sizeof in6addr_loopback) == 0;
}

char *net_addr_text(const struct net_addr *addr, char *ret, size_t size)
{
	if (addr->family == 0 || !inet_ntop(addr->family, addr->bytes, ret, (socklen_t)size))
		str_copy(ret, size, "none");
	return ret;
}

char *net_endpoint_text(const struct net_endpoint *endpoint, char *ret, size_t size)
{
	char addr[NET_ADDR_TEXT];

	net_addr_text(&endpoint->addr, addr, sizeof addr);
	snprintf(ret, size, endpoint->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u", addr,
	         endpoint->port);
	return ret;
}
