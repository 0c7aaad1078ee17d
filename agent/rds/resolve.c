/*
 * wna-rds. Blocks on name servers, for at most dns_timeout_ms; on a local disk
 * for resolv.conf. Owns the c-ares channel.
 */
/* ares_query is marked deprecated from 1.28 on, where its successor appeared;
 * AL2023 has 1.19 and knows only this one. */
#define CARES_NO_DEPRECATED
#include "resolve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "clock.h"
#include "str.h"

enum {
	TRIES = 3,
	HALF_MS = 500, /* that the second family is waited for when the first has addresses */
};

/* One question on its way. */
struct question {
	const char *name;
	uint16_t type;
	bool done;
	int rc; /* of dns_answer_parse, or what the transport said */
	struct dns_answer answer;
};

static int from_status(int status)
{
	switch (status) {
	case ARES_SUCCESS: return 0;
	case ARES_ETIMEOUT:
	case ARES_ECANCELLED: return -ETIMEDOUT;
	case ARES_ECONNREFUSED: return -ECONNREFUSED;
	case ARES_ENOTFOUND: return -ENOENT;
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_EFORMERR:
	case ARES_ENOTIMP: return -EREMOTEIO;
	case ARES_EBADNAME: return -EINVAL;
	case ARES_ENOMEM: return -ENOMEM;
	default: return -EBADMSG;
	}
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *msg, int len)
{
	struct question *question = arg;

	(void)timeouts;
	question->done = true;
	/* Where there are bytes they say more than the status. */
	if (msg != NULL && len > 0)
		question->rc = dns_answer_parse(msg, (size_t)len, question->name, question->type,
		                                &question->answer);
	else
		question->rc = status == ARES_SUCCESS ? -EBADMSG : from_status(status);
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = arg;
	int i = 0;

	while (i < resolver->socks && resolver->sock[i].fd != fd)
		i++;
	if (!readable && !writable) {
		if (i < resolver->socks)
			resolver->sock[i] = resolver->sock[--resolver->socks];
		return;
	}
	if (i == resolver->socks) {
		/* Not watched: its question ends by time-out. */
		if (i == (int)(sizeof resolver->sock / sizeof resolver->sock[0]))
			return;
		resolver->socks++;
	}
	resolver->sock[i].fd = fd;
	resolver->sock[i].read = readable != 0;
	resolver->sock[i].write = writable != 0;
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
	resolver->socks = 0;
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
	options.sock_state_cb = on_socket;
	options.sock_state_cb_data = resolver;
	mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
	       ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB;
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
	struct pollfd fds[sizeof resolver->sock / sizeof resolver->sock[0]];
	struct timeval most = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
	struct timeval hold = most, *wait;
	int count = resolver->socks;

	wait = ares_timeout(resolver->channel, &most, &hold);
	for (int i = 0; i < count; i++) {
		fds[i].fd = resolver->sock[i].fd;
		fds[i].events = (short)((resolver->sock[i].read ? POLLIN : 0) |
		                        (resolver->sock[i].write ? POLLOUT : 0));
		fds[i].revents = 0;
	}
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

/* Both questions about `name`, side by side, until `deadline_ms`. */
static void ask_both(struct resolver *resolver, const char *name, int64_t deadline_ms,
                     struct question *a, struct question *aaaa)
{
	int64_t half_ms = 0;

	*a = (struct question){ .name = name, .type = DNS_TYPE_A };
	*aaaa = (struct question){ .name = name, .type = DNS_TYPE_AAAA };
	ares_query(resolver->channel, name, 1, a->type, on_answer, a);
	ares_query(resolver->channel, name, 1, aaaa->type, on_answer, aaaa);
	while (!a->done || !aaaa->done) {
		int64_t now = clock_ms(), left_ms;

		/* Some servers never answer for AAAA; a failover must not wait for them. */
		if ((a->done && a->answer.count > 0) || (aaaa->done && aaaa->answer.count > 0)) {
			if (half_ms == 0)
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
	case -EBADMSG: str_copy(ret, size, "the answer is malformed or not for this name"); break;
	case -ELOOP: str_copy(ret, size, "aliases go in a circle or are too many"); break;
	case -E2BIG: str_copy(ret, size, "the answer has too many records"); break;
	case -EINVAL: str_copy(ret, size, "not a valid DNS name"); break;
	default: str_copy(ret, size, strerror(-rc)); break;
	}
}

static void add(struct rds_answer *ret, const struct question *question, int64_t *ttl_s)
{
	for (int i = 0; i < question->answer.count; i++) {
		if (!answer_has(ret, &question->answer.addr[i]))
			ret->addr[ret->count++] = question->answer.addr[i];
	}
	if (question->answer.count == 0 && question->answer.links == 0)
		return; /* no record, no TTL */
	if (*ttl_s < 0 || question->answer.ttl_s < *ttl_s)
		*ttl_s = question->answer.ttl_s;
}

/*
 * Asks until there are addresses: a server that does not recurse may tell an
 * alias without them. 0 with *answer filled and the last two questions in *a and
 * *aaaa, at most one of them failed; or -errno.
 */
static int follow(struct resolver *resolver, struct rds_answer *answer, struct question *a,
                  struct question *aaaa)
{
	int64_t deadline_ms = clock_ms() + resolver->conf->dns_timeout_ms;
	char name[LIMIT_HOST];
	int64_t ttl_s = -1;
	int links = 0;

	str_copy(name, sizeof name, resolver->conf->endpoint);
	for (;;) {
		const struct question *last;

		ask_both(resolver, name, deadline_ms, a, aaaa);
		if (a->rc == 0)
			add(answer, a, &ttl_s);
		if (aaaa->rc == 0)
			add(answer, aaaa, &ttl_s);
		answer->ttl_s = ttl_s < 0 ? 0 : ttl_s;
		if (answer->count > 0)
			return 0;
		/* A family without records is no failure, but then the other one's is. */
		if (a->rc != 0 || aaaa->rc != 0)
			return a->rc != 0 ? a->rc : aaaa->rc;
		last = a->answer.links > 0 ? a : aaaa;
		if (last->answer.links == 0)
			return -ENODATA;
		links += last->answer.links;
		if (links > DNS_CHAIN)
			return -ELOOP;
		str_copy(name, sizeof name, last->answer.name);
	}
}

int resolver_ask(struct resolver *resolver, struct rds_answer *ret, char *ret_why, size_t why_size)
{
	struct rds_answer answer = { 0 };
	struct question a, aaaa;
	int rc;

	ret_why[0] = '\0';
	if (net_addr_parse(resolver->conf->endpoint, &answer.addr[0])) {
		answer.count = 1;
		answer.literal = true;
		str_copy(answer.name, sizeof answer.name, resolver->conf->endpoint);
		*ret = answer;
		return 0;
	}
	rc = channel_open(resolver);
	if (rc < 0) {
		str_copy(ret_why, why_size, "the resolver could not be set up");
		return rc;
	}
	rc = follow(resolver, &answer, &a, &aaaa);
	if (rc < 0) {
		explain(resolver, rc, ret_why, why_size);
		return rc;
	}
	str_copy(answer.name, sizeof answer.name, a.rc == 0 ? a.answer.name : aaaa.answer.name);
	if (a.rc != 0 || aaaa.rc != 0) {
		char half[64];

		answer.unknown = a.rc != 0 ? AF_INET : AF_INET6;
		explain(resolver, a.rc != 0 ? a.rc : aaaa.rc, half, sizeof half);
		snprintf(ret_why, why_size, "%s: %s", a.rc != 0 ? "IPv4" : "IPv6", half);
	}
	*ret = answer;
	return 0;
}
