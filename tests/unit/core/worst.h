/* A core whose tables are as long as they can be. For tests of what is rendered. */
#ifndef TEST_WORST_H
#define TEST_WORST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core.h"

static struct core core;
static struct snapshot snapshot;
static char page[STATUS_BYTES];

static int setup(void **state)
{
	struct conf *conf = &snapshot.conf;

	(void)state;
	memset(&snapshot, 0, sizeof snapshot);
	snapshot.loaded_ms = 500;
	conf->checks.count = LIMIT_CHECKS;
	conf->mount.enabled = conf->rds.enabled = conf->metrics.enabled = true;
	memset(conf->mount.path, '"', sizeof conf->mount.path - 1);
	for (int i = 0; i < LIMIT_CHECKS; i++) {
		memset(conf->checks.item[i].name, 'a' + i, sizeof conf->checks.item[i].name - 1);
		conf->checks.item[i].max_age_ms = 10000;
		conf->checks.item[i].rise = conf->checks.item[i].fall = 1;
	}
	core_init(&core, &snapshot, NULL, 1000, 1000);
	core.counters.requests = core.counters.accepted = UINT64_MAX;
	return 0;
}

/* Every fact, with texts that grow when they are escaped, and a full timeline. */
static void fill_worst(void)
{
	memset(snapshot.why, '"', sizeof snapshot.why - 1);
	for (uint16_t id = FACT_NONE + 1; id < FACT_MAX; id++) {
		for (unsigned slot = 0; slot < fact_info(id)->slots; slot++) {
			struct msg msg = { .type = HUB_FACT, .id = id, .value = 1 };
			unsigned taken;

			memset(msg.text, '"', sizeof msg.text - 1);
			memset(msg.why, '\\', sizeof msg.why - 1);
			for (int i = 0; i < HUB_MORE; i++)
				msg.more[i] = INT64_MIN;
			if (id == FACT_CPU || id == FACT_SKEW)
				msg.value = INT64_MIN;
			if (id == FACT_CHECK)
				strcpy(msg.text, snapshot.conf.checks.item[slot].name);
			assert_int_equal(
			        core_take(&core, fact_info(id)->owner, &msg, 1500, 1500, &taken),
			        0);
		}
	}
	for (int i = 0; i < LIMIT_TIMELINE; i++) {
		char text[TIMELINE_TEXT];

		memset(text, '"', sizeof text - 1);
		text[sizeof text - 1] = '\0';
		timeline_add(&core.timeline, 253402300799000, text);
	}
}

#endif
