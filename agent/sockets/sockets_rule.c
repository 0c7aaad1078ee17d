/* wna-sockets; pure. */
#include "sockets.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

/* Addresses at which no database of another machine can be. */
static bool is_near(const struct net_addr *addr)
{
	static const uint8_t zero[16];
	const uint8_t *bytes = addr->bytes;

	if (net_addr_is_loopback(addr))
		return true;
	if (addr->family == AF_INET)
		return bytes[0] == 0 || bytes[0] >= 224 || (bytes[0] == 169 && bytes[1] == 254);
	return addr->family != AF_INET6 || memcmp(bytes, zero, sizeof zero) == 0 ||
	       bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

/* "10.16.6.137" or "10.16.6.137,2001:db8::7". False: there is no address to act on. */
static bool parse_addresses(const char *text, struct net_addr *ret_addr, struct net_addr *ret_twin)
{
	char first[NET_ADDR_TEXT];
	const char *comma = strchr(text, ',');

	ret_twin->family = 0;
	if (comma && (!net_addr_parse(comma + 1, ret_twin) || is_near(ret_twin)))
		ret_twin->family = 0;
	snprintf(first, sizeof first, "%.*s", (int)strcspn(text, ","), text);
	return net_addr_parse(first, ret_addr) && !is_near(ret_addr);
}

static void hear_stale(struct sockets_rule *rule, const struct msg *fact, int64_t now_ms)
{
	int64_t at_ms = fact->found_ms < now_ms ? fact->found_ms : now_ms;
	struct net_addr addr, twin;

	if (fact->value == rule->number)
		return;
	rule->number = fact->value;
	rule->until_ms = 0;
	if (fact->value == 0 || now_ms - at_ms >= SOCKETS_FOR_MS ||
	    !parse_addresses(fact->text, &addr, &twin))
		return;
	rule->addr = addr;
	rule->twin = twin;
	rule->reason = fact->more[0] == RDS_STALE_FORMER ? RDS_STALE_FORMER : RDS_STALE_SILENT;
	rule->until_ms = at_ms + SOCKETS_FOR_MS;
	rule->again = false;
}

void sockets_hear(struct sockets_rule *rule, const struct msg *fact, int64_t now_ms)
{
	if (fact->id == FACT_RDS_STALE)
		hear_stale(rule, fact, now_ms);
	if (fact->id == FACT_RDS &&
	    (fact->value != RDS_WRITABLE || !net_addr_parse(fact->text, &rule->writer)))
		rule->writer.family = 0;
}

int64_t sockets_due_ms(const struct sockets_rule *rule)
{
	int64_t due_ms = rule->look_ms;

	if (rule->until_ms == 0 || net_addr_equal(&rule->addr, &rule->writer))
		return INT64_MAX;
	if (rule->reason == RDS_STALE_FORMER ? rule->writer.family == 0 : !rule->at_once)
		return INT64_MAX;
	if (rule->again)
		due_ms += SOCKETS_LOOK_MS - SOCKETS_GAP_MS;
	return due_ms < rule->until_ms ? due_ms : INT64_MAX;
}

void sockets_looked(struct sockets_rule *rule, bool whole, int64_t now_ms)
{
	rule->look_ms = now_ms + SOCKETS_GAP_MS;
	rule->again = rule->again || whole;
}

unsigned sockets_states(const struct sockets_rule *rule)
{
	/* A server that accepts a connection after the event serves again: as a reader, for example. */
	if (rule->again)
		return SOCKDIAG_STATE(TCP_SYN_SENT);
	return SOCKDIAG_STATE(TCP_ESTABLISHED) | SOCKDIAG_STATE(TCP_SYN_SENT) |
	       SOCKDIAG_STATE(TCP_CLOSE_WAIT);
}

bool sockets_match(const struct sockets_rule *rule, const struct sockdiag_socket *socket)
{
	const struct net_addr *addr = &socket->remote.addr;

	return socket->remote.port == rule->port &&
	       (net_addr_equal(addr, &rule->addr) || net_addr_equal(addr, &rule->twin)) &&
	       !is_near(addr) && !net_addr_equal(addr, &rule->writer) && socket->state < 32 &&
	       (sockets_states(rule) & SOCKDIAG_STATE(socket->state)) != 0 && socket->inode != 0 &&
	       socket->uid != rule->rds_uid;
}
