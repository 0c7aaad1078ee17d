/* The simulator. Never blocks, reads no clock. Owns the virtual one. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

enum {
	SPIN = 10000, /* more turns than this at one instant is a loop that spins */
};

static int64_t wall(int64_t now_ms)
{
	return (int64_t)WORLD_WALL_MS * 1000 + now_ms;
}

struct msg world_msg(enum fact_id id, int64_t value, const char *text, const char *why)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id };

	msg.value = value;
	str_copy(msg.text, sizeof msg.text, text);
	str_copy(msg.why, sizeof msg.why, why);
	return msg;
}

static void count_flips(struct world *world)
{
	int health = judge_code(world->core.verdict.health);
	int ready = judge_code(world->core.verdict.ready);

	if (health != world->health_code)
		world->health_flips++;
	if (ready != world->ready_code)
		world->ready_flips++;
	world->health_code = health;
	world->ready_code = ready;
}

static int deliver(struct world *world, enum role role, const struct msg *msg)
{
	unsigned slot;
	int rc = core_take(&world->core, role, msg, world->now_ms, wall(world->now_ms), &slot);

	count_flips(world);
	return rc;
}

static struct msg *place_of(struct world *world, const struct msg *msg)
{
	for (unsigned i = 0; i < world->count; i++) {
		struct msg *said = &world->said[i];

		if (said->id == msg->id &&
		    (msg->id != FACT_CHECK || strcmp(said->text, msg->text) == 0))
			return said;
	}
	return world->count < WORLD_SAID ? &world->said[world->count++] : NULL;
}

const char *world_check_name(const struct world *world, unsigned slot)
{
	return slot < (unsigned)world->conf->checks.count ? world->conf->checks.item[slot].name
	                                                  : "not configured";
}

/* What wna-check makes of a result: the check's name is its text. */
static void from_window(struct world *world, const struct msg *result, struct msg *ret)
{
	for (int i = 0; i < world->conf->checks.count; i++) {
		const struct conf_check *check = &world->conf->checks.item[i];
		struct check_slot *slot = &world->check[i];

		if (strcmp(check->name, result->text) != 0)
			continue;
		slot->last.value = result->value;
		str_copy(slot->last.text, sizeof slot->last.text, result->why);
		check_window_put(&slot->window, result->value >= 0, check->rise, check->fall);
		check_fact(slot, world->now_ms, ret);
		return;
	}
}

int world_say_as(struct world *world, enum role role, const struct msg *msg)
{
	struct msg said = *msg, *place;

	if (said.id == FACT_CHECK && role == ROLE_CHECK)
		from_window(world, msg, &said);
	said.type = HUB_FACT;
	said.found_ms = world->now_ms;
	said.since_ms = world->now_ms;
	if (fact_info(said.id) && role == fact_info(said.id)->owner) {
		place = place_of(world, &said);
		if (place && place->type && place->value == said.value)
			said.since_ms = place->since_ms;
		if (place)
			*place = said;
	}
	return deliver(world, role, &said);
}

int world_say(struct world *world, const struct msg *msg)
{
	return world_say_as(world, fact_info(msg->id)->owner, msg);
}

static void start_core(struct world *world)
{

	core_init(&world->core, &world->snapshot, NULL, world->now_ms, wall(world->now_ms));
	core_step(&world->core, world->now_ms, wall(world->now_ms));
}

static void start_check(struct world *world)
{
	memset(world->check, 0, sizeof world->check);
	for (int i = 0; i < world->conf->checks.count; i++)
		world->check[i].run.conf = &world->conf->checks.item[i];
}

void world_restart_core(struct world *world, bool finders)
{
	start_core(world);
	if (!finders) {
		count_flips(world);
		return;
	}
	for (unsigned i = 0; i < world->count; i++) {
		unsigned slot;

		if (world->said[i].type == 0)
			continue;
		core_take(&world->core, fact_info(world->said[i].id)->owner, &world->said[i],
		          world->now_ms, wall(world->now_ms), &slot);
	}
	/* Until now it does not answer, hence these were no flips. */
	for (enum role role = 0; role < ROLE_MAX; role++)
		core_spoken(&world->core, role, world->now_ms, wall(world->now_ms));
	count_flips(world);
}

void world_restart_check(struct world *world)
{
	start_check(world);
}

void world_init(struct world *world, const struct conf *conf)
{
	world->snapshot.conf = *conf;
	world->conf = &world->snapshot.conf;
	start_check(world);
	start_core(world);
	world_mount_start(world);
	world->health_code = judge_code(world->core.verdict.health);
	world->ready_code = judge_code(world->core.verdict.ready);
}

static bool deliver_repeated(struct world *world)
{
	for (int i = 0; i < WORLD_REPEATS; i++) {
		struct world_repeat *repeat = &world->repeat[i];

		if (repeat->period_ms == 0 || repeat->due_ms > world->now_ms)
			continue;
		repeat->due_ms += repeat->period_ms;
		world_say(world, &repeat->msg);
		return true;
	}
	return false;
}

static int64_t next_ms(struct world *world)
{
	int64_t next = core_next_ms(&world->core), mount = world_mount_next_ms(world);

	next = mount < next ? mount : next;
	for (int i = 0; i < WORLD_REPEATS; i++) {
		if (world->repeat[i].period_ms > 0 && world->repeat[i].due_ms < next)
			next = world->repeat[i].due_ms;
	}
	return next;
}

void world_run(struct world *world, int64_t until_ms)
{
	unsigned turns = 0;

	for (;;) {
		int64_t next = next_ms(world);

		if (next > until_ms)
			break;
		turns = next > world->now_ms ? 0 : turns + 1;
		if (turns > SPIN) {
			fprintf(stderr, "sim: something spins at %lld ms\n", (long long)next);
			exit(2);
		}
		if (next > world->now_ms)
			world->now_ms = next;
		if (deliver_repeated(world) || world_mount_run(world))
			continue;
		core_step(&world->core, world->now_ms, wall(world->now_ms));
		count_flips(world);
	}
	world->now_ms = until_ms;
}

void world_repeat(struct world *world, const struct msg *msg, int64_t period_ms)
{
	world_silence(world, msg);
	for (int i = 0; i < WORLD_REPEATS; i++) {
		if (world->repeat[i].period_ms != 0)
			continue;
		world->repeat[i] = (struct world_repeat){
			.due_ms = world->now_ms,
			.period_ms = period_ms,
			.msg = *msg,
		};
		return;
	}
	fprintf(stderr, "sim: too many repeated facts\n");
	exit(2);
}

void world_silence(struct world *world, const struct msg *like)
{
	for (int i = 0; i < WORLD_REPEATS; i++) {
		const struct msg *msg = &world->repeat[i].msg;

		if (msg->id == like->id &&
		    (like->id != FACT_CHECK || strcmp(msg->text, like->text) == 0))
			world->repeat[i].period_ms = 0;
	}
}
