/* wna-rds; pure: never blocks, owns nothing. */
#include "rds_outage.h"

#include <string.h>

void outage_init(struct outage *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->good_ms = -1;
}

void outage_restore(struct outage *outage, const struct net_addr *writer, int64_t good_ms)
{
	outage->writer = *writer;
	outage->good_ms = good_ms;
}

static struct rds_change measure(const struct outage *outage, int64_t end_ms,
                                 const struct net_addr *peer, int64_t period_ms)
{
	struct rds_change change = {
		.from = outage->writer,
		.to = *peer,
		.last_good_ms = outage->good_ms,
		.first_good_ms = end_ms,
		.max_ms = outage->good_ms < 0 ? -1 : end_ms - outage->good_ms,
		.period_ms = period_ms,
	};

	/* A single bad question started before it ended: nothing is certain then. */
	if (outage->out && outage->bad_last_ms > outage->bad_first_ms)
		change.min_ms = outage->bad_last_ms - outage->bad_first_ms;
	return change;
}

enum outage_end outage_good(struct outage *outage, int64_t start_ms, int64_t end_ms,
                            const struct net_addr *peer, int64_t period_ms, struct rds_change *ret)
{
	struct rds_change change = measure(outage, end_ms, peer, period_ms);
	enum outage_end end = outage->out ? OUTAGE_OVER : OUTAGE_NONE;

	if (outage->writer.family == 0) {
		end = OUTAGE_FIRST;
	} else if (!net_addr_equal(&outage->writer, peer)) {
		end = OUTAGE_MOVED;
		outage->previous = outage->writer;
		outage->last = change;
		outage->changes++;
	}
	outage->writer = *peer;
	outage->good_ms = start_ms;
	outage->out = false;
	if (ret != NULL && end != OUTAGE_NONE)
		*ret = change;
	return end;
}

void outage_bad(struct outage *outage, int64_t start_ms, int64_t end_ms)
{
	if (!outage->out)
		outage->bad_first_ms = end_ms;
	outage->bad_last_ms = start_ms;
	outage->out = true;
}
