/* Run by wna-check. Blocks on nothing, owns nothing; pure. */
#include "check.h"

static void decide(struct check_window *window, enum check_state state)
{
	window->state = state;
	window->decided = true;
}

void check_window_put(struct check_window *window, bool good, int32_t rise, int32_t fall)
{
	if (window->last != good)
		window->run = 0;
	if (window->run < CHECK_RUN_MAX)
		window->run++;
	window->last = good;
	if (good && (window->run >= rise || !window->proven))
		decide(window, CHECK_GOOD);
	else if (!good && window->run >= fall)
		decide(window, CHECK_BAD);
	window->proven |= good;
}
