/* The simulator. Never blocks, reads no clock. */
#include "world_mount.h"

#include <errno.h>
#include <string.h>

#include "str.h"
#include "world.h"

enum { CHILD_MS = 50, KILLED_BY_SEGV = 128 + 11 };

void world_mount_start(struct world *world)
{
	struct world_mount *mount = &world->mount;

	if (!world->conf->mount.enabled)
		return;
	mount->lives = true;
	/* Another process remembers nothing of what was said before. */
	for (unsigned i = 0; i < world->count; i++) {
		if (fact_info(world->said[i].id)->owner == ROLE_MOUNT)
			world->said[i].type = 0;
	}
	mount->mount_ends_ms = mount->probe_ends_ms = mount->answers_ms = INT64_MAX;
	keeper_init(&mount->keeper, &world->conf->mount, 1, world->now_ms);
}

void world_mount_put(struct world *world, const struct keeper_look *there)
{
	world->mount.there = *there;
	keeper_event(&world->mount.keeper);
}

void world_mount_free(struct world *world)
{
	struct world_mount *mount = &world->mount;

	if (mount->keeper.attempt.state == KEEPER_STUCK)
		mount->mount_ends_ms = world->now_ms;
	if (mount->keeper.probe.state == KEEPER_STUCK)
		mount->probe_ends_ms = world->now_ms;
}

static void put_shot(struct world *world, const struct world_oneshot *shot)
{
	struct keeper_look look = { .state = (enum mount_state)shot->value, .id = shot->id };

	if (look.state == MOUNT_ABSENT)
		return;
	str_copy(look.mark, sizeof look.mark, shot->mark);
	str_copy(look.why, sizeof look.why, shot->why);
	world_mount_put(world, &look);
}

static void end_attempt(struct world *world)
{
	struct world_mount *mount = &world->mount;
	const struct world_oneshot *shot = &mount->mounting;
	bool given = shot->answer == ANSWER_GIVEN && mount->keeper.attempt.state == KEEPER_RUNNING;

	mount->mount_ends_ms = INT64_MAX;
	keeper_guarded(&mount->keeper);
	if (given && !mount->keeper.guarding)
		put_shot(world, shot);
	keeper_ended(&mount->keeper,
	             !given                        ? KILLED_BY_SEGV
	             : shot->value == MOUNT_ABSENT ? 1
	                                           : 0,
	             given && shot->value == MOUNT_ABSENT ? shot->why : "");
}

static void answer(struct world *world)
{
	struct world_mount *mount = &world->mount;
	const struct world_oneshot *shot = &mount->probing;

	mount->answers_ms = INT64_MAX;
	if (shot->id != mount->keeper.look.id)
		keeper_signed(&mount->keeper, -ENODEV, "the path leads to another mount",
		              world->now_ms);
	else
		keeper_signed(&mount->keeper, shot->value, shot->why, world->now_ms);
}

/* When a child that does this ends, or answers, if it is left alone. */
static int64_t due_ms(const struct world *world, enum world_answer what)
{
	return what == ANSWER_GIVEN || what == ANSWER_DIES ? world->now_ms + CHILD_MS : INT64_MAX;
}

static void begin_probe(struct world *world)
{
	struct world_mount *mount = &world->mount;

	mount->probing = mount->probe;
	mount->probes++;
	if (mount->probing.answer == ANSWER_DIES)
		mount->probe_ends_ms = world->now_ms + CHILD_MS;
	else
		mount->answers_ms = due_ms(world, mount->probing.answer);
}

static void act(struct world *world, enum keeper_act what)
{
	struct world_mount *mount = &world->mount;
	struct msg msg;

	switch (what) {
	case KEEPER_LOOK: keeper_looked(&mount->keeper, &mount->there, world->now_ms); break;
	case KEEPER_SAY:
		keeper_report(&mount->keeper, world->now_ms, &msg);
		world_say(world, &msg);
		break;
	case KEEPER_MOUNT:
		mount->attempts++;
		mount->mounting = mount->mount;
		mount->mount_ends_ms = due_ms(world, mount->mounting.answer);
		break;
	case KEEPER_GUARD: mount->mount_ends_ms = world->now_ms + CHILD_MS; break;
	case KEEPER_KILL:
		if (mount->mounting.answer != ANSWER_STUCK)
			mount->mount_ends_ms = world->now_ms + CHILD_MS;
		break;
	case KEEPER_PROBE_ASK: begin_probe(world); break;
	case KEEPER_PROBE_KILL:
		mount->answers_ms = INT64_MAX;
		if (mount->probing.answer != ANSWER_STUCK)
			mount->probe_ends_ms = world->now_ms + CHILD_MS;
		break;
	default: break;
	}
}

bool world_mount_run(struct world *world)
{
	struct world_mount *mount = &world->mount;
	enum keeper_act what;
	bool acted = false;

	if (!mount->lives)
		return false;
	if (mount->answers_ms <= world->now_ms)
		answer(world);
	if (mount->mount_ends_ms <= world->now_ms)
		end_attempt(world);
	if (mount->probe_ends_ms <= world->now_ms) {
		mount->probe_ends_ms = INT64_MAX;
		keeper_probe_gone(&mount->keeper, world->now_ms);
	}
	while ((what = keeper_step(&mount->keeper, world->now_ms)) != KEEPER_WAIT) {
		act(world, what);
		acted = true;
	}
	return acted;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t world_mount_next_ms(const struct world *world)
{
	const struct world_mount *mount = &world->mount;

	if (!mount->lives)
		return INT64_MAX;
	return sooner(sooner(mount->mount_ends_ms, mount->probe_ends_ms),
	              sooner(mount->answers_ms, keeper_next_ms(&mount->keeper)));
}
