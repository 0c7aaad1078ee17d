/* wna-rds; pure. */
#include "rds_watch.h"

static void declare(struct stale *stale, const struct net_addr *addr, const struct net_addr *twin,
                    enum rds_stale reason, int64_t now)
{
	stale->number++;
	stale->addr = *addr;
	stale->twin = *twin;
	stale->reason = reason;
	stale->at_ms = now;
}

/* The server's address of the other family, which the node's programs may use: the only one that the
 * name has. Of several addresses, none is known to be this server's. */
static struct net_addr twin_of(const struct rds_answer *answer, const struct net_addr *peer)
{
	struct net_addr twin = { .family = 0 };
	int count = 0;

	for (int i = 0; i < answer->count; i++) {
		if (answer->addr[i].family != peer->family) {
			twin = answer->addr[i];
			count++;
		}
	}
	return count == 1 ? twin : (struct net_addr){ .family = 0 };
}

/* The name has another address of its family, and no longer this one. An answer without that family
 * proves nothing: it may be empty for a moment, while the address stands before both servers. */
static bool is_replaced(const struct rds_answer *answer, const struct net_addr *addr)
{
	bool other = false;

	for (int i = 0; i < answer->count; i++)
		other = other || answer->addr[i].family == addr->family;
	return other && !answer_has(answer, addr);
}

/* A refusal or an RST comes at once; then no connection to the server waits either. */
static bool was_silent(const struct watch *watch, const struct rds_sample *sample)
{
	return sample->end_ms - sample->start_ms >= watch->conf->timeout_ms;
}

void stale_connected(struct watch *watch)
{
	watch->stale.silent.family = 0;
}

void stale_lost(struct watch *watch, const struct rds_sample *sample)
{
	watch->stale.silent.family = 0;
	if (was_silent(watch, sample))
		watch->stale.silent = watch->peer;
}

void stale_refused(struct watch *watch, const struct rds_sample *sample)
{
	const struct net_addr none = { .family = 0 };
	struct stale *stale = &watch->stale;

	/* The way to its address of the other family may be well. */
	if (stale->silent.family == 0)
		return;
	if (was_silent(watch, sample) && answer_has(&watch->answer, &stale->silent))
		declare(stale, &stale->silent, &none, RDS_STALE_SILENT, sample->end_ms);
	else
		stale->silent.family = 0;
}

void stale_answered(struct watch *watch, int64_t now)
{
	const struct outage *outage = &watch->outage;
	const struct net_addr *from = &outage->moved.from;
	struct stale *stale = &watch->stale;
	struct net_addr twin = stale->present;

	if (watch->state != RDS_WRITABLE)
		return;
	if (outage->changes == stale->change) {
		if (answer_has(&watch->answer, &watch->peer))
			stale->present = twin_of(&watch->answer, &watch->peer);
		return;
	}
	/* The question for its family failed: whether the name still has it is not known yet. */
	if (from->family == watch->answer.unknown)
		return;
	stale->change = outage->changes;
	/* A server that has not failed, or that the name still has, serves as before: its address is
	 * one of several that change places. */
	if (!outage->moved_out || answer_has(&watch->answer, from))
		return;
	if (!is_replaced(&watch->answer, &twin))
		twin.family = 0;
	declare(stale, from, &twin, RDS_STALE_FORMER, now);
}
