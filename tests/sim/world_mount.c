/* The simulator. Never blocks, reads no clock. */
#include "world_mount.h"

#include <errno.h>
#include <string.h>

#include "str.h"
#include "world.h"

enum { CHILD_MS = 50, SPAWN_MS = 2000, REACH_MS = 2000, KILLED_BY_SEGV = 128 + 11 };
enum { PROXY_PORT = 20049 };

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
	mount->spawn_ms = mount->reach_ms = INT64_MAX;
	keeper_init(&mount->keeper, &world->conf->mount, 1, world->now_ms);
}

void world_mount_put(struct world *world, const struct keeper_look *there)
{
	world->mount.there = *there;
	keeper_event(&world->mount.keeper);
}

void world_mount_thaw(struct world *world)
{
	struct world_mount *mount = &world->mount;

	if (mount->keeper.asked && mount->probing.answer == ANSWER_HANGS &&
	    mount->probe.answer == ANSWER_GIVEN) {
		mount->probing = mount->probe;
		mount->answers_ms = world->now_ms + CHILD_MS;
	}
}

void world_mount_proxy(struct world *world, enum world_proxy proxy)
{
	struct world_mount *mount = &world->mount;

	mount->proxy = proxy;
	mount->reading.nfs = proxy != PROXY_NONE;
	mount->reading.watchdog = mount->watchdog;
	mount->reading.listener = proxy == PROXY_DEAD ? 0 : ++mount->sockets;
	mount->reading.flow = proxy == PROXY_FROZEN    ? FLOW_HELD
	                      : proxy == PROXY_STALLED ? FLOW_ACKED
	                      : proxy == PROXY_WELL    ? FLOW_ACKED
	                                               : FLOW_STUCK;
	if (proxy == PROXY_DEAD && mount->watchdog)
		mount->spawn_ms = world->now_ms + SPAWN_MS;
	if (proxy == PROXY_WELL)
		world_mount_thaw(world);
}

/* A proxy was started. */
static void spawn(struct world *world)
{
	struct world_mount *mount = &world->mount;

	mount->spawn_ms = INT64_MAX;
	if (mount->barren)
		return;
	mount->reading.listener = ++mount->sockets;
	if (mount->proxy >= PROXY_DEAD && mount->proxy <= PROXY_FROZEN)
		world_mount_proxy(world, PROXY_WELL);
}

static void kill_proxy(struct world *world)
{
	struct world_mount *mount = &world->mount;

	mount->repairs++;
	mount->reading.listener = 0;
	if (mount->watchdog)
		mount->spawn_ms = world->now_ms + SPAWN_MS;
}

static void read_tables(struct world *world)
{
	struct world_mount *mount = &world->mount;

	mount->reading.recvs += mount->proxy == PROXY_BUSY;
	keeper_read(&mount->keeper, &mount->reading, world->now_ms);
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
	mount->reading.recvs++;
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
	if (mount->proxy > PROXY_WELL)
		mount->probing.answer = ANSWER_HANGS;
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
	case KEEPER_LOOK:
		if (mount->proxy != PROXY_NONE) {
			net_addr_parse("127.0.0.1", &mount->there.server);
			mount->there.port = PROXY_PORT;
		}
		keeper_looked(&mount->keeper, &mount->there, world->now_ms);
		break;
	case KEEPER_READ: read_tables(world); break;
	case KEEPER_REACH: mount->reach_ms = world->now_ms + REACH_MS; break;
	case KEEPER_PROXY_AWAY:
		mount->proxy = PROXY_STUCK;
		kill_proxy(world);
		break;
	case KEEPER_PROXY_KILL: kill_proxy(world); break;
	case KEEPER_PROXY_START:
		mount->repairs++;
		mount->spawn_ms = world->now_ms + CHILD_MS;
		break;
	case KEEPER_SAY:
		keeper_report_service(&mount->keeper, &msg);
		world_say(world, &msg);
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
	if (mount->spawn_ms <= world->now_ms)
		spawn(world);
	if (mount->reach_ms <= world->now_ms) {
		mount->reach_ms = INT64_MAX;
		keeper_reached(&mount->keeper, mount->proxy < PROXY_SILENT,
		               mount->proxy == PROXY_AWAY, world->now_ms);
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
	return sooner(sooner(sooner(mount->mount_ends_ms, mount->probe_ends_ms),
	                     sooner(mount->spawn_ms, mount->reach_ms)),
	              sooner(mount->answers_ms, keeper_next_ms(&mount->keeper)));
}
