/* /status: it is JSON, it has the facts, and it fits, however long they are. */
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

/* A checker of JSON's grammar, enough to see that nothing was cut or left open. */
static const char *json(const char *at);

static const char *json_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at == '\\' && !strchr("\"\\/bfnrtu", *++at))
			return NULL;
	}
	return at + 1;
}

static const char *json_list(const char *at, char end, int named)
{
	if (*++at == end)
		return at + 1;
	for (;;) {
		if (named) {
			at = json_string(at);
			if (!at || *at++ != ':')
				return NULL;
		}
		at = json(at);
		if (!at)
			return NULL;
		if (*at == end)
			return at + 1;
		if (*at++ != ',')
			return NULL;
	}
}

static const char *json(const char *at)
{
	if (*at == '{')
		return json_list(at, '}', 1);
	if (*at == '[')
		return json_list(at, ']', 0);
	if (*at == '"')
		return json_string(at);
	return strspn(at, "-0123456789") > 0 ? at + strspn(at, "-0123456789") : NULL;
}

static void render(void)
{
	size_t len = status_render(&core, 2000, 2000, page, sizeof page);
	const char *end;

	assert_true(len > 0);
	assert_int_equal(len, strlen(page));
	end = json(page);
	assert_non_null(end);
	assert_string_equal(end, "\n");
}

/* The longest page: every fact, with texts that double when escaped, and a full timeline. */
static void the_worst_fits(void **state)
{
	(void)state;
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
	render();
	assert_true(strlen(page) < sizeof page * 9 / 10);
}

static void it_says_what_is(void **state)
{
	struct msg msg = { .type = HUB_FACT, .id = FACT_INSTANCE_ID, .value = 1 };
	unsigned slot;

	(void)state;
	strcpy(msg.text, "i-0abc");
	core_take(&core, ROLE_CLOUD, &msg, 1500, 1500, &slot);
	render();
	assert_non_null(strstr(
	        page,
	        "\"instance-id\":{\"value\":1,\"more\":[0,0,0,0],\"text\":\"i-0abc\",\"why\":\"\","
	        "\"since\":\"1970-01-01T00:00:01Z\",\"age_ms\":500}"));
	assert_non_null(strstr(page, "\"healthz\":{\"code\":503,\"level\":\"waiting\",\"since\":"
	                             "\"1970-01-01T00:00:01Z\""));
	assert_non_null(strstr(page, "\"jobs\":[{\"name\":\"identity\""));
	assert_non_null(strstr(page, "\"timeline\":[{\"at\":\"1970-01-01T00:00:01Z\",\"what\":"
	                             "\"core: started\"}"));
	assert_non_null(strstr(page, "\"requests\":18446744073709551615"));
}

static void too_small_a_buffer_gives_nothing(void **state)
{
	(void)state;
	assert_int_equal(status_render(&core, 2000, 2000, page, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_worst_fits, setup),
		cmocka_unit_test_setup(it_says_what_is, setup),
		cmocka_unit_test_setup(too_small_a_buffer_gives_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
