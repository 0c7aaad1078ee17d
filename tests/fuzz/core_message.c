/*
 * Messages from workers, in any order, at any time: the table takes or refuses
 * them, the verdict is total, and /status stays JSON that fits.
 *
 * Input: records of a role, a fact, a slot, a time step, a kind of value, and
 * a text. The first bytes are also tried as a raw datagram.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 7 };

static int take_order(void *ctx, const struct order *order)
{
	unsigned *orders = ctx;

	if (!order_valid(order))
		abort();
	++*orders;
	return 0;
}

static void configure(struct conf *conf)
{
	memset(conf, 0, sizeof *conf);
	conf->health.start_grace_ms = 5000;
	conf->imds.max_age_ms = 60000;
	conf->mount.enabled = true;
	conf->mount.guard = true;
	conf->mount.max_age_ms = 10000;
	conf->mount.retry_min_ms = 1000;
	conf->mount.retry_max_ms = 60000;
	conf->mount.probe_interval_ms = 5000;
	conf->mount.timeout_ms = 60000;
	conf->rds.enabled = conf->hooks.enabled = conf->metrics.enabled = true;
	conf->rds.max_age_ms = 20000;
	conf->metrics.max_age_ms = 60000;
	conf->checks.count = 2;
	for (int i = 0; i < 2; i++) {
		struct conf_check *check = &conf->checks.item[i];

		check->name[0] = (char)('a' + i);
		check->scope = i;
		check->rise = check->fall = 2;
		check->max_age_ms = 10000;
	}
}

static void check_verdict(const struct core *core, int64_t now_ms)
{
	static char page[STATUS_BYTES];
	struct status_counters counters = { 0 };
	const struct verdict *verdict = &core->verdict;

	if (verdict->health == LEVEL_OFF || verdict->health >= LEVEL_MAX ||
	    verdict->ready >= LEVEL_MAX || verdict->until_ms <= now_ms)
		abort();
	if ((verdict->health == LEVEL_OK) != (verdict->ready == LEVEL_OK))
		abort();
	for (int i = 0; i < JOB_MAX; i++) {
		if (verdict->job[i].turns_health && !verdict->job[i].turns_ready)
			abort();
		if (verdict->job[i].turns_ready && verdict->job[i].why[0] == '\0')
			abort();
	}
	if (status_render(core, &counters, now_ms, now_ms, page, sizeof page) == 0)
		abort();
}

static int64_t value_of(uint8_t kind, uint8_t byte)
{
	switch (kind % 4) {
	case 0: return byte;
	case 1: return -(int64_t)byte;
	case 2: return (int64_t)((uint64_t)byte << 56);
	default: return byte % 4;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct core core;
	static struct conf conf;
	unsigned orders = 0;
	struct core_ops ops = { .order = take_order, .ctx = &orders };
	int64_t now_ms = 1000;
	struct envelope raw;

	configure(&conf);
	core_init(&core, &conf, size > 0 ? data[0] % 8u : 0, 1, &ops, now_ms, now_ms);
	core_step(&core, now_ms, now_ms);
	if (size >= sizeof raw) {
		memcpy(&raw, data, sizeof raw);
		if (envelope_valid(&raw))
			core_take(&core, &raw, now_ms, now_ms);
	}
	while (size >= RECORD) {
		struct envelope envelope = { .role = data[0] % ROLE_MAX };
		struct msg *msg = &envelope.msg;
		size_t text = data[6];

		msg->type = MSG_FACT;
		msg->id = data[1];
		msg->slot = data[2] % 20;
		now_ms += (int64_t)data[3] * 250;
		msg->value = value_of(data[4], data[5]);
		data += RECORD;
		size -= RECORD;
		text = text < size ? text : size;
		memcpy(msg->why, data, text < sizeof msg->why ? text : sizeof msg->why - 1);
		memcpy(msg->text, data, text < sizeof msg->text ? text : sizeof msg->text - 1);
		data += text;
		size -= text;
		if (!envelope_valid(&envelope))
			continue;
		if (core_take(&core, &envelope, now_ms, now_ms) < 0 &&
		    core_next_ms(&core) <= now_ms)
			core_step(&core, now_ms, now_ms);
		check_verdict(&core, now_ms);
	}
	return 0;
}
