/*
 * wna-rds. Blocks on name servers, for at most dns_timeout_ms; on a local disk
 * for resolv.conf. Owns the c-ares channel.
 */
/* Newer versions mark ares_fds as deprecated, in favour of a callback per socket. */
#define CARES_NO_DEPRECATED
#include "rds.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>

#include "aws_name.h"
#include "clock.h"
#include "str.h"

enum {
	TRIES = 3,
	HALF_MS = 500,     /* how long one family's addresses wait for the other's */
	TOO_MANY = INT_MAX /* not one of c-ares' statuses */
};

/* One family's question. */
struct question {
	struct rds_answer *answer; /* of both families */
	bool done;
	int status; /* ARES_SUCCESS: addresses were added */
};

/* No server has one of the other addresses: an answer with one of them is false, for
 * example a filtering resolver's 0.0.0.0. */
static bool addr_is_possible(const struct net_addr *addr)
{
	static const struct net_addr any6 = { .family = AF_INET6 };

	if (addr->family == AF_INET)
		return addr->bytes[0] != 0 && addr->bytes[0] < 224;
	return addr->bytes[0] != 0xff && !net_addr_equal(addr, &any6);
}

/* The last name of the chain so far may be RDS's own. Aurora's names go on to another one. */
static void take_given(struct rds_answer *answer)
{
	char name[LIMIT_HOST], region[64];

	if (aws_is_database(answer->given, region))
		return;
	str_lower(name, sizeof name, answer->name);
	if (aws_is_database(name, region))
		str_copy(answer->given, sizeof answer->given, name);
}

/* Adds one family's addresses to *ret; all of them or none. ARES_SUCCESS or the reason. */
static int take_addresses(const struct ares_addrinfo *info, struct rds_answer *ret)
{
	const struct ares_addrinfo_cname *alias;
	const struct ares_addrinfo_node *node;
	struct rds_answer answer = *ret;
	int ttl_s = INT_MAX, family_count = 0;

	for (node = info->nodes; node; node = node->ai_next) {
		struct net_addr addr;

		net_addr_from_sockaddr(node->ai_addr, &addr);
		if (!addr_is_possible(&addr))
			return ARES_EBADRESP;
		if (node->ai_ttl < ttl_s)
			ttl_s = node->ai_ttl;
		if (answer_has(&answer, &addr))
			continue;
		if (family_count++ == RDS_ADDRESSES)
			return TOO_MANY;
		answer_add(&answer, &addr);
	}
	if (answer.count == ret->count)
		return ARES_ENODATA;
	for (alias = info->cnames; alias; alias = alias->next) {
		if (alias->ttl < ttl_s)
			ttl_s = alias->ttl;
		str_copy(answer.name, sizeof answer.name, alias->name);
		take_given(&answer);
	}
	/* A TTL with its top bit set counts as 0 (RFC 2181, section 8). */
	if (ttl_s < 0)
		ttl_s = 0;
	if (ret->count == 0 || ttl_s < answer.ttl_s)
		answer.ttl_s = ttl_s;
	*ret = answer;
	return ARES_SUCCESS;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *question = arg;

	(void)timeouts;
	question->done = true;
	question->status = status;
	if (info && status == ARES_SUCCESS)
		question->status = take_addresses(info, question->answer);
	if (info)
		ares_freeaddrinfo(info);
}

void resolver_close(struct resolver *resolver)
{
	if (resolver->channel)
		ares_destroy(resolver->channel);
	resolver->channel = NULL;
}

bool resolver_outdated(const struct resolver *resolver, const struct conf_rds *conf)
{
	char file[FILE_ID_SIZE];

	file_id(conf->resolv_conf, file, sizeof file);
	return strcmp(file, resolver->file) != 0;
}

/* Makes the channel anew if resolv.conf changed; an absent file is a state like another. */
static bool channel_open(struct resolver *resolver, const struct conf_rds *conf)
{
	char path[LIMIT_PATH], lookups[] = "b";
	struct ares_options options = { 0 };
	int mask;

	if (resolver->channel && !resolver_outdated(resolver, conf))
		return true;
	resolver_close(resolver);
	file_id(conf->resolv_conf, resolver->file, sizeof resolver->file);
	str_copy(path, sizeof path, conf->resolv_conf);
	options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
	options.timeout = (int)(conf->dns_timeout_ms / TRIES);
	options.tries = TRIES;
	options.lookups = lookups;
	options.resolvconf_path = path;
	/* No search domains: c-ares 1.17 ignores ARES_FLAG_NOSEARCH and the final dot. */
	mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
	       ARES_OPT_RESOLVCONF | ARES_OPT_DOMAINS;
#ifdef ARES_OPT_QUERY_CACHE
	/* On by default from 1.31: it would hide a failover for the TTL. */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
		resolver->channel = NULL;
		return false;
	}
	return true;
}

static void channel_turn(ares_channel channel, int64_t left_ms)
{
	struct timeval most = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
	struct timeval hold = most;
	fd_set readable, writable;
	int end;

	FD_ZERO(&readable);
	FD_ZERO(&writable);
	end = ares_fds(channel, &readable, &writable);
	if (select(end, &readable, &writable, NULL, ares_timeout(channel, &most, &hold)) < 0) {
		FD_ZERO(&readable);
		FD_ZERO(&writable);
	}
	ares_process(channel, &readable, &writable);
}

static void ask_family(ares_channel channel, const char *endpoint, int family,
                       struct question *question)
{
	struct ares_addrinfo_hints hints = { .ai_family = family, .ai_flags = ARES_AI_NOSORT };
	size_t len = strlen(endpoint);
	char name[LIMIT_HOST + 1];

	/* A name that ends with a dot is complete: the library searches nothing. */
	snprintf(name, sizeof name, "%s%s", endpoint,
	         len > 0 && endpoint[len - 1] == '.' ? "" : ".");
	ares_getaddrinfo(channel, name, NULL, &hints, on_answer, question);
}

/* Both questions, side by side, for dns_timeout_ms. */
static void ask_both(ares_channel channel, const struct conf_rds *conf, struct question *a,
                     struct question *aaaa)
{
	int64_t deadline_ms = clock_ms() + conf->dns_timeout_ms, half_ms = 0;

	ask_family(channel, conf->endpoint, AF_INET, a);
	ask_family(channel, conf->endpoint, AF_INET6, aaaa);
	while (!a->done || !aaaa->done) {
		int64_t now = clock_ms();

		/* Some servers never answer for AAAA; a failover must not wait for them. */
		if (a->answer->count > 0 && half_ms == 0) {
			half_ms = now + HALF_MS;
			if (half_ms < deadline_ms)
				deadline_ms = half_ms;
		}
		if (now < deadline_ms)
			channel_turn(channel, deadline_ms - now);
		else
			ares_cancel(channel);
	}
}

static const char *explain(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
	case ARES_ECANCELLED: return "no name server answered within database.dns_timeout";
	/* The library says this also when all of them answered SERVFAIL or REFUSED. */
	case ARES_ECONNREFUSED: return "every name server failed, refused or is not there";
	case ARES_ENOTFOUND: return "the name does not exist (NXDOMAIN)";
	case ARES_ENODATA: return "the name has no address";
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_EFORMERR:
	case ARES_ENOTIMP: return "the name server failed or refused";
	case ARES_EBADNAME: return "not a valid DNS name";
	case ARES_ENOMEM: return "no memory";
	case TOO_MANY: return "the answer has too many addresses";
	default: return "the answer is malformed or has an impossible address";
	}
}

bool resolver_ask(struct resolver *resolver, const struct conf_rds *conf, struct rds_answer *ret,
                  char *ret_why, size_t why_size)
{
	struct rds_answer answer = { 0 };
	struct question a = { .answer = &answer }, aaaa = { .answer = &answer };
	int status;

	ret_why[0] = '\0';
	str_copy(answer.name, sizeof answer.name, conf->endpoint);
	str_lower(answer.given, sizeof answer.given, conf->endpoint);
	if (net_addr_parse(conf->endpoint, &answer.addr[0])) {
		answer.count = 1;
		answer.literal = true;
		*ret = answer;
		return true;
	}
	if (!channel_open(resolver, conf)) {
		str_copy(ret_why, why_size, "the resolver could not be set up");
		return false;
	}
	ask_both(resolver->channel, conf, &a, &aaaa);
	/* A family without records did not fail: the other family's status counts. */
	status = a.status != ARES_SUCCESS && a.status != ARES_ENODATA ? a.status : aaaa.status;
	if (answer.count == 0) {
		str_copy(ret_why, why_size, explain(status));
		return false;
	}
	if (status != ARES_SUCCESS && status != ARES_ENODATA) {
		answer.unknown = status == a.status ? AF_INET : AF_INET6;
		snprintf(ret_why, why_size, "%s: %s", status == a.status ? "IPv4" : "IPv6",
		         explain(status));
	}
	*ret = answer;
	return true;
}
