/* wna-rds; pure. */
#include "rds_watch.h"

#include <string.h>

void outage_init(struct outage *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->good_ms = ret->bad_first_ms = ret->named_ms = -1;
}

static int64_t wall(int64_t ms, int64_t offset_ms)
{
	return ms < 0 ? -1 : ms + offset_ms;
}

static void count_up(struct outage *outage, const struct rds_sample *sample)
{
	int64_t offset_ms = sample->end_wall_ms - sample->end_ms;

	outage->up[RDS_UP_IMPACT_MS] = wall(outage->good_ms, offset_ms);
	outage->up[RDS_UP_DETECTED_MS] = wall(outage->bad_first_ms, offset_ms);
	outage->up[RDS_UP_NAMED_MS] = wall(outage->named_ms, offset_ms);
	outage->up[RDS_UP_WRITABLE_MS] = sample->end_wall_ms;
	outage->ups++;
}

bool outage_good(struct outage *outage, const struct rds_sample *sample,
                 const struct net_addr *peer, int64_t period_ms, struct rds_change *ret)
{
	bool was_out = outage->bad_first_ms >= 0, known = outage->writer.family != 0;
	bool moved = known && !net_addr_equal(&outage->writer, peer), sure = outage_sure(outage);
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
	/* A session that was lost alone, and opened again at once, is no outage of the database. */
	if (known && was_out && (moved || outage->down || outage->read_only))
		count_up(outage, sample);
	outage->writer = *peer;
	outage->good_ms = sample->start_ms;
	outage->bad_first_ms = outage->named_ms = -1;
	outage->down = outage->read_only = outage->silent = false;
	if (moved) {
		outage->moved = change;
		outage->moved_out = was_out;
		outage->moved_sure = sure;
		outage->changes++;
	}
	if (!moved && (!known || !was_out))
		return false;
	*ret = change;
	return true;
}

void outage_moved(struct outage *outage, const struct rds_change *change)
{
	outage->moved = *change;
	outage->moved_out = outage->moved_sure = true;
	outage->changes++;
}

bool outage_sure(const struct outage *outage)
{
	return outage->down || outage->read_only || outage->silent;
}

void outage_down(struct outage *outage)
{
	if (outage->writer.family == 0 || outage->bad_first_ms < 0 || outage->down)
		return;
	outage->down = true;
	outage->down_addr = outage->writer;
	outage->downs++;
}

void outage_bad(struct outage *outage, int64_t start_ms, int64_t end_ms)
{
	if (outage->bad_first_ms < 0)
		outage->bad_first_ms = end_ms;
	outage->bad_last_ms = start_ms;
}
