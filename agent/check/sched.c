/*
 * Run by wna-check. Blocks on nothing, owns nothing; pure (see sched.h).
 */
#include "sched.h"

#include <assert.h>
#include <string.h>

#include "clock.h"

void sched_init(struct sched *ret, const struct conf_checks *conf, int64_t now)
{
	memset(ret, 0, sizeof *ret);
	assert(conf->count >= 0 && conf->count <= LIMIT_CHECKS);
	ret->count = conf->count;
	for (int i = 0; i < ret->count; i++) {
		ret->item[i].interval_ms = conf->item[i].interval_ms;
		ret->item[i].timeout_ms = conf->item[i].timeout_ms;
		ret->item[i].next_ms = now;
	}
}

int sched_due(const struct sched *sched, int64_t now)
{
	int best = -1;

	for (int i = 0; i < sched->count; i++) {
		const struct sched_item *item = &sched->item[i];

		if (item->running || item->next_ms > now)
			continue;
		if (best < 0 || item->next_ms < sched->item[best].next_ms)
			best = i;
	}
	return best;
}

int64_t sched_next(const struct sched *sched)
{
	int64_t next = INT64_MAX;

	for (int i = 0; i < sched->count; i++)
		if (!sched->item[i].running && sched->item[i].next_ms < next)
			next = sched->item[i].next_ms;
	return next;
}

void sched_start(struct sched *sched, int i, int64_t now)
{
	assert(i >= 0 && i < sched->count && !sched->item[i].running);
	sched->item[i].running = true;
	sched->item[i].start_ms = now;
}

bool sched_late(const struct sched *sched, int i, int64_t now)
{
	assert(i >= 0 && i < sched->count && sched->item[i].running);
	return now - sched->item[i].start_ms > sched->item[i].timeout_ms + SCHED_LATE_MS;
}

void sched_done(struct sched *sched, int i, bool good, int64_t now, uint32_t random)
{
	struct sched_item *item;
	int64_t period;

	assert(i >= 0 && i < sched->count && sched->item[i].running);
	item = &sched->item[i];
	item->running = false;
	if (good)
		item->succeeded = true;
	period = item->interval_ms;
	if (!item->succeeded && period > SCHED_FIRST_MS)
		period = SCHED_FIRST_MS;
	item->next_ms = item->start_ms + clock_jitter(period, SCHED_JITTER_PERCENT, random);
	if (item->next_ms < now)
		item->next_ms = now;
}

void sched_void(struct sched *sched, int i, int64_t now)
{
	assert(i >= 0 && i < sched->count && sched->item[i].running);
	sched->item[i].running = false;
	sched->item[i].next_ms = now;
}
