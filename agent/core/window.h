/*
 * Health is a window, not the last value: a shift register of results with
 * rise and fall thresholds (the idea of Varnish's backend probe). Pure.
 */
#ifndef CORE_WINDOW_H
#define CORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
	uint32_t results; /* newest in bit 0; 1 = good */
	uint8_t filled;   /* how many of them are real, up to 32 */
	bool good;        /* the verdict of the window */
	bool proven;      /* there has been a success */
};

/*
 * `good` is the state before the first result. `proven` makes rise count from
 * the beginning, as after a restart of a core that had judged before; without
 * it the first success alone turns the window good, so that a node that boots
 * serves as soon as it can.
 */
void window_init(struct window *window, bool good, bool proven);

/* One result. rise and fall in 1..32. True if the state changed. */
bool window_put(struct window *window, bool result, int32_t rise, int32_t fall);

/* Equal results at the newest end, 0..32. */
unsigned window_run(const struct window *window);

#endif
