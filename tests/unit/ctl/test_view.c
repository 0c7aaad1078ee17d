/* The agent's JSON: what is understood, what is refused, what does no harm. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

static struct view view;
static char why[256];

static int parse(const char *text)
{
	return view_parse(text, strlen(text), &view, why, sizeof why);
}

static void takes_what_the_agent_says(void **state)
{
	char *text = fake_data("failover.json");

	(void)state;
	assert_int_equal(parse(text), 0);
	assert_string_equal(view.version, "0.1.0");
	assert_int_equal(view.healthz.code, 200);
	assert_int_equal(view.readyz.code, 503);
	assert_int_equal(view.readyz.level, LEVEL_FAIL);
	assert_int_equal(view.now_ms, 1795421730000);
	assert_int_equal(view.now_ms - view.readyz.since_ms, 25000);
	assert_int_equal(view.jobs, 5);
	assert_string_equal(view.job[3].name, "database");
	assert_non_null(strstr(view.job[3].why, "no answer within"));
	assert_ptr_equal(view_job(&view, "metrics"), &view.job[4]);
	assert_null(view_job(&view, "metric"));
	assert_int_equal(view.checks, 3);
	assert_int_equal(view.check[0].last_us, 812);
	assert_int_equal(view.processes, 6);
	assert_string_equal(view.process[3].state, "not connected");
	assert_int_equal(view.events, 4);
	assert_int_equal(view.push_sent, 1153);
	assert_true(view.loaded_ms > 0);
	assert_int_equal(view.counters, 4);
	assert_non_null(strstr(view.error, "agent.conf:12"));
	free(text);
}

static void unknown_members_are_passed_over(void **state)
{
	char *text = fake_data("healthy.json");
	char *more = fake_change(text, "\"version\"", "\"new\":[{\"x\":null}],\"version\"");

	(void)state;
	assert_int_equal(parse(more), 0);
	free(more);
	more = fake_change(text, "\"requests\": 1153", "\"requests\": {\"deep\": 1}");
	assert_int_equal(parse(more), 0);
	assert_int_equal(view.counters, 3);
	free(more);
	more = fake_change(text, "\"name\": \"identity\"", "\"colour\": 7, \"name\": \"identity\"");
	assert_int_equal(parse(more), 0);
	free(more);
	free(text);
}

struct change {
	const char *from, *to, *why;
};

static const struct change changes[] = {
	{ "\"code\": 200", "\"code\": \"200\"", "healthz.code: expected an integer" },
	{ "\"code\": 200", "\"code\": 20.5", "healthz.code: expected an integer" },
	{ "\"code\": 200", "\"code\": 1e300", "healthz.code: expected an integer" },
	{ "\"code\": 200", "\"code\": 7", "healthz.code: expected an HTTP status" },
	{ "\"code\": 200", "\"cod\": 200", "healthz.code: expected to be there" },
	{ "\"level\": \"ok\"", "\"level\": \"fine\"", "healthz.level: expected off" },
	{ "\"level\": \"ok\"", "\"level\": 2", "healthz.level: expected a text" },
	{ "\"since\": \"2026", "\"since\": \"26", "healthz.since: expected a time" },
	{ "\"since\": \"2026-11", "\"since\": \"2026-13", "healthz.since: expected a time" },
	{ "05:03:20Z", "05:03:20", "healthz.since: expected a time" },
	{ "05:03:20Z", "05:03:20Zx", "healthz.since: expected a time" },
	{ "\"healthz\"", "\"health\"", "healthz: expected to be there" },
	{ "\"jobs\": [", "\"jobs\": 5, \"x\": [", "jobs: expected an array" },
	{ "\"jobs\": [", "\"jobs\": [5,", "jobs[0].: expected an object" },
	{ "\"jobs\"", "\"job\"", "jobs: expected to be there" },
	{ "\"name\": \"mount\"", "\"name\": null", "jobs[1].name: expected a text" },
	{ "\"last_us\": 812", "\"last_us\": true", "checks[0].last_us: expected an integer" },
	{ "\"loaded\": \"2026-", "\"loaded\": \"x026-", "config.loaded: expected a time" },
	{ "\"value\": 1153", "\"value\": \"many\"", "facts.push-sent.value: expected an integer" },
	{ "{", "[{", "not a JSON object" },
	{ "{", "x{", "not a JSON object" },
	{ "\"version\"", "version", "not a JSON object" },
};

static void wrong_types_are_refused(void **state)
{
	char *text = fake_data("healthy.json");

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		char *bad = fake_change(text, changes[i].from, changes[i].to);

		memset(&view, 0x5a, sizeof view);
		if (parse(bad) != -EBADMSG)
			fail_msg("%s was taken", changes[i].to);
		if (strstr(why, changes[i].why) == NULL)
			fail_msg("%s: %s", changes[i].to, why);
		assert_int_equal(view.jobs, 0x5a5a5a5a); /* untouched */
		free(bad);
	}
	free(text);
}

static void hostile_input_is_survived(void **state)
{
	char *text = fake_data("healthy.json");
	size_t len = strlen(text);
	char *deep = malloc(100001);

	(void)state;
	/* Every truncation, and every byte replaced by some others. */
	for (size_t i = 0; i < len; i++)
		if (view_parse(text, i, &view, why, sizeof why) == 0)
			assert_true(i >= len - 1);
	for (size_t i = 0; i < len; i++) {
		static const char others[] = { '\0', '"', '{', '\\', '9', '\377' };
		char kept = text[i];

		for (size_t n = 0; n < sizeof others; n++) {
			text[i] = others[n];
			(void)view_parse(text, len, &view, why, sizeof why);
		}
		text[i] = kept;
	}
	assert_int_equal(parse("{} {}"), -EBADMSG);
	assert_int_equal(parse(""), -EBADMSG);
	assert_int_equal(parse("null"), -EBADMSG);
	assert_int_equal(parse("{\"healthz\":null,\"jobs\":null}"), -EBADMSG);
	assert_non_null(deep);
	memset(deep, '[', 100000);
	deep[100000] = '\0';
	assert_int_equal(parse(deep), -EBADMSG);
	free(deep);
	free(text);
}

static void more_than_fits_is_cut(void **state)
{
	char *text = fake_data("healthy.json");
	static char jobs[8192];
	size_t len = 0;
	char *more;

	(void)state;
	for (int i = 0; i < 40; i++)
		len += (size_t)sprintf(jobs + len, "{\"name\":\"j%d\",\"level\":\"ok\"},", i);
	sprintf(jobs + len, "{\"name\":\"last\",\"level\":\"ok\"}],\"x\":[");
	memmove(jobs + 9, jobs, strlen(jobs) + 1);
	memcpy(jobs, "\"jobs\": [", 9);
	more = fake_change(text, "\"jobs\": [", jobs);
	assert_int_equal(parse(more), 0);
	assert_int_equal(view.jobs, VIEW_JOBS);
	free(more);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_the_agent_says),
		cmocka_unit_test(unknown_members_are_passed_over),
		cmocka_unit_test(wrong_types_are_refused),
		cmocka_unit_test(hostile_input_is_survived),
		cmocka_unit_test(more_than_fits_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
