/* Run by wna-cloud; never blocks; owns nothing but its struct. */
#include "skew.h"

static int64_t magnitude(int64_t ms)
{
	return ms < 0 ? -ms : ms;
}

bool skew_turn(struct skew *skew, int64_t now_ms, int64_t wall_ms, uint32_t random)
{
	int64_t offset = wall_ms - now_ms;
	int64_t step = skew->started ? offset - skew->offset_ms : 0;
	bool stepped = !skew->started || magnitude(step) >= SKEW_STEP_MS;

	/* Followed all the time: a clock that is slewed towards the truth moves a
	 * little each turn and must not look like a step in the end. */
	skew->offset_ms = offset;
	if (!stepped)
		return false;
	skew->started = true;
	skew->step_ms = step;
	skew->known = false;
	skew->ms = 0;
	skew->era = (int64_t)random << 20 | (wall_ms / 1000 & 0xfffff);
	return true;
}

int64_t skew_true_ms(const struct skew *skew, int64_t wall_ms)
{
	return wall_ms + skew->ms;
}

int64_t skew_learn(struct skew *skew, int64_t date_ms, int64_t sent_ms, int64_t took_ms)
{
	int64_t before = skew->ms;
	int64_t found;

	if (date_ms <= 0)
		return 0;
	/* Date is cut to the second: half a second is the best guess of the rest. */
	found = date_ms + 500 - (sent_ms + took_ms / 2);
	skew->known = true;
	if (magnitude(found) < SKEW_STEP_MS + took_ms / 2)
		found = 0;
	/* Around a known skew the same uncertainty is no news. */
	if (found != 0 && magnitude(found - before) < SKEW_STEP_MS + took_ms / 2)
		return 0;
	skew->ms = found;
	return found - before;
}
