/* The simulator. Never blocks, reads no clock. Owns the virtual one. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

enum {
	ONESHOT_MS = 50,
	LADDER_MS = 4000, /* TERM, KILL, then stuck */
	SPIN = 10000,     /* more turns than this at one instant is a loop that spins */
};

static int64_t wall(int64_t now_ms)
{
	return (int64_t)WORLD_WALL_MS * 1000 + now_ms;
}

struct envelope world_envelope(enum fact_id id, unsigned slot, int64_t value, const char *text,
                               const char *why)
{
	struct envelope envelope = {
		.role = (uint16_t)fact_info((uint16_t)id)->owner,
		.msg = { .type = MSG_FACT,
		         .id = (uint16_t)id,
		         .slot = (uint16_t)slot,
		         .value = value },
	};

	str_copy(envelope.msg.text, sizeof envelope.msg.text, text);
	str_copy(envelope.msg.why, sizeof envelope.msg.why, why);
	return envelope;
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

static int deliver(struct world *world, const struct envelope *envelope)
{
	int rc = core_take(&world->core, envelope, world->now_ms, wall(world->now_ms));

	count_flips(world);
	return rc;
}

/* wna-check's numbers: no two results have the same. */
static void number(struct world *world, struct envelope *envelope)
{
	struct envelope *last = &world->checked[envelope->msg.slot];

	envelope->msg.found_ms = last->msg.found_ms + 1;
	if (world->now_ms > envelope->msg.found_ms)
		envelope->msg.found_ms = world->now_ms;
	*last = *envelope;
}

int world_say(struct world *world, const struct envelope *envelope)
{
	struct envelope said = *envelope;

	if (said.msg.id == FACT_CHECK && said.msg.slot < LIMIT_CHECKS)
		number(world, &said);
	return deliver(world, &said);
}

bool world_again(struct world *world, unsigned slot)
{
	if (slot >= LIMIT_CHECKS || world->checked[slot].msg.found_ms == 0)
		return false;
	return deliver(world, &world->checked[slot]) == 0;
}

static void later(struct world *world, int64_t after_ms, struct envelope envelope)
{
	if (world->queued == WORLD_QUEUE) {
		fprintf(stderr, "sim: too many messages under way\n");
		exit(2);
	}
	world->queue[world->queued++] = (struct world_message){
		.at_ms = world->now_ms + after_ms,
		.envelope = envelope,
	};
}

static struct envelope child(enum role role, enum child_state state, const char *why)
{
	return world_envelope(FACT_CHILD, role, state, "", why);
}

void world_child(struct world *world, enum role role, enum child_state state, const char *why)
{
	struct envelope envelope = child(role, state, why);

	world_say(world, &envelope);
}

/* In the order of the real ones: a probe tells what is there before it touches it,
 * and a right mount is never told before its id. */
static void say_facts(struct world *world, enum role role, const struct world_oneshot *shot,
                      enum fact_id fact, enum fact_id fact_of_id)
{
	bool nothing = role == ROLE_PROBE && shot->id == 0;
	struct envelope id = world_envelope(fact_of_id, 0, shot->id, shot->mark, "");
	struct envelope what =
	        world_envelope(fact, 0, nothing ? -ENODEV : shot->value, "", shot->why);
	bool id_first = role == ROLE_PROBE || shot->value == MOUNT_RIGHT;

	later(world, ONESHOT_MS, id_first ? id : what);
	later(world, ONESHOT_MS, id_first ? what : id);
}

/* The messages that one run of a one-shot makes. Queued, since orders are given
 * in the middle of a step. */
static void run_oneshot(struct world *world, enum role role, const struct world_oneshot *shot,
                        enum fact_id fact, enum fact_id fact_of_id, int64_t timeout_ms)
{
	if (shot->answer == ANSWER_NONE)
		return;
	later(world, 0, child(role, CHILD_RUNNING, ""));
	switch (shot->answer) {
	case ANSWER_NONE: return;
	case ANSWER_FACTS:
		say_facts(world, role, shot, fact, fact_of_id);
		later(world, ONESHOT_MS, child(role, CHILD_OFF, ""));
		return;
	case ANSWER_DIES:
		later(world, ONESHOT_MS, child(role, CHILD_OFF, "killed by signal 11"));
		return;
	case ANSWER_HANGS:
		later(world, timeout_ms, child(role, CHILD_TERM, ""));
		later(world, timeout_ms + LADDER_MS / 2, child(role, CHILD_KILL, ""));
		later(world, timeout_ms + LADDER_MS / 2 + ONESHOT_MS,
		      child(role, CHILD_OFF, "killed by signal 9"));
		return;
	case ANSWER_STUCK:
		later(world, timeout_ms, child(role, CHILD_TERM, ""));
		later(world, timeout_ms + LADDER_MS / 2, child(role, CHILD_KILL, ""));
		later(world, timeout_ms + LADDER_MS, child(role, CHILD_STUCK, ""));
		return;
	}
}

static int on_order(void *ctx, const struct order *order)
{
	struct world *world = ctx;

	if (!order_valid(order))
		return -1;
	world->orders[order->verb]++;
	world->last[order->verb] = *order;
	if (order->verb == ORDER_MOUNT)
		run_oneshot(world, ROLE_MOUNT, &world->mount, FACT_MOUNT, FACT_MOUNT_ID,
		            world->conf->mount.timeout_ms);
	else if (order->verb == ORDER_PROBE)
		run_oneshot(world, ROLE_PROBE, &world->probe, FACT_PROBE, FACT_PROBE_ID,
		            world->conf->mount.probe_timeout_ms);
	return 0;
}

void world_init(struct world *world, const struct conf *conf, unsigned resumed)
{
	struct core_ops ops = { .order = on_order, .ctx = world };

	world->conf = conf;
	core_init(&world->core, conf, resumed, 1, &ops, 0, wall(0));
	world->health_code = judge_code(world->core.verdict.health);
	world->ready_code = judge_code(world->core.verdict.ready);
	core_step(&world->core, 0, wall(0));
}

static struct world_message *first_queued(struct world *world)
{
	struct world_message *first = NULL;

	for (unsigned i = 0; i < world->queued; i++) {
		if (!first || world->queue[i].at_ms < first->at_ms)
			first = &world->queue[i];
	}
	return first;
}

static bool deliver_queued(struct world *world)
{
	struct world_message *first = first_queued(world);
	struct envelope envelope;
	size_t after;

	if (!first || first->at_ms > world->now_ms)
		return false;
	envelope = first->envelope;
	after = world->queued - (size_t)(first - world->queue) - 1;
	memmove(first, first + 1, after * sizeof *first);
	world->queued--;
	world_say(world, &envelope);
	return true;
}

static bool deliver_repeated(struct world *world)
{
	for (int i = 0; i < WORLD_REPEATS; i++) {
		struct world_repeat *repeat = &world->repeat[i];

		if (repeat->period_ms == 0 || repeat->due_ms > world->now_ms)
			continue;
		repeat->due_ms += repeat->period_ms;
		world_say(world, &repeat->envelope);
		return true;
	}
	return false;
}

static int64_t next_ms(struct world *world)
{
	struct world_message *first = first_queued(world);
	int64_t next = core_next_ms(&world->core);

	if (first && first->at_ms < next)
		next = first->at_ms;
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
			fprintf(stderr, "sim: the core spins at %lld ms\n", (long long)next);
			exit(2);
		}
		if (next > world->now_ms)
			world->now_ms = next;
		if (deliver_queued(world) || deliver_repeated(world))
			continue;
		core_step(&world->core, world->now_ms, wall(world->now_ms));
		count_flips(world);
	}
	world->now_ms = until_ms;
}

void world_repeat(struct world *world, const struct envelope *envelope, int64_t period_ms)
{
	world_silence(world, envelope->msg.id, envelope->msg.slot);
	for (int i = 0; i < WORLD_REPEATS; i++) {
		if (world->repeat[i].period_ms != 0)
			continue;
		world->repeat[i] = (struct world_repeat){
			.due_ms = world->now_ms,
			.period_ms = period_ms,
			.envelope = *envelope,
		};
		return;
	}
	fprintf(stderr, "sim: too many repeated facts\n");
	exit(2);
}

void world_silence(struct world *world, enum fact_id id, unsigned slot)
{
	for (int i = 0; i < WORLD_REPEATS; i++) {
		const struct msg *msg = &world->repeat[i].envelope.msg;

		if (msg->id == id && msg->slot == slot)
			world->repeat[i].period_ms = 0;
	}
}
