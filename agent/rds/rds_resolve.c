/*
 * wna-rds. Blocks on name servers, for at most dns_timeout_ms; on a local disk
 * for resolv.conf. Owns the c-ares channel.
 */
/* Newer versions mark ares_getsock as deprecated, in favour of a table of our own. */
#define CARES_NO_DEPRECATED
#include "rds_resolve.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "clock.h"
#include "str.h"

enum {
	TRIES = 3,
	SOCKETS = 12,  /* a question on another one ends by time-out */
	HALF_MS = 500, /* that the second family is waited for when the first has addresses */
};

/* The question about one family's addresses, on its way. */
struct question {
	struct rds_answer *answer; /* of both families */
	bool done;
	int rc;
};

/* Nobody can be reached at these: an answer with one of them is a lie, such as
 * a blocking resolver's 0.0.0.0. */
static bool addr_is_possible(const struct net_addr *addr)
{
	static const struct net_addr any6 = { .family = AF_INET6 };

	if (addr->family == AF_INET)
		return addr->bytes[0] != 0 && addr->bytes[0] < 224;
	return addr->bytes[0] != 0xff && !net_addr_equal(addr, &any6);
}

/* Adds one family's addresses to *ret; all of them or none. */
static int take_addresses(const struct ares_addrinfo *info, struct rds_answer *ret)
{
	const struct ares_addrinfo_cname *alias;
	const struct ares_addrinfo_node *node;
	struct rds_answer answer = *ret;
	int ttl_s = INT_MAX, family_count = 0;

	for (node = info->nodes; node != NULL; node = node->ai_next) {
		struct net_addr addr;

		net_addr_from_sockaddr(node->ai_addr, &addr);
		if (!addr_is_possible(&addr))
			return -EBADMSG;
		if (node->ai_ttl < ttl_s)
			ttl_s = node->ai_ttl;
		if (answer_has(&answer, &addr))
			continue;
		if (family_count++ == RDS_ADDRESSES)
			return -E2BIG;
		answer.addr[answer.count++] = addr;
	}
	if (answer.count == ret->count)
		return -ENODATA;
	for (alias = info->cnames; alias != NULL; alias = alias->next) {
		if (alias->ttl < ttl_s)
			ttl_s = alias->ttl;
		str_copy(answer.name, sizeof answer.name, alias->name);
	}
	/* A TTL with its top bit set counts as 0: RFC 2181, section 8. */
	if (ttl_s < 0)
		ttl_s = 0;
	if (ret->count == 0 || ttl_s < answer.ttl_s)
		answer.ttl_s = ttl_s;
	*ret = answer;
	return 0;
}

static int from_status(int status)
{
	switch (status) {
	case ARES_SUCCESS: return 0;
	case ARES_ETIMEOUT:
	case ARES_ECANCELLED: return -ETIMEDOUT;
	case ARES_ECONNREFUSED: return -ECONNREFUSED;
	case ARES_ENOTFOUND: return -ENOENT;
	case ARES_ENODATA: return -ENODATA;
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_EFORMERR:
	case ARES_ENOTIMP: return -EREMOTEIO;
	case ARES_EBADNAME: return -EINVAL;
	case ARES_ENOMEM: return -ENOMEM;
	default: return -EBADMSG;
	}
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *question = arg;

	(void)timeouts;
	question->done = true;
	question->rc = from_status(status);
	if (question->rc == 0)
		question->rc = take_addresses(info, question->answer);
	if (info != NULL)
		ares_freeaddrinfo(info);
}

int resolver_init(struct resolver *ret, const struct conf_rds *conf)
{
	memset(ret, 0, sizeof *ret);
	ret->conf = conf;
	return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
}

static void channel_close(struct resolver *resolver)
{
	if (resolver->open)
		ares_destroy(resolver->channel);
	resolver->open = false;
}

void resolver_fini(struct resolver *resolver)
{
	channel_close(resolver);
	ares_library_cleanup();
}

/* A channel made from resolv.conf as it is now; the present one if that did not change. */
static int channel_open(struct resolver *resolver)
{
	char path[LIMIT_PATH], lookups[] = "b";
	struct ares_options options = { 0 };
	struct stat st = { 0 };
	int mask;

	(void)stat(resolver->conf->resolv_conf, &st); /* absent is a state like another */
	if (resolver->open && st.st_dev == resolver->file.dev && st.st_ino == resolver->file.ino &&
	    st.st_size == resolver->file.size && st.st_mtim.tv_sec == resolver->file.mtime.tv_sec &&
	    st.st_mtim.tv_nsec == resolver->file.mtime.tv_nsec)
		return 0;
	channel_close(resolver);

	str_copy(path, sizeof path, resolver->conf->resolv_conf);
	options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
	options.timeout = (int)(resolver->conf->dns_timeout_ms / TRIES);
	options.tries = TRIES;
	options.lookups = lookups;
	options.resolvconf_path = path;
	/* None: 1.17 would search them, whatever flag and name say. */
	mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
	       ARES_OPT_RESOLVCONF | ARES_OPT_DOMAINS;
#ifdef ARES_OPT_QUERY_CACHE
	/* On by default from 1.31: it would hide a failover for a TTL. */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS)
		return -EIO;
	resolver->open = true;
	resolver->file.dev = st.st_dev;
	resolver->file.ino = st.st_ino;
	resolver->file.size = st.st_size;
	resolver->file.mtime = st.st_mtim;
	return 0;
}

static void channel_turn(struct resolver *resolver, int64_t left_ms)
{
	struct timeval most = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
	struct timeval hold = most, *wait;
	ares_socket_t socks[SOCKETS];
	struct pollfd fds[SOCKETS];
	int bits, count;

	bits = ares_getsock(resolver->channel, socks, SOCKETS);
	for (count = 0; count < SOCKETS; count++) {
		short events = (short)((ARES_GETSOCK_READABLE(bits, count) ? POLLIN : 0) |
		                       (ARES_GETSOCK_WRITABLE(bits, count) ? POLLOUT : 0));

		if (events == 0)
			break;
		fds[count] = (struct pollfd){ .fd = socks[count], .events = events };
	}
	wait = ares_timeout(resolver->channel, &most, &hold);
	if (poll(fds, (nfds_t)count, (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1)) <= 0) {
		ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		return;
	}
	for (int i = 0; i < count; i++) {
		bool in = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
		bool out = (fds[i].revents & POLLOUT) != 0;

		if (in || out)
			ares_process_fd(resolver->channel, in ? fds[i].fd : ARES_SOCKET_BAD,
			                out ? fds[i].fd : ARES_SOCKET_BAD);
	}
}

static void ask_family(struct resolver *resolver, int family, struct question *question)
{
	struct ares_addrinfo_hints hints = { .ai_family = family, .ai_flags = ARES_AI_NOSORT };
	const char *endpoint = resolver->conf->endpoint;
	size_t len = strlen(endpoint);
	char name[LIMIT_HOST + 1];

	/* A name that ends with a dot is complete: the library searches nothing. */
	snprintf(name, sizeof name, "%s%s", endpoint,
	         len > 0 && endpoint[len - 1] == '.' ? "" : ".");
	ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, question);
}

/* Both questions, side by side, for dns_timeout_ms. */
static void ask_both(struct resolver *resolver, struct question *a, struct question *aaaa)
{
	int64_t deadline_ms = clock_ms() + resolver->conf->dns_timeout_ms, half_ms = 0;

	ask_family(resolver, AF_INET, a);
	ask_family(resolver, AF_INET6, aaaa);
	while (!a->done || !aaaa->done) {
		int64_t now = clock_ms(), left_ms;

		/* Some servers never answer for AAAA; a failover must not wait for them. */
		if (a->answer->count > 0 && half_ms == 0) {
			half_ms = now + HALF_MS;
			if (half_ms < deadline_ms)
				deadline_ms = half_ms;
		}
		left_ms = deadline_ms - now;
		if (left_ms <= 0) {
			ares_cancel(resolver->channel);
			break;
		}
		channel_turn(resolver, left_ms);
	}
}

static void explain(const struct resolver *resolver, int rc, char *ret, size_t size)
{
	switch (rc) {
	case -ETIMEDOUT:
		snprintf(ret, size, "no name server answered within %lld ms",
		         (long long)resolver->conf->dns_timeout_ms);
		break;
	/* The library says so, too, when all of them answered SERVFAIL or REFUSED. */
	case -ECONNREFUSED:
		str_copy(ret, size, "every name server failed, refused or is not there");
		break;
	case -ENOENT: str_copy(ret, size, "the name does not exist (NXDOMAIN)"); break;
	case -ENODATA: str_copy(ret, size, "the name has no address"); break;
	case -EREMOTEIO: str_copy(ret, size, "the name server failed or refused"); break;
	case -EBADMSG:
		str_copy(ret, size, "the answer is malformed or has an impossible address");
		break;
	case -E2BIG: str_copy(ret, size, "the answer has too many addresses"); break;
	case -EINVAL: str_copy(ret, size, "not a valid DNS name"); break;
	default: str_copy(ret, size, strerror(-rc)); break;
	}
}

int resolver_ask(struct resolver *resolver, struct rds_answer *ret, char *ret_why, size_t why_size)
{
	struct rds_answer answer = { 0 };
	struct question a = { .answer = &answer }, aaaa = { .answer = &answer };
	char half[64];
	int rc;

	ret_why[0] = '\0';
	str_copy(answer.name, sizeof answer.name, resolver->conf->endpoint);
	if (net_addr_parse(resolver->conf->endpoint, &answer.addr[0])) {
		answer.count = 1;
		answer.literal = true;
		*ret = answer;
		return 0;
	}
	rc = channel_open(resolver);
	if (rc < 0) {
		str_copy(ret_why, why_size, "the resolver could not be set up");
		return rc;
	}
	ask_both(resolver, &a, &aaaa);
	/* A family without records is no failure, but then the other one's is. */
	rc = a.rc != 0 && a.rc != -ENODATA ? a.rc : aaaa.rc;
	if (answer.count == 0) {
		explain(resolver, rc, ret_why, why_size);
		return rc;
	}
	if (rc != 0 && rc != -ENODATA) {
		answer.unknown = rc == a.rc ? AF_INET : AF_INET6;
		explain(resolver, rc, half, sizeof half);
		snprintf(ret_why, why_size, "%s: %s", rc == a.rc ? "IPv4" : "IPv6", half);
	}
	*ret = answer;
	return 0;
}
