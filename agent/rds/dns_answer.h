/*
 * One DNS answer, from the bytes that came off the wire to a set of addresses.
 * Pure; fuzzed. Format: RFC 1035 section 4; AAAA: RFC 3596; CNAME chains: RFC
 * 1034 section 3.6.2; a TTL with its top bit set counts as 0: RFC 2181 section 8.
 *
 * The transport (c-ares) has matched identifier, question and server address.
 * What the answer then says is believed only as far as it concerns the name
 * asked for and the chain of aliases that starts there.
 */
#ifndef WNA_RDS_DNS_ANSWER_H
#define WNA_RDS_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "net.h"

enum {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_AAAA = 28,

	DNS_ADDRESSES = 16, /* of one name; more is refused, not cut */
	DNS_CHAIN = 8,      /* aliases followed in all */
	DNS_RECORDS = 64,   /* in one answer section */
};

struct dns_answer {
	int count; /* 0: the name exists, but has no such address (RFC 2308: NODATA) */
	struct net_addr addr[DNS_ADDRESSES];
	int64_t ttl_s;         /* smallest of the records used; 0 if there were none */
	int links;             /* aliases followed */
	char name[LIMIT_HOST]; /* where the chain ended, lower case, no final dot */
};

/*
 * The answer to "which addresses of `type` (DNS_TYPE_A or _AAAA) has `name`?".
 * 0; -ENOENT no such name (NXDOMAIN); -EREMOTEIO the server says it failed or
 * refuses; -EBADMSG not DNS, not the answer to this question, addresses of
 * another name only, or an address that nobody can have (unspecified,
 * multicast, broadcast); -ELOOP aliases in a circle or too many; -E2BIG more
 * records or addresses than above. *ret is written only on success.
 */
int dns_answer_parse(const uint8_t *msg, size_t len, const char *name, uint16_t type,
                     struct dns_answer *ret);

#endif
