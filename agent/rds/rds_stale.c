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

/* A server that has not failed serves as before: its address is one of several that change places. */
static void take_change(struct watch *watch, int64_t now)
{
	const struct outage *outage = &watch->outage;
	struct stale *stale = &watch->stale;

	stale->change = outage->changes;
	stale->former = outage->moved.from;
	if (!outage->moved_out)
		stale->former.family = 0;
	stale->sure = outage->moved_sure;
	/* The present answer may be the first that lacks it. */
	stale->absence = (struct absence){ 0 };
	if (answer_lacks(&watch->answer, &stale->former))
		stale->absence.away_ms = now + watch->answer.ttl_s * 1000;
	stale->other = stale->present;
	if (net_addr_equal(&stale->other, &stale->former))
		stale->other.family = 0;
	stale->present.family = 0;
}

void stale_answered(struct watch *watch, int64_t now)
{
	const struct rds_answer *answer = &watch->answer;
	struct stale *stale = &watch->stale;

	if (watch->state != RDS_WRITABLE)
		return;
	if (stale->change != watch->outage.changes)
		take_change(watch, now);
	if (answer_has(answer, &watch->peer))
		stale->present = twin_of(answer, &watch->peer);
	if (stale->former.family == 0 || !answer_lacks(answer, &stale->former) ||
	    !(stale->absence.twice || (stale->sure && answer_replaced(answer, &stale->former))))
		return;
	if (!answer_replaced(answer, &stale->other))
		stale->other.family = 0;
	declare(stale, &stale->former, &stale->other, RDS_STALE_FORMER, now);
	stale->former.family = 0;
}
