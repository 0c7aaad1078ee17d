/*
 * Messages from finders, in any order, at any time: the table takes or refuses
 * them, the verdict is total, what listeners hear is valid, and all that is rendered
 * fits.
 *
 * Input: records of a role, a fact (0: all is said), an unused byte, a time step, a kind
 * and a byte for the integers, an age, the length of a text, and the text. The
 * first bytes are also tried as a raw datagram.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 8, STEP_MS = 250 };

static void configure(struct conf *conf)
{
	memset(conf, 0, sizeof *conf);
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

static void check_told(const struct core *core)
{
	struct msg msg;

	core_verdict(core, &msg);
	if (!hub_valid(&msg))
		abort();
	for (uint16_t id = FACT_NONE + 1; id < FACT_MAX; id++) {
		for (unsigned slot = 0; slot < fact_info(id)->slots; slot++) {
			if (core_fact(core, (enum fact_id)id, slot, &msg) && !hub_valid(&msg))
				abort();
		}
	}
}

static void check_verdict(struct core *core, int64_t now_ms)
{
	static char page[STATUS_BYTES];
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
	if (status_render(core, now_ms, now_ms, page, sizeof page) == 0 ||
	    html_render(core, now_ms, now_ms, page, sizeof page) == 0 ||
	    metrics_render(core, now_ms, now_ms, page, sizeof page) == 0)
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

static void take(struct core *core, enum role role, const struct msg *msg, int64_t now_ms)
{
	unsigned slot;

	if (!hub_valid(msg))
		return;
	if (core_take(core, role, msg, now_ms, now_ms, &slot) == 0) {
		if (slot >= fact_info(msg->id)->slots)
			abort();
	} else if (core_next_ms(core) <= now_ms) {
		core_step(core, now_ms, now_ms);
	}
	check_verdict(core, now_ms);
	check_told(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct core core;
	static struct snapshot snapshot;
	int64_t now_ms = 1000;
	struct msg raw;

	configure(&snapshot.conf);
	core_init(&core, &snapshot, NULL, now_ms, now_ms);
	core_step(&core, now_ms, now_ms);
	for (int role = 0; size >= sizeof raw && role < ROLE_MAX; role++) {
		memcpy(&raw, data, sizeof raw);
		take(&core, (enum role)role, &raw, now_ms);
	}
	while (size >= RECORD) {
		enum role role = data[0] % ROLE_MAX;
		struct msg msg = { .type = HUB_FACT, .id = data[1] };
		size_t text = data[7];

		now_ms += (int64_t)data[3] * STEP_MS;
		msg.value = value_of(data[4], data[5]);
		for (int i = 0; i < HUB_MORE; i++)
			msg.more[i] = value_of(data[4] >> (2 * (i % 3 + 1)), data[5]);
		msg.found_ms = msg.since_ms = now_ms - data[6] * STEP_MS;
		data += RECORD;
		size -= RECORD;
		text = text < size ? text : size;
		memcpy(msg.why, data, text < sizeof msg.why ? text : sizeof msg.why - 1);
		memcpy(msg.text, data, text < sizeof msg.text ? text : sizeof msg.text - 1);
		data += text;
		size -= text;
		if (msg.id == FACT_NONE)
			core_spoken(&core, role, now_ms, now_ms);
		else
			take(&core, role, &msg, now_ms);
	}
	return 0;
}
