/* wnactl mount, mount repair and history. In the place of systemctl is a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

#define FACT(state, repairs, last)                                                                 \
	"\"facts\": {\"mount-service\": {\"value\": " state ", \"more\": [0, 0, " repairs          \
	", 0], \"text\": \"" last "\", \"why\": \"\", \"since\": \"2026-11-23T05:03:20Z\"},"

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

static void systemctl(const char *body)
{
	FILE *file = fopen(script, "we");

	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", body);
	fclose(file);
	assert_int_equal(chmod(script, 0700), 0);
}

/* One answer after another. */
static void answer(const char *fact)
{
	texts[fake.statuses] = fake_change(healthy, "\"facts\": {", fact);
	fake.status[fake.statuses] = texts[fake.statuses];
	fake.statuses++;
}

static void the_service_is_shown(void **state)
{
	(void)state;
	answer(FACT("4", "3", "new proxy on port 20049, dead proxy: it does not listen"));
	fake_start(&fake, NULL);
	assert_int_equal(mount_show(&fake.ctl), CTL_NO);
	fake_words(&fake);
	assert_non_null(strstr(fake.out, "state     hung, since 2026-11-23T05:03:20Z"));
	assert_non_null(strstr(fake.out, "repairs   3\n"));
	assert_non_null(strstr(fake.out, "last      new proxy on port 20049, dead proxy"));
}

static void a_repair_is_waited_for(void **state)
{
	(void)state;
	systemctl("[ \"$*\" = 'kill --kill-who=main --signal=USR1 web-node-agent-mount.service' ]");
	answer(FACT("2", "1", "new proxy on port 20049, asked for: answers after 1.0 s"));
	answer(FACT("5", "2", "new proxy on port 20049, asked for: answers after 1.0 s"));
	answer(FACT("2", "2", "new proxy on port 20049, asked for: answers after 1.0 s"));
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(mount_repair(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, "new proxy on port 20049, asked for: answers after 1.0 s\n");
	assert_string_equal(fake.err, "");
}

static void a_refusal_is_told(void **state)
{
	(void)state;
	systemctl("exit 0");
	answer(FACT("2", "0", ""));
	answer(FACT("2", "0", "refused at 2026-11-23T05:03:20Z: a repair is under way"));
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(mount_repair(&fake.ctl), CTL_NO);
	fake_words(&fake);
	assert_string_equal(fake.out, "refused at 2026-11-23T05:03:20Z: a repair is under way\n");
}

static void a_service_that_does_not_run(void **state)
{
	(void)state;
	systemctl("exit 1");
	answer(FACT("4", "0", ""));
	fake_start(&fake, NULL);
	assert_int_equal(mount_repair(&fake.ctl), geteuid() == 0 ? CTL_UNREACHABLE : CTL_DENIED);
}

static void a_restarted_keeper_is_told(void **state)
{
	(void)state;
	systemctl("exit 0");
	answer(FACT("4", "2", "repair 2, new proxy on port 20049, dead proxy: no"));
	answer(FACT("4", "0", ""));
	fake_start(&fake, NULL);
	if (geteuid() != 0)
		skip();
	assert_int_equal(mount_repair(&fake.ctl), CTL_NO);
	fake_words(&fake);
	assert_string_equal(fake.err, "wnactl: wna-mount was restarted meanwhile\n");
}

static void history_is_oldest_first(void **state)
{
	(void)state;
	fake_start(&fake, healthy);
	assert_int_equal(history_show(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, "2026-11-22T23:59:59Z  agent: started\n"
	                              "2026-11-23T05:03:20Z  healthz: waiting -> ok\n"
	                              "2026-11-23T05:03:24Z  readyz: waiting -> ok\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_service_is_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(a_repair_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_that_does_not_run, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restarted_keeper_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(history_is_oldest_first, setup, teardown),
	};

	return cmocka_run_group_tests_name("ctl/mount", tests, NULL, NULL);
}
