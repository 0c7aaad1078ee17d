/* Run by wna-check. Blocks on nothing, owns nothing; pure. */
#include "check.h"

#include <assert.h>
#include <string.h>

#include "clock.h"

void check_sched_init(struct check_sched *ret, const struct conf_checks *conf, int64_t now_ms)
{
	memset(ret, 0, sizeof *ret);
	assert(conf->count >= 0 && conf->count <= LIMIT_CHECKS);
	ret->count = conf->count;
	for (int i = 0; i < ret->count; i++) {
		ret->item[i].interval_ms = conf->item[i].interval_ms;
		ret->item[i].timeout_ms = conf->item[i].timeout_ms;
		ret->item[i].next_ms = now_ms;
	}
}

int check_sched_due(const struct check_sched *sched, int64_t now_ms)
{
	int due = -1;

	for (int i = 0; i < sched->count; i++) {
		const struct check_turn *item = &sched->item[i];

		if (item->running || item->next_ms > now_ms)
			continue;
		if (due < 0 || item->next_ms < sched->item[due].next_ms)
			due = i;
	}
	return due;
}

int64_t check_sched_next(const struct check_sched *sched)
{
	int64_t next = INT64_MAX;

	for (int i = 0; i < sched->count; i++)
		if (!sched->item[i].running && sched->item[i].next_ms < next)
			next = sched->item[i].next_ms;
	return next;
}

void check_sched_start(struct check_sched *sched, int i, int64_t now_ms)
{
	assert(i >= 0 && i < sched->count && !sched->item[i].running);
	sched->item[i].running = true;
	sched->item[i].start_ms = now_ms;
}

bool check_sched_late(const struct check_sched *sched, int i, int64_t now_ms)
{
	assert(i >= 0 && i < sched->count && sched->item[i].running);
	return now_ms - sched->item[i].start_ms > sched->item[i].timeout_ms + CHECK_LATE_MS;
}

void check_sched_done(struct check_sched *sched, int i, bool good, int64_t now_ms, uint32_t random)
{
	struct check_turn *item;
	int64_t period_ms;

	assert(i >= 0 && i < sched->count && sched->item[i].running);
	item = &sched->item[i];
	item->running = false;
	if (good)
		item->succeeded = true;
	period_ms = item->interval_ms;
	if (!item->succeeded && period_ms > CHECK_FIRST_MS)
		period_ms = CHECK_FIRST_MS;
	item->next_ms = item->start_ms + clock_jitter(period_ms, CHECK_JITTER_PERCENT, random);
	if (item->next_ms < now_ms)
		item->next_ms = now_ms;
}

void check_sched_void(struct check_sched *sched, int i, int64_t now_ms)
{
	assert(i >= 0 && i < sched->count && sched->item[i].running);
	sched->item[i].running = false;
	sched->item[i].next_ms = now_ms;
}
