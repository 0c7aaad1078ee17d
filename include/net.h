/* Addresses and networks, without pointers. Nothing here resolves a name or opens a socket. */
#ifndef WNA_NET_H
#define WNA_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "limits.h"

/* An address of either family; family 0 = none. An IPv4-mapped IPv6 address becomes an IPv4 address
 * when it is read. */
struct net_addr {
	uint16_t family;   /* AF_INET, AF_INET6, 0 */
	uint8_t bytes[16]; /* IPv4: the first four, the others are zero */
};

struct net_endpoint {
	struct net_addr addr;
	uint16_t port;
};

struct net_prefix {
	struct net_addr addr;
	uint16_t bits;
};

struct net_list {
	int32_t count;
	struct net_prefix item[LIMIT_NETS];
};

/* Literals only. False leaves *ret untouched. */
bool net_addr_parse(const char *text, struct net_addr *ret);
bool net_endpoint_parse(const char *text, struct net_endpoint *ret); /* 1.2.3.4:80, [::1]:80 */
/* Networks separated by blanks or commas; host bits must be zero. */
bool net_list_parse(const char *text, struct net_list *ret);

void net_addr_from_sockaddr(const struct sockaddr *sa, struct net_addr *ret);
socklen_t net_endpoint_sockaddr(const struct net_endpoint *endpoint, struct sockaddr_storage *ret);

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);
bool net_addr_is_loopback(const struct net_addr *addr);
bool net_list_has(const struct net_list *list, const struct net_addr *addr);

/* Text forms; buffers of NET_ADDR_TEXT are always enough. Return `ret`. */
enum { NET_ADDR_TEXT = 64 };
char *net_addr_text(const struct net_addr *addr, char *ret, size_t size);
char *net_endpoint_text(const struct net_endpoint *endpoint, char *ret, size_t size);

#endif
