/* status --watch: page after page, through a restart of the agent, until SIGINT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

static struct fake fake;
static char *healthy, *failover, *later;

static int setup(void **state)
{
	(void)state;
	fake_prepare(&fake);
	healthy = fake_data("healthy.json");
	failover = fake_data("failover.json");
	later = fake_change(healthy, "08:15:30Z", "08:15:31Z");
	fake.status[0] = healthy;
	fake.status[1] = later;
	fake.status[2] = ""; /* restarted */
	fake.status[3] = "";
	fake.status[4] = failover;
	fake.statuses = 5;
	fake.signal_at = 6;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	free(healthy);
	free(failover);
	free(later);
	return 0;
}

static int count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void a_terminal_is_drawn_in_place(void **state)
{
	static const char last[] = "\033[J\033[?25h\n";

	(void)state;
	fake.ctl.out_tty = true;
	fake_start(&fake, NULL);
	assert_int_equal(status_watch(&fake.ctl, false), CTL_OK);
	fake_words(&fake);
	assert_int_equal(strncmp(fake.out, "\033[?25l", 6), 0);
	assert_int_equal(count(fake.out, "\033[H"), atomic_load(&fake.asked) + 1);
	assert_int_equal(count(fake.out, "web-node-agent 0.1.0"), atomic_load(&fake.asked));
	assert_int_equal(count(fake.out, "No answer since "), 2);
	/* The cursor is given back, and only then. */
	assert_int_equal(count(fake.out, "\033[?25h"), 1);
	assert_string_equal(fake.out + strlen(fake.out) - strlen(last), last);
}

static void a_file_gets_changes_only(void **state)
{
	(void)state;
	fake_start(&fake, NULL);
	assert_int_equal(status_watch(&fake.ctl, false), CTL_OK);
	fake_words(&fake);
	assert_int_equal(count(fake.out, "web-node-agent 0.1.0"), 3);
	assert_int_equal(count(fake.out, "trying again: the agent closed"), 1);
	assert_int_equal(count(fake.out, "\033"), 0);
}

static void an_agent_not_there_yet_is_waited_for(void **state)
{
	(void)state;
	fake.status[0] = "";
	fake.status[1] = healthy;
	fake.statuses = 2;
	fake.signal_at = 3;
	fake_start(&fake, NULL);
	assert_int_equal(status_watch(&fake.ctl, false), CTL_OK);
	fake_words(&fake);
	assert_int_equal(strncmp(fake.out, "No answer since ", 16), 0);
	assert_int_equal(count(fake.out, "what it said last"), 0);
	assert_int_equal(count(fake.out, "web-node-agent 0.1.0"), 1);
}

/* What is too high scrolls under the verdict, and `q` ends it. */
static void keys_scroll_and_end_it(void **state)
{
	int fds[2];

	(void)state;
	fake.ctl.out_tty = true;
	fake.ctl.height = 10;
	fake.ctl.watch_ms = 20000;
	fake.signal_at = 0;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "k\033[B\033[6~?\033[A", 1 + 3 + 4 + 1 + 3), 12);
	assert_int_equal(write(fds[1], "bbjq", 4), 4);
	fake.ctl.in = fds[0];
	fake_start(&fake, failover);
	fake.status[0] = failover;
	assert_int_equal(status_watch(&fake.ctl, true), CTL_OK);
	fake_words(&fake);
	assert_int_equal(atomic_load(&fake.asked), 1);
	assert_int_equal(count(fake.out, "IN SERVICE, DEGRADED for "), 8);
	assert_int_equal(count(fake.out, "[lines 2 to 9 of "), 4);
	assert_int_equal(count(fake.out, "[lines 3 to 10 of "), 2);
	assert_int_equal(count(fake.out, "[lines 8 to 15 of "), 1);
	assert_int_equal(count(fake.out, "[lines 7 to 14 of "), 1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_terminal_is_drawn_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_gets_changes_only, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_scroll_and_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(an_agent_not_there_yet_is_waited_for, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
