/* wnactl drain and undrain. In the place of systemctl is a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

#define KILL "kill --kill-who=main --signal=%s web-node-agent-cloud.service"

static struct fake fake;
static char *healthy, *texts[4];
static char script[96], path[512];

static int setup(void **state)
{
	(void)state;
	fake_prepare(&fake);
	healthy = fake_data("healthy.json");
	snprintf(script, sizeof script, "%s/systemctl", fake.dir);
	snprintf(path, sizeof path, "%s:%s", fake.dir, getenv("PATH"));
	setenv("PATH", path, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(script);
	fake_stop(&fake);
	free(healthy);
	for (int i = 0; i < 4; i++) {
		free(texts[i]);
		texts[i] = NULL;
	}
	return 0;
}

static const char *machine = "running";

static void systemctl(const char *signal)
{
	FILE *file = fopen(script, "we");

	assert_non_null(file);
	fprintf(file,
	        "#!/bin/sh\n[ \"$*\" != is-system-running ] || { echo %s; exit 1; }\n"
	        "[ \"$*\" = '" KILL "' ]\n",
	        machine, signal);
	fclose(file);
	assert_int_equal(chmod(script, 0700), 0);
}

/* One answer after another. `healthz` is its level. */
static void answer(const char *healthz, const char *state, const char *why, const char *next)
{
	char head[512], level[128];
	char *text;

	snprintf(head, sizeof head,
	         "{\"lifecycle\": {\"state\": \"%s\", \"why\": \"%s\", \"next\": \"%s\", "
	         "\"since\": \"2026-11-23T05:03:20Z\"},",
	         state, why, next);
	text = fake_change(healthy, "{", head);
	snprintf(level, sizeof level, "\"level\": \"%s\"", healthz);
	/* Of healthz, which is the first. */
	texts[fake.statuses] = fake_change(text, "\"level\": \"ok\"", level);
	free(text);
	fake.status[fake.statuses] = texts[fake.statuses];
	fake.statuses++;
}

static void a_drain_is_obeyed(void **state)
{
	(void)state;
	systemctl("USR1");
	answer("ok", "in service", "", "");
	answer("draining", "draining", "ordered by wnactl drain", "clients connected: 3");
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(drain_order(&fake.ctl, DRAIN_ON, false, 0), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, "draining: ordered by wnactl drain; clients connected: 3\n");
	assert_string_equal(fake.err, "");
}

static void a_drain_is_waited_for(void **state)
{
	(void)state;
	systemctl("USR1");
	answer("draining", "draining", "ordered by wnactl drain", "");
	answer("draining", "drained", "ordered by wnactl drain", "no client is connected");
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(drain_order(&fake.ctl, DRAIN_ON, true, 60 * 1000), CTL_OK);
	fake_words(&fake);
	assert_non_null(strstr(fake.out, "drained: ordered by wnactl drain; no client"));
}

static void the_wait_ends(void **state)
{
	(void)state;
	systemctl("USR1");
	answer("draining", "draining", "ordered by wnactl drain", "");
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(drain_order(&fake.ctl, DRAIN_ON, true, 0), CTL_TIMEOUT);
}

static void an_undrain_is_obeyed(void **state)
{
	(void)state;
	systemctl("USR2");
	answer("draining", "drained", "ordered by wnactl drain", "");
	answer("ok", "in service", "", "");
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(drain_order(&fake.ctl, DRAIN_OFF, false, 0), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, "in service\n");
}

/* Its unit may be stopped while the machine goes on. */
static void only_a_machine_that_stops(void **state)
{
	(void)state;
	machine = "running";
	systemctl("RTMIN");
	answer("ok", "in service", "", "");
	answer("draining", "drained", "ordered by wnactl drain", "");
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(drain_order(&fake.ctl, DRAIN_AT_SHUTDOWN, true, 0), CTL_OK);
	machine = "stopping";
	systemctl("RTMIN");
	assert_int_equal(drain_order(&fake.ctl, DRAIN_AT_SHUTDOWN, true, 60 * 1000), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, "drained: ordered by wnactl drain\n");
}

static void a_service_that_does_not_run(void **state)
{
	(void)state;
	systemctl("another signal");
	answer("ok", "in service", "", "");
	fake_start(&fake, NULL);
	assert_int_equal(drain_order(&fake.ctl, DRAIN_ON, false, 0),
	                 geteuid() == 0 ? CTL_UNREACHABLE : CTL_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_drain_is_obeyed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_drain_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(the_wait_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(an_undrain_is_obeyed, setup, teardown),
		cmocka_unit_test_setup_teardown(only_a_machine_that_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_that_does_not_run, setup, teardown),
	};

	return cmocka_run_group_tests_name("ctl/drain", tests, NULL, NULL);
}
