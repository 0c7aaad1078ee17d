/* wna-core, and the simulator. Never blocks. Owns nothing. */
#include "window.h"

enum { WINDOW_BITS = 32 };

void window_init(struct window *window, bool good, bool proven)
{
	window->results = 0;
	window->filled = 0;
	window->good = good;
	window->proven = proven;
}

unsigned window_run(const struct window *window)
{
	uint32_t bits = window->results & 1u ? window->results : ~window->results;
	unsigned run = 0;

	while (run < window->filled && (bits & 1u)) {
		run++;
		bits >>= 1;
	}
	return run;
}

bool window_put(struct window *window, bool result, int32_t rise, int32_t fall)
{
	bool before = window->good;
	int32_t run;

	window->results = window->results << 1 | (result ? 1u : 0u);
	if (window->filled < WINDOW_BITS)
		window->filled++;
	run = (int32_t)window_run(window);
	if (result && (run >= rise || !window->proven))
		window->good = true;
	else if (!result && run >= fall)
		window->good = false;
	if (result)
		window->proven = true;
	return window->good != before;
}
