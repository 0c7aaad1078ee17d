/* Every process; never blocks; owns nothing. */
#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

char *clock_iso8601(int64_t wall_ms, char *ret, size_t size)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (size == 0)
		return ret;
	ret[0] = '\0';
	if (wall_ms < 0 || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > 9999)
		return ret;
	if (strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		ret[0] = '\0';
	return ret;
}

char *clock_span(int64_t span_ms, char *ret, size_t size)
{
	int64_t s = span_ms < 0 ? 0 : span_ms / 1000;

	if (span_ms < 0)
		span_ms = 0;
	if (s < 10)
		snprintf(ret, size, "%" PRId64 ".%" PRId64 " s", s, span_ms % 1000 / 100);
	else if (s < 60)
		snprintf(ret, size, "%" PRId64 " s", s);
	else if (s < 3600)
		snprintf(ret, size, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret, size, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
	else
		snprintf(ret, size, "%" PRId64 " d %" PRId64 " h", s / 86400, s % 86400 / 3600);
	return ret;
}

int64_t clock_jitter(int64_t period_ms, unsigned percent, uint32_t random)
{
	int64_t reach, moved;

	if (percent > 100)
		percent = 100;
	if (period_ms < 1)
		return 1;
	reach = period_ms / 100 * percent + period_ms % 100 * percent / 100;
	/* -reach .. +reach, evenly enough for spreading a fleet */
	moved = period_ms - reach + (int64_t)((uint64_t)random % ((uint64_t)reach * 2 + 1));
	return moved < 1 ? 1 : moved;
}

int64_t clock_backoff(unsigned attempt, int64_t base_ms, int64_t cap_ms, uint32_t random)
{
	int64_t span = base_ms < 1 ? 1 : base_ms;
	int64_t half;

	while (attempt-- > 0 && span < cap_ms)
		span = span > INT64_MAX / 2 ? cap_ms : span * 2;
	if (span > cap_ms)
		span = cap_ms < 1 ? 1 : cap_ms;
	half = span / 2;
	span = half + (int64_t)((uint64_t)random % ((uint64_t)(span - half) + 1));
	return span < 1 ? 1 : span;
}

uint32_t clock_random(void)
{
	uint32_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
		bits = (uint32_t)(read_us(CLOCK_MONOTONIC) * 2654435761u);
	return bits;
}
