/* /status: it is JSON, it has the facts, and it fits, however long they are. */
#include "worst.h"

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

static void the_worst_fits(void **state)
{
	(void)state;
	fill_worst();
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
