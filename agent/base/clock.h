/*
 * The two clocks. Decisions use monotonic time, which is read once per turn of a loop and
 * passed down as `now_ms`. Wall-clock time is for signatures, timestamps and people. The unit
 * is the millisecond, as int64_t.
 */
#ifndef WNA_CLOCK_H
#define WNA_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds. Never fails, never goes backwards. */
int64_t clock_ms(void);

/* CLOCK_MONOTONIC in microseconds, for measuring round trips. */
int64_t clock_us(void);

/* Unix time (UTC) in milliseconds; may jump either way. */
int64_t clock_wall_ms(void);

/* "2026-11-23T08:15:30Z" of a Unix time in ms, into at least 21 bytes.
 * Years outside 1970..9999 give an empty text. Returns `ret`. */
char *clock_iso8601(int64_t wall_ms, char *ret, size_t size);

/* A duration as people read it: "0.4 s", "38 s", "4 min 10 s", "2 h 5 min", "3 d 4 h".
 * Negative durations count as 0. Returns `ret`. */
char *clock_span(int64_t span_ms, char *ret, size_t size);

/*
 * `period_ms`, longer or shorter by up to `percent` (0..100) of it: machines that have booted
 * together must not act together. `random` is any 32 random bits. At least 1.
 */
int64_t clock_jitter(int64_t period_ms, unsigned percent, uint32_t random);

/*
 * Exponential back-off: base * 2^attempt, at most `cap_ms`, of which half is
 * fixed and half random ("equal jitter"). attempt counts from 0; result is at
 * least base_ms / 2 and at least 1.
 */
int64_t clock_backoff(unsigned attempt, int64_t base_ms, int64_t cap_ms, uint32_t random);

/* 32 random bits (getrandom; falls back to the clock if that fails). */
uint32_t clock_random(void);

#endif
