/* wnactl reload: taken, refused, refused for the same reason again, silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"
#include "reload.h"

static struct fake fake;
static char *before, *taken, *refused, *fresh;

/* healthy.json with this "config". */
static char *with_config(const char *text, const char *config)
{
	return fake_change(text, "\"tries\": 1,\n  \"loads\": 1,\n  \"error\": \"\"", config);
}

static int setup(void **state)
{
	char *text = fake_data("healthy.json");

	(void)state;
	fake_prepare(&fake);
	before = with_config(text, "\"tries\": 1, \"loads\": 1, \"error\": \"\"");
	taken = with_config(text, "\"tries\": 2, \"loads\": 2, \"error\": \"\"");
	refused = with_config(text, "\"tries\": 2, \"loads\": 1, \"error\": \"agent.conf:3: no\"");
	fresh = with_config(text, "\"tries\": 0, \"loads\": 0, \"error\": \"\"");
	free(text);
	fake.reload = "{\"ok\":true,\"tries\":1}\n";
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	free(before);
	free(taken);
	free(refused);
	free(fresh);
	return 0;
}

static void judges(void **state)
{
	struct view view = { .tries = 1, .loads = 1 };

	(void)state;
	assert_int_equal(reload_judge(&view, 1), RELOAD_PENDING);
	view.tries = view.loads = 2;
	assert_int_equal(reload_judge(&view, 1), RELOAD_TAKEN);
	/* An error from before is not this attempt's; the same one again is. */
	strcpy(view.error, "bad");
	assert_int_equal(reload_judge(&view, 2), RELOAD_PENDING);
	view.tries = 3;
	assert_int_equal(reload_judge(&view, 2), RELOAD_REFUSED);
	/* A new core that has not been told all yet. */
	view = (struct view){ .tries = 0 };
	assert_int_equal(reload_judge(&view, 1), RELOAD_PENDING);
	view.tries = 2;
	assert_int_equal(reload_judge(&view, 1), RELOAD_PENDING);
}

static void is_taken(void **state)
{
	(void)state;
	fake.status[0] = before;
	fake.status[1] = ""; /* the core is exchanged */
	fake.status[2] = fresh;
	fake.status[3] = taken;
	fake.statuses = 4;
	fake_start(&fake, NULL);
	assert_int_equal(reload(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, "configuration taken (loaded 2 times)\n");
	assert_string_equal(fake.err, "");
	assert_int_equal(atomic_load(&fake.reloaded), 1);
}

static void is_refused(void **state)
{
	(void)state;
	fake.status[0] = before;
	fake.status[1] = refused;
	fake.statuses = 2;
	fake_start(&fake, NULL);
	assert_int_equal(reload(&fake.ctl), CTL_NO);
	fake_words(&fake);
	assert_string_equal(fake.err, "wnactl: configuration refused, the old one stays in force: "
	                              "agent.conf:3: no\n");
	assert_string_equal(fake.out, "");
}

static void is_not_allowed(void **state)
{
	(void)state;
	fake.reload = "{\"ok\":false,\"error\":\"reload is for root\"}\n";
	fake_start(&fake, before);
	assert_int_equal(reload(&fake.ctl), geteuid() == 0 ? CTL_NO : CTL_DENIED);
	fake_words(&fake);
	assert_string_equal(fake.err, "wnactl: reload refused: reload is for root\n");
	assert_int_equal(atomic_load(&fake.asked), 0);
}

static void garbage(void **state)
{
	(void)state;
	fake.reload = "{\"ok\":\"maybe\"}";
	fake_start(&fake, before);
	assert_int_equal(reload(&fake.ctl), CTL_BAD);
}

static void nobody(void **state)
{
	(void)state;
	assert_int_equal(reload(&fake.ctl), CTL_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),
		cmocka_unit_test_setup_teardown(is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(is_not_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
