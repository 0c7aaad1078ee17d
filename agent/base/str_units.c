/* wnactl and the simulator; never blocks; owns nothing. Durations and sizes with their units. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

/* The digits at the start of `text` as a number; sets *ret_end behind them. */
static bool leading_number(const char *text, int64_t *ret, const char **ret_end)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno)
		return false;
	*ret = value;
	*ret_end = end;
	return true;
}

static bool scaled(int64_t value, int64_t unit, int64_t *ret)
{
	int64_t product;

	if (__builtin_mul_overflow(value, unit, &product))
		return false;
	*ret = product;
	return true;
}

bool str_duration_ms(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {
		{ "", 1000 },     { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
		{ "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	const char *unit;
	int64_t value;

	if (!leading_number(text, &value, &unit))
		return false;
	while (*unit == ' ')
		unit++;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(unit, units[i].unit) == 0)
			return scaled(value, units[i].ms, ret_ms);
	}
	return false;
}

bool str_bytes(const char *text, int64_t *ret_bytes)
{
	const char *unit;
	int64_t value, factor = 1;

	if (!leading_number(text, &value, &unit))
		return false;
	while (*unit == ' ')
		unit++;
	switch (*unit) {
	case 'k':
	case 'K':
		factor = 1024;
		unit++;
		break;
	case 'M':
		factor = 1024 * 1024;
		unit++;
		break;
	case 'G':
		factor = 1024 * 1024 * 1024;
		unit++;
		break;
	case 'T':
		factor = 1024LL * 1024 * 1024 * 1024;
		unit++;
		break;
	}
	if (factor > 1 && strcmp(unit, "iB") == 0)
		unit += 2;
	else if (strcmp(unit, "B") == 0)
		unit++;
	return *unit == '\0' && scaled(value, factor, ret_bytes);
}
