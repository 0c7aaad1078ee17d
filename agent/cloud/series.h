/*
 * From samples to data: the samples of one push window become the Values and
 * Counts of one CloudWatch datum (API_MetricDatum: at most 150 unique values).
 * Windows are aligned to multiples of the push period on the wall clock as AWS
 * has it, and a datum's Timestamp is its window's start.
 */
#ifndef CLOUD_SERIES_H
#define CLOUD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

enum {
	DATUM_VALUES_MAX = 150,
	DATUM_PACKED_MAX = DATUM_VALUES_MAX * 4,
};

struct datum {
	int64_t at_ms; /* start of the window, Unix ms */
	unsigned count;
	struct datum_value {
		uint16_t permille; /* 0..1000, ascending, unique: tenths of a percent */
		uint16_t weight;   /* how many seconds had it; at least 1 */
	} value[DATUM_VALUES_MAX];
};

/*
 * The values as they lie in the queue: big-endian pairs (permille, weight).
 * datum_unpack checks everything datum_pack guarantees (size, range, order) and
 * leaves at_ms alone; false leaves *ret untouched.
 */
size_t datum_pack(const struct datum *datum, uint8_t ret[DATUM_PACKED_MAX]);
bool datum_unpack(const void *packed, size_t len, struct datum *ret);

/* The one open window. */
struct series {
	int64_t push_ms;
	struct datum open; /* count 0: none */
};

void series_init(struct series *series, int64_t push_ms);

/* Whether a sample whose middle lies at `at_ms` (Unix ms) belongs to the open
 * window; true if no window is open. */
bool series_fits(const struct series *series, int64_t at_ms);

/*
 * Adds a sample; the caller has closed a window it does not fit. A late sample
 * of k seconds counts k times (rounded, at least once), but never more than its
 * window has seconds: a node that was stopped for an hour must not outweigh a
 * fleet that was not.
 */
void series_add(struct series *series, int64_t at_ms, const struct cpu_sample *sample);

/* Closes the open window. False if there is none, or nothing in it. */
bool series_close(struct series *series, struct datum *ret);

#endif
