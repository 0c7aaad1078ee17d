/*
 * The endpoint's name to addresses, by DNS alone: no /etc/hosts, no search
 * list, no cache of ours or the library's, so that every question reaches the
 * name server. glibc's resolver is not used here because it hides TTLs.
 */
#ifndef WNA_RDS_RESOLVE_H
#define WNA_RDS_RESOLVE_H

#include <ares.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "conf.h"
#include "net.h"

enum { RDS_ADDRESSES = 16 }; /* of one family; more is refused, not cut */

/* All addresses of the endpoint, of both families. */
struct rds_answer {
	int count; /* from 1 on */
	struct net_addr addr[2 * RDS_ADDRESSES];
	int64_t ttl_s;         /* smallest of all records used */
	bool literal;          /* the endpoint is an address; there is no TTL */
	uint16_t unknown;      /* AF_INET or AF_INET6: this family's question failed, so an
	                        * address of it can be judged neither present nor absent; 0 */
	char name[LIMIT_HOST]; /* where the chain of aliases ended */
};

struct resolver {
	const struct conf_rds *conf;
	bool open;
	ares_channel channel;
	struct {
		dev_t dev;
		ino_t ino;
		off_t size;
		struct timespec mtime;
	} file; /* the resolv.conf that `channel` was made from */
};

/* Prepares; opens nothing. 0 or -errno (no memory, for the library). */
int resolver_init(struct resolver *ret, const struct conf_rds *conf);
void resolver_fini(struct resolver *resolver);

/*
 * Asks for the endpoint's A and AAAA records. Blocks for at most
 * conf.dns_timeout_ms in all. resolv.conf is read again whenever it changed.
 *
 * 0 with *ret filled (count > 0) and `ret_why` empty, or saying which half
 * failed; otherwise -errno with the reason for people in `ret_why`.
 */
int resolver_ask(struct resolver *resolver, struct rds_answer *ret, char *ret_why, size_t why_size);

bool answer_has(const struct rds_answer *answer, const struct net_addr *addr);
/* The same set of addresses, in any order. */
bool answer_equal(const struct rds_answer *a, const struct rds_answer *b);
/* "10.16.5.149,10.16.6.137", cut after a whole address. Returns `ret`. */
char *answer_text(const struct rds_answer *answer, char *ret, size_t size);

#endif
