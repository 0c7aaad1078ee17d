/* Every process; never blocks; owns nothing. */
#include "trend.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum {
	FINE = 128, /* steps from one power of two to the next */
	CODE_MAX = 64 * 64 - 1,
};

_Static_assert((int)TREND_POINTS * 2 < (int)LIMIT_FACT_WHY, "the text fits into a fact");

/* 0 is no value. Up to 255 a value is exact; above it has eight significant bits. */
static uint16_t encode(int64_t value)
{
	int64_t code, shift = 0;

	while (value >> shift >= 2 * FINE)
		shift++;
	code = 1 + shift * FINE + (value >> shift);
	return (uint16_t)(code < CODE_MAX ? code : CODE_MAX);
}

/* The least value that has this code. */
static int64_t decode(int64_t code)
{
	int64_t shift = (code - 1) / FINE - 1;

	return shift < 1 ? code - 1 : (code - 1 - shift * FINE) << shift;
}

static void push(struct trend *trend, uint16_t point)
{
	memmove(trend->point, trend->point + 1, sizeof trend->point - sizeof trend->point[0]);
	trend->point[TREND_POINTS - 1] = point;
}

bool trend_add(struct trend *trend, int64_t now_ms, int64_t value)
{
	int64_t minute = now_ms / TREND_MINUTE_MS;
	bool moved = trend->count > 0 && minute > trend->minute;

	if (moved) {
		push(trend, encode(trend->mean ? trend->sum / trend->count : trend->largest));
		for (int i = 0; i < TREND_POINTS && ++trend->minute < minute; i++)
			push(trend, 0);
	}
	if (moved || trend->count == 0)
		trend->count = trend->sum = trend->largest = 0;
	trend->minute = minute;
	trend->count++;
	trend->sum += value;
	if (value > trend->largest)
		trend->largest = value;
	return moved;
}

void trend_text(const struct trend *trend, char *ret)
{
	for (int i = 0; i < TREND_POINTS; i++) {
		*ret++ = digits[trend->point[i] / 64];
		*ret++ = digits[trend->point[i] % 64];
	}
	*ret = '\0';
}

/* -1: not of the alphabet. */
static int digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

void trend_parse(const char *text, int64_t *ret)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < TREND_POINTS; i++) {
		int high = 2 * i < len ? digit(text[2 * i]) : -1;
		int low = 2 * i + 1 < len ? digit(text[2 * i + 1]) : -1;

		ret[i] = high < 0 || low < 0 || high + low == 0 ? -1 : decode(high * 64 + low);
	}
}
