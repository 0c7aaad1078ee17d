/* wna-rds; pure: never blocks, owns nothing. */
#include "dns_answer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "str.h"

enum { HEADER = 12, CLASS_IN = 1, LABEL_MAX = 63, JUMPS_MAX = 32 };

struct reader {
	const uint8_t *msg;
	size_t len;
	size_t at;
};

/* What one record of the answer section says, as far as we use it. */
struct record {
	char owner[LIMIT_HOST];
	char target[LIMIT_HOST]; /* CNAME */
	uint32_t ttl_s;
	uint16_t type;        /* 0: not of our types */
	struct net_addr addr; /* A, AAAA */
};

static int take_u16(struct reader *r, uint16_t *ret)
{
	if (r->len - r->at < 2)
		return -EBADMSG;
	*ret = (uint16_t)(r->msg[r->at] << 8 | r->msg[r->at + 1]);
	r->at += 2;
	return 0;
}

static int take_u32(struct reader *r, uint32_t *ret)
{
	uint16_t high, low;

	if (take_u16(r, &high) < 0 || take_u16(r, &low) < 0)
		return -EBADMSG;
	*ret = (uint32_t)high << 16 | low;
	return 0;
}

/*
 * A name, compressed or not, as lower-case text. Pointers may only lead
 * backwards, or a packet of a few bytes could keep us busy for ever. Host
 * names only: a label with a dot or a control character in it would compare
 * equal to a name that it is not.
 */
static int take_name(struct reader *r, char *ret, size_t size)
{
	size_t at = r->at, limit = r->at, out = 0;
	bool jumped = false;

	for (int jumps = 0; jumps < JUMPS_MAX;) {
		uint8_t len;

		if (at >= r->len)
			return -EBADMSG;
		len = r->msg[at++];
		if (len == 0) {
			if (!jumped)
				r->at = at;
			ret[out] = '\0';
			return 0;
		}
		if ((len & 0xc0) == 0xc0) {
			size_t to;

			if (at >= r->len)
				return -EBADMSG;
			to = (size_t)(len & 0x3f) << 8 | r->msg[at++];
			if (!jumped)
				r->at = at;
			if (to >= limit)
				return -EBADMSG;
			at = limit = to;
			jumped = true;
			jumps++;
			continue;
		}
		if (len > LABEL_MAX || r->len - at < len || out + len + 2 > size)
			return -EBADMSG;
		if (out > 0)
			ret[out++] = '.';
		for (uint8_t i = 0; i < len; i++) {
			int c = tolower(r->msg[at + i]);

			if (!isalnum(c) && c != '-' && c != '_')
				return -EBADMSG;
			ret[out++] = (char)c;
		}
		at += len;
	}
	return -EBADMSG;
}

/* Nobody can be reached at these: an answer with one of them is a lie, such as
 * a blocking resolver's 0.0.0.0. */
static bool addr_is_possible(const struct net_addr *addr)
{
	static const struct net_addr any6 = { .family = AF_INET6 };

	if (addr->family == AF_INET)
		return addr->bytes[0] != 0 && addr->bytes[0] < 224;
	return addr->bytes[0] != 0xff && !net_addr_equal(addr, &any6);
}

static int take_addr(struct reader *r, uint16_t type, uint16_t len, struct net_addr *ret)
{
	struct sockaddr_storage storage = { 0 };

	if (type == DNS_TYPE_A) {
		struct sockaddr_in *in = (struct sockaddr_in *)&storage;

		if (len != sizeof in->sin_addr)
			return -EBADMSG;
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, r->msg + r->at, len);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;

		if (len != sizeof in6->sin6_addr)
			return -EBADMSG;
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, r->msg + r->at, len);
	}
	net_addr_from_sockaddr((struct sockaddr *)&storage, ret);
	return addr_is_possible(ret) ? 0 : -EBADMSG;
}

static int take_record(struct reader *r, uint16_t want, struct record *ret)
{
	uint16_t type, class, len;
	uint32_t ttl;
	size_t end;
	int rc;

	rc = take_name(r, ret->owner, sizeof ret->owner);
	if (rc < 0)
		return rc;
	if (take_u16(r, &type) < 0 || take_u16(r, &class) < 0 || take_u32(r, &ttl) < 0 ||
	    take_u16(r, &len) < 0 || r->len - r->at < len)
		return -EBADMSG;
	end = r->at + len;
	ret->type = 0;
	ret->ttl_s = ttl > INT32_MAX ? 0 : ttl;
	/* Signatures and the like come along uninvited; a record of our type in
	 * another class does not. */
	if (type == want || type == DNS_TYPE_CNAME) {
		if (class != CLASS_IN)
			return -EBADMSG;
		ret->type = type;
		rc = type == DNS_TYPE_CNAME ? take_name(r, ret->target, sizeof ret->target)
		                            : take_addr(r, type, len, &ret->addr);
		if (rc < 0)
			return rc;
		if (type == DNS_TYPE_CNAME && r->at != end)
			return -EBADMSG;
	}
	r->at = end;
	return 0;
}

/* Header and question: is this an answer, to this question, and a good one?
 * Returns the number of answer records or -errno. */
static int take_head(struct reader *r, const char *name, uint16_t type)
{
	uint16_t id, flags, questions, answers, authorities, additions, qtype, qclass;
	char qname[LIMIT_HOST];
	size_t name_len = strlen(name);

	if (r->len < HEADER)
		return -EBADMSG;
	take_u16(r, &id);
	take_u16(r, &flags);
	take_u16(r, &questions);
	take_u16(r, &answers);
	take_u16(r, &authorities);
	take_u16(r, &additions);
	/* QR set, a standard query, not truncated (then TCP was to be used) */
	if ((flags & 0x8000) == 0 || (flags & 0x7800) != 0 || (flags & 0x0200) != 0 ||
	    questions != 1)
		return -EBADMSG;
	if (take_name(r, qname, sizeof qname) < 0 || take_u16(r, &qtype) < 0 ||
	    take_u16(r, &qclass) < 0)
		return -EBADMSG;
	if (name_len > 0 && name[name_len - 1] == '.')
		name_len--;
	if (qtype != type || qclass != CLASS_IN || strlen(qname) != name_len ||
	    strncasecmp(qname, name, name_len) != 0)
		return -EBADMSG;
	switch (flags & 0x000f) {
	case 0: break;
	case 3: return -ENOENT;
	default: return -EREMOTEIO;
	}
	if (answers > DNS_RECORDS)
		return -E2BIG;
	return answers;
}

static void count_ttl(struct dns_answer *answer, bool *any, uint32_t ttl_s)
{
	if (!*any || ttl_s < answer->ttl_s)
		answer->ttl_s = ttl_s;
	*any = true;
}

/* Walks from answer->name along the aliases. */
static int follow(const struct record *records, int count, struct dns_answer *answer, bool *any)
{
	for (;;) {
		const struct record *alias = NULL;

		for (int i = 0; i < count; i++) {
			if (records[i].type != DNS_TYPE_CNAME ||
			    strcmp(records[i].owner, answer->name) != 0)
				continue;
			/* RFC 2181 section 10.1: one alias a name */
			if (alias != NULL && strcmp(alias->target, records[i].target) != 0)
				return -EBADMSG;
			alias = &records[i];
		}
		if (alias == NULL)
			return 0;
		if (++answer->links > DNS_CHAIN)
			return -ELOOP;
		count_ttl(answer, any, alias->ttl_s);
		str_copy(answer->name, sizeof answer->name, alias->target);
	}
}

static int collect(const struct record *records, int count, struct dns_answer *answer, bool *any)
{
	bool others = false;

	for (int i = 0; i < count; i++) {
		bool known = false;

		if (records[i].type == 0 || records[i].type == DNS_TYPE_CNAME)
			continue;
		if (strcmp(records[i].owner, answer->name) != 0) {
			others = true;
			continue;
		}
		count_ttl(answer, any, records[i].ttl_s);
		for (int k = 0; k < answer->count; k++)
			known |= net_addr_equal(&answer->addr[k], &records[i].addr);
		if (known)
			continue;
		if (answer->count == DNS_ADDRESSES)
			return -E2BIG;
		answer->addr[answer->count++] = records[i].addr;
	}
	return answer->count == 0 && others ? -EBADMSG : 0;
}

int dns_answer_parse(const uint8_t *msg, size_t len, const char *name, uint16_t type,
                     struct dns_answer *ret)
{
	struct reader r = { .msg = msg, .len = len };
	struct record records[DNS_RECORDS];
	struct dns_answer answer = { 0 };
	bool any = false;
	int count, rc;

	count = take_head(&r, name, type);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		rc = take_record(&r, type, &records[i]);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i + 1 < sizeof answer.name && name[i] != '\0'; i++)
		answer.name[i] = (char)tolower((unsigned char)name[i]);
	if (answer.name[0] != '\0' && answer.name[strlen(answer.name) - 1] == '.')
		answer.name[strlen(answer.name) - 1] = '\0';
	rc = follow(records, count, &answer, &any);
	if (rc == 0)
		rc = collect(records, count, &answer, &any);
	if (rc == 0)
		*ret = answer;
	return rc;
}
