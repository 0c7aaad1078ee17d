/* wna-core and wnactl; never blocks; owns nothing. */
#include <string.h>

#include "net.h"
#include "str.h"

/* True if every bit of `addr` from `bits` on is zero. */
static bool host_bits_zero(const struct net_addr *addr, unsigned bits)
{
	for (size_t i = bits; i < sizeof addr->bytes * 8; i++) {
		if (addr->bytes[i / 8] & (0x80u >> (i % 8)))
			return false;
	}
	return true;
}

static bool prefix_parse(char *text, struct net_prefix *ret)
{
	struct net_prefix prefix;
	char *slash = strchr(text, '/');
	int64_t bits;

	if (slash)
		*slash = '\0';
	if (!net_addr_parse(text, &prefix.addr))
		return false;
	bits = prefix.addr.family == AF_INET ? 32 : 128;
	if (slash && !str_int64(slash + 1, 0, bits, &bits))
		return false;
	prefix.bits = (uint16_t)bits;
	if (!host_bits_zero(&prefix.addr, prefix.bits))
		return false;
	*ret = prefix;
	return true;
}

bool net_list_parse(const char *text, struct net_list *ret)
{
	struct net_list list = { 0 };

	while (*text) {
		size_t gap = strspn(text, " ,\t");
		size_t len = strcspn(text + gap, " ,\t");
		char one[NET_ADDR_TEXT];

		text += gap;
		if (len == 0)
			break;
		if (len >= sizeof one || list.count >= LIMIT_NETS)
			return false;
		memcpy(one, text, len);
		one[len] = '\0';
		if (!prefix_parse(one, &list.item[list.count]))
			return false;
		list.count++;
		text += len;
	}
	*ret = list;
	return true;
}

static bool prefix_has(const struct net_prefix *prefix, const struct net_addr *addr)
{
	if (prefix->addr.family != addr->family)
		return false;
	for (unsigned i = 0; i < prefix->bits; i++) {
		if ((prefix->addr.bytes[i / 8] ^ addr->bytes[i / 8]) & (0x80u >> (i % 8)))
			return false;
	}
	return true;
}

bool net_list_has(const struct net_list *list, const struct net_addr *addr)
{
	for (int32_t i = 0; i < list->count; i++) {
		if (prefix_has(&list->item[i], addr))
			return true;
	}
	return false;
}
