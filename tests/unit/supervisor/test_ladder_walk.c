/*
 * The ladder under random events: whatever happens in whatever order, no act is
 * asked for in a state that it does not fit, and never a second start while a
 * process may still be there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ladder.h"

enum { WALKS = 400, STEPS = 500, LIMIT = 5000 };

struct walk {
	struct ladder ladder;
	bool resident;
	bool alive; /* what a real child would be */
	bool headless;
	bool lingers;
	int64_t now;
};

static void event(struct walk *walk, unsigned kind, uint32_t random)
{
	struct ladder *ladder = &walk->ladder;

	switch (kind) {
	case 0: ladder_want(ladder, walk->resident && (random & 1), walk->now); break;
	case 1:
		if (!walk->resident)
			ladder_order(ladder, LIMIT, walk->now);
		break;
	case 2: ladder_restart(ladder, walk->now); break;
	case 3: ladder_leave(ladder, random % 4000, walk->now); break;
	case 4:
	case 5: ladder_alive(ladder, walk->now); break;
	case 6:
		if (walk->alive && !walk->headless) {
			/* A dead leader may leave a group that is tidying up. */
			walk->lingers = (random & 1) && ladder_lingers(ladder, walk->now);
			if (walk->lingers)
				break;
			ladder_headless(ladder, walk->now);
			walk->headless = true;
		}
		break;
	case 7:
		if (walk->alive && walk->headless) {
			ladder_gone(ladder, random & 1 ? LADDER_END_REOPEN : LADDER_END_ORDINARY,
			            walk->now, random);
			walk->alive = walk->headless = walk->lingers = false;
		}
		break;
	case 8: ladder_fail(ladder, walk->now + random % 3000); break;
	default: break;
	}
}

static void act(struct walk *walk, enum ladder_act what, uint32_t random)
{
	if (what != LADDER_START) {
		assert_true(walk->alive);
		assert_int_equal(what == LADDER_LOOK && !walk->headless && !walk->lingers, 0);
		assert_int_equal(what == LADDER_TERM && walk->headless, 0);
		return;
	}
	assert_false(walk->alive);
	walk->alive = random & 1;
	if (walk->alive)
		ladder_started(&walk->ladder, walk->now);
	else
		ladder_not_started(&walk->ladder, walk->now, random);
}

static void random_walks_keep_the_rules(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (unsigned n = 0; n < WALKS; n++) {
		struct walk walk = { .resident = n & 1 };

		ladder_init(&walk.ladder, walk.resident, n & 2, LIMIT);
		for (int step = 0; step < STEPS; step++) {
			enum ladder_act what;

			seed = seed * 1664525 + 1013904223;
			walk.now += (seed >> 8) % 1500;
			event(&walk, seed >> 28, seed >> 4);
			while ((what = ladder_tick(&walk.ladder, walk.now)) != LADDER_WAIT)
				act(&walk, what, seed >> 9);
			assert_int_equal(ladder_occupied(&walk.ladder), walk.alive);
			assert_true(ladder_next(&walk.ladder) > walk.now);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walks_keep_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
