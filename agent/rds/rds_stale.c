/* wna-rds; pure. */
#include "rds_watch.h"

static void declare(struct stale *stale, const struct net_addr *addr, enum rds_stale reason,
                    int64_t now)
{
	stale->number++;
	stale->addr = *addr;
	stale->reason = reason;
	stale->at_ms = now;
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
	struct stale *stale = &watch->stale;

	if (stale->silent.family == 0)
		return;
	if (was_silent(watch, sample) && answer_has(&watch->answer, &stale->silent))
		declare(stale, &stale->silent, RDS_STALE_SILENT, sample->end_ms);
	else
		stale->silent.family = 0;
}

void stale_answered(struct watch *watch, int64_t now)
{
	const struct outage *outage = &watch->outage;
	const struct net_addr *from = &outage->moved.from;
	struct stale *stale = &watch->stale;

	if (watch->state != RDS_WRITABLE || outage->changes == stale->change)
		return;
	/* The question for its family failed: whether the name still has it is not known yet. */
	if (from->family == watch->answer.unknown)
		return;
	stale->change = outage->changes;
	/* A server that has not failed, or that the name still has, serves as before: its address is
	 * one of several that change places. */
	if (!outage->moved_out || answer_has(&watch->answer, from))
		return;
	declare(stale, from, RDS_STALE_FORMER, now);
}
