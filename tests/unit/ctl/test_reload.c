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
	return fake_change(text, "\"loads\": 1,\n  \"error\": \"\"", config);
}

static int setup(void **state)
{
	char *text = fake_data("healthy.json");

	(void)state;
	fake_prepare(&fake);
	before = with_config(text, "\"loads\": 1, \"error\": \"\"");
	taken = with_config(text, "\"loads\": 2, \"error\": \"\"");
	refused = with_config(text, "\"loads\": 1, \"error\": \"agent.conf:3: no\"");
	fresh = with_config(text, "\"loads\": 0, \"error\": \"\"");
	free(text);
	fake.reload = "{\"ok\":true,\"loads\":1}\n";
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
	struct view view = { .loads = 1 };

	(void)state;
	assert_int_equal(reload_judge(&view, 1, "", 9000), RELOAD_PENDING);
	view.loads = 2;
	assert_int_equal(reload_judge(&view, 1, "", 0), RELOAD_TAKEN);
	assert_int_equal(reload_judge(&view, 1, "old", 0), RELOAD_TAKEN);
	view.loads = 1;
	strcpy(view.error, "bad");
	assert_int_equal(reload_judge(&view, 1, "", 0), RELOAD_REFUSED);
	assert_int_equal(reload_judge(&view, 1, "other", 0), RELOAD_REFUSED);
	/* The same error may still be that of the attempt before. */
	assert_int_equal(reload_judge(&view, 1, "bad", RELOAD_SAME_MS - 1), RELOAD_PENDING);
	assert_int_equal(reload_judge(&view, 1, "bad", RELOAD_SAME_MS), RELOAD_REFUSED);
	/* Somebody else's good one, then ours, bad. */
	view.loads = 2;
	assert_int_equal(reload_judge(&view, 1, "", 0), RELOAD_REFUSED);
	/* A new core that has not been told yet. */
	view.loads = 0;
	assert_int_equal(reload_judge(&view, 1, "", 0), RELOAD_PENDING);
}

static void is_taken(void **state)
{
	(void)state;
	fake.status[0] = before;
	fake.status[1] = before;
	fake.status[2] = ""; /* the core is exchanged */
	fake.status[3] = fresh;
	fake.status[4] = taken;
	fake.statuses = 5;
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
	fake.status[1] = before;
	fake.status[2] = refused;
	fake.statuses = 3;
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
	assert_int_equal(atomic_load(&fake.asked), 1);
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
