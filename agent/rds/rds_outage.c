/* wna-rds; pure. */
#include "rds_watch.h"

#include <string.h>

void outage_init(struct outage *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->good_ms = ret->bad_first_ms = -1;
}

bool outage_good(struct outage *outage, const struct rds_sample *sample,
                 const struct net_addr *peer, int64_t period_ms, struct rds_change *ret)
{
	bool was_out = outage->bad_first_ms >= 0, known = outage->writer.family != 0;
	bool moved = known && !net_addr_equal(&outage->writer, peer);
	struct rds_change change = {
		.from = outage->writer,
		.to = *peer,
		.last_good_wall_ms = -1,
		.first_good_wall_ms = sample->end_wall_ms,
		.max_ms = -1,
		.period_ms = period_ms,
	};

	if (outage->good_ms >= 0) {
		change.max_ms = sample->end_ms - outage->good_ms;
		change.last_good_wall_ms = sample->end_wall_ms - change.max_ms;
	}
	/* One bad question proves no length: its start (bad_last_ms) is before its end. */
	if (was_out && outage->bad_last_ms > outage->bad_first_ms)
		change.min_ms = outage->bad_last_ms - outage->bad_first_ms;
	outage->writer = *peer;
	outage->good_ms = sample->start_ms;
	outage->bad_first_ms = -1;
	if (moved) {
		outage->moved = change;
		outage->changes++;
	}
	if (!moved && (!known || !was_out))
		return false;
	*ret = change;
	return true;
}

void outage_bad(struct outage *outage, int64_t start_ms, int64_t end_ms)
{
	if (outage->bad_first_ms < 0)
		outage->bad_first_ms = end_ms;
	outage->bad_last_ms = start_ms;
}
