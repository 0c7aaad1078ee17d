/* wnactl wait: when it ends, and its last line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "clock.h"
#include "fake.h"

static struct fake fake;
static struct view view;
static char *healthy, *failover, *starting;
static char why[768];

static int setup(void **state)
{
	(void)state;
	fake_prepare(&fake);
	healthy = fake_data("healthy.json");
	failover = fake_data("failover.json");
	starting = fake_data("starting.json");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	free(healthy);
	free(failover);
	free(starting);
	return 0;
}

static enum wait_answer judge(const char *text, enum wait_goal goal)
{
	char error[256];

	assert_int_equal(view_parse(text, strlen(text), &view, error, sizeof error), 0);
	return wait_judge(&view, goal, why, sizeof why);
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(wait_goal_of("ready"), WAIT_READY);
	assert_int_equal(wait_goal_of("identity"), WAIT_IDENTITY);
	assert_int_equal(wait_goal_of("mount"), WAIT_GOAL_MAX);
}

static void judges(void **state)
{
	char *text;

	(void)state;
	for (int goal = 0; goal < WAIT_GOAL_MAX; goal++)
		assert_int_equal(judge(healthy, (enum wait_goal)goal), WAIT_DONE);

	assert_int_equal(judge(failover, WAIT_HEALTHY), WAIT_DONE);
	assert_int_equal(judge(failover, WAIT_READY), WAIT_NOT_YET);
	assert_non_null(strstr(why, "/readyz is 503: database: db.example.com: no answer"));
	assert_int_equal(judge(failover, WAIT_DATABASE), WAIT_NOT_YET);
	assert_non_null(strstr(why, "database: degraded: db.example.com: no answer"));
	assert_int_equal(judge(failover, WAIT_MOUNTED), WAIT_DONE);

	assert_int_equal(judge(starting, WAIT_MOUNTED), WAIT_NOT_YET);
	assert_non_null(strstr(why, "mount: waiting: mount target fs-"));
	assert_int_equal(judge(starting, WAIT_METRICS), WAIT_IS_OFF);
	assert_non_null(strstr(why, "job metrics is switched off"));

	/* The goal "metrics" needs an accepted push; the state ok is not enough. */
	text = fake_change(healthy, "\"value\": 1153", "\"value\": 0");
	assert_int_equal(judge(text, WAIT_METRICS), WAIT_NOT_YET);
	assert_string_equal(why, "metrics: nothing sent yet");
	free(text);
	text = fake_change(healthy, "\"push-sent\"", "\"push-other\"");
	assert_int_equal(judge(text, WAIT_METRICS), WAIT_NOT_YET);
	free(text);
	text = fake_change(healthy, "\"name\": \"mount\"", "\"name\": \"other\"");
	assert_int_equal(judge(text, WAIT_MOUNTED), WAIT_NO_JOB);
	free(text);
}

/* Booted while it drains: units that need the jobs start. */
static void judges_a_drained_node(void **state)
{
	const struct view_page draining = { .code = 503, .level = LEVEL_DRAINING };

	(void)state;
	assert_int_equal(judge(healthy, WAIT_READY), WAIT_DONE);
	view.healthz = view.readyz = draining;
	assert_int_equal(wait_judge(&view, WAIT_READY, why, sizeof why), WAIT_DONE);
	assert_int_equal(wait_judge(&view, WAIT_HEALTHY, why, sizeof why), WAIT_NOT_YET);
	assert_int_equal(judge(failover, WAIT_READY), WAIT_NOT_YET);
	view.healthz = view.readyz = draining;
	assert_int_equal(wait_judge(&view, WAIT_READY, why, sizeof why), WAIT_NOT_YET);
	assert_non_null(strstr(why, "database: degraded: db.example.com: no answer within 2.0 s"));
}

static void waits_until_it_is_so(void **state)
{
	(void)state;
	fake.status[0] = starting;
	fake.status[1] = starting;
	fake.status[2] = ""; /* the core is exchanged meanwhile */
	fake.status[3] = failover;
	fake.status[4] = healthy;
	fake.statuses = 5;
	fake_start(&fake, NULL);
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 20000), CTL_OK);
	assert_int_equal(atomic_load(&fake.asked), 5);
	fake_words(&fake);
	assert_string_equal(fake.out, "");
	/* One line for each new reason, none for the same again. */
	assert_string_equal(fake_last(fake.err) + strlen("wnactl: ready after 0.0"), " s");
	assert_non_null(strstr(
	        fake.err,
	        "wnactl: waiting for ready: /readyz is 503: mount: nothing heard yet\n"
	        "wnactl: waiting for ready: the agent closed the connection without an answer\n"
	        "wnactl: waiting for ready: /readyz is 503: database: "
	        "db.example.com: no answer"));
}

static void a_counting_reason_is_not_repeated(void **state)
{
	char *first = fake_change(failover, "within 2.0 s", "for 12 s");
	char *second = fake_change(failover, "within 2.0 s", "for 13 s");
	char *text1 = fake_change(first, "within 2.0 s", "for 12 s");
	char *text2 = fake_change(second, "within 2.0 s", "for 13 s");

	(void)state;
	fake.status[0] = text1;
	fake.status[1] = text2;
	fake.status[2] = healthy;
	fake.statuses = 3;
	fake_start(&fake, NULL);
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 20000), CTL_OK);
	fake_words(&fake);
	assert_non_null(strstr(fake.err, "for 12 s"));
	assert_null(strstr(fake.err, "for 13 s"));
	free(text1);
	free(text2);
	free(first);
	free(second);
}

static void last_words(void **state)
{
	(void)state;
	fake_start(&fake, failover);
	assert_int_equal(wait_for(&fake.ctl, WAIT_DATABASE, 0), CTL_TIMEOUT);
	fake_words(&fake);
	assert_string_equal(fake_last(fake.err),
	                    "wnactl: gave up waiting for database after 0.0 s: database: degraded: "
	                    "db.example.com: no answer within 2.0 s");
}

static void off_is_said_at_once(void **state)
{
	(void)state;
	fake_start(&fake, starting);
	assert_int_equal(wait_for(&fake.ctl, WAIT_METRICS, 3600000), CTL_OFF);
	assert_int_equal(atomic_load(&fake.asked), 1);
	fake_words(&fake);
	assert_string_equal(fake.err,
	                    "wnactl: cannot wait for metrics: job metrics is switched off "
	                    "in agent.conf\n");
}

static void not_running_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 20), CTL_TIMEOUT);
	fake_words(&fake);
	assert_non_null(strstr(fake_last(fake.err), "the agent does not run"));
}

/* The agent is stopped, for example: the wait ends at the limit also without an answer. */
static void no_answer_costs_no_more_than_the_limit(void **state)
{
	int64_t began = clock_ms();

	(void)state;
	fake.statuses = 1; /* NULL */
	fake_start(&fake, NULL);
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 300), CTL_TIMEOUT);
	assert_in_range(clock_ms() - began, 300, 5000);
	fake_words(&fake);
	assert_non_null(strstr(fake_last(fake.err), "gave up waiting for ready after 0."));
}

static void garbage_is_not_waited_for(void **state)
{
	(void)state;
	fake_start(&fake, "HTTP/1.1 400 Bad Request\r\n\r\n");
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 3600000), CTL_BAD);
	assert_true(atomic_load(&fake.asked) > 1);
	/* Less time does not change the exit code. */
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 0), CTL_BAD);
	fake_words(&fake);
	assert_non_null(strstr(fake_last(fake.err), "the answer is not the agent's"));
}

/* A core that is killed twice while it answers. */
static void an_answer_cut_short_is_no_refusal(void **state)
{
	char *cut = strdup(healthy);

	(void)state;
	assert_non_null(cut);
	cut[strlen(cut) / 2] = '\0';
	fake.ctl.firm_ms = 3600000;
	fake.status[0] = cut;
	fake.status[1] = starting;
	fake.status[2] = cut;
	fake.status[3] = cut;
	fake.status[4] = healthy;
	fake.statuses = 5;
	fake_start(&fake, NULL);
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 20000), CTL_OK);
	assert_int_equal(atomic_load(&fake.asked), 5);
	free(cut);
}

static void a_terminal_gets_one_line(void **state)
{
	(void)state;
	fake.ctl.err_tty = true;
	fake.ctl.width = 40;
	fake.status[0] = failover;
	fake.status[1] = healthy;
	fake.statuses = 2;
	fake_start(&fake, NULL);
	assert_int_equal(wait_for(&fake.ctl, WAIT_READY, 20000), CTL_OK);
	fake_words(&fake);
	assert_int_equal(fake.err[0], '\r');
	assert_non_null(strstr(fake.err, "~\033[K\r\033[Kwnactl: ready after "));
	assert_ptr_equal(strchr(fake.err, '\n'), fake.err + strlen(fake.err) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(judges, setup, teardown),
		cmocka_unit_test_setup_teardown(judges_a_drained_node, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_until_it_is_so, setup, teardown),
		cmocka_unit_test_setup_teardown(a_counting_reason_is_not_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(last_words, setup, teardown),
		cmocka_unit_test_setup_teardown(off_is_said_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(not_running_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(no_answer_costs_no_more_than_the_limit, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(garbage_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_cut_short_is_no_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(a_terminal_gets_one_line, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
