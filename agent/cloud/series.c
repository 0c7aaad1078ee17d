/* Run by wna-cloud; never blocks; owns nothing but its struct. */
#include "series.h"

#include <assert.h>
#include <string.h>

/* Windows are at most 60 s long and samples at least 250 ms apart, one a second. */
_Static_assert(DATUM_VALUES_MAX >= 2 * 60, "a window of 60 s must fit twice");

size_t datum_pack(const struct datum *datum, uint8_t ret[DATUM_PACKED_MAX])
{
	uint8_t *at = ret;

	assert(datum->count <= DATUM_VALUES_MAX);
	for (unsigned i = 0; i < datum->count; i++) {
		const struct datum_value *v = &datum->value[i];

		*at++ = (uint8_t)(v->permille >> 8);
		*at++ = (uint8_t)v->permille;
		*at++ = (uint8_t)(v->weight >> 8);
		*at++ = (uint8_t)v->weight;
	}
	return (size_t)(at - ret);
}

bool datum_unpack(const void *packed, size_t len, struct datum *ret)
{
	const uint8_t *at = packed;
	struct datum datum = { .at_ms = ret->at_ms };

	if (len == 0 || len > DATUM_PACKED_MAX || len % 4 != 0)
		return false;
	for (; datum.count < len / 4; datum.count++, at += 4) {
		struct datum_value *v = &datum.value[datum.count];

		v->permille = (uint16_t)(at[0] << 8 | at[1]);
		v->weight = (uint16_t)(at[2] << 8 | at[3]);
		if (v->permille > 1000 || v->weight == 0)
			return false;
		if (datum.count > 0 && v->permille <= v[-1].permille)
			return false;
	}
	*ret = datum;
	return true;
}

static int64_t window_start(int64_t at_ms, int64_t push_ms)
{
	int64_t start = at_ms / push_ms * push_ms;

	return start > at_ms ? start - push_ms : start;
}

void series_init(struct series *series, int64_t push_ms)
{
	*series = (struct series){ .push_ms = push_ms };
}

bool series_fits(const struct series *series, int64_t at_ms)
{
	if (series->open.count == 0)
		return true;
	/* Full cannot happen to a window of a steady clock; a clock that is slewed
	 * hard gets two data for it, which are both true. */
	return window_start(at_ms, series->push_ms) == series->open.at_ms &&
	       series->open.count < DATUM_VALUES_MAX;
}

static uint16_t weight_of(int64_t span_ms, int64_t push_ms)
{
	int64_t weight = (span_ms + 500) / 1000;

	if (weight > push_ms / 1000)
		weight = push_ms / 1000;
	return (uint16_t)(weight < 1 ? 1 : weight);
}

void series_add(struct series *series, int64_t at_ms, const struct cpu_sample *sample)
{
	struct datum *open = &series->open;
	uint16_t weight = weight_of(sample->span_ms, series->push_ms);
	unsigned i = 0;

	assert(series_fits(series, at_ms));
	assert(sample->permille <= 1000);
	if (open->count == 0)
		open->at_ms = window_start(at_ms, series->push_ms);
	while (i < open->count && open->value[i].permille < sample->permille)
		i++;
	if (i < open->count && open->value[i].permille == sample->permille) {
		unsigned sum = (unsigned)open->value[i].weight + weight;

		open->value[i].weight = (uint16_t)(sum > UINT16_MAX ? UINT16_MAX : sum);
		return;
	}
	memmove(&open->value[i + 1], &open->value[i], (open->count - i) * sizeof(open->value[0]));
	open->value[i] = (struct datum_value){
		.permille = (uint16_t)sample->permille,
		.weight = weight,
	};
	open->count++;
}

bool series_close(struct series *series, struct datum *ret)
{
	if (series->open.count == 0)
		return false;
	*ret = series->open;
	series->open.count = 0;
	return true;
}
