/* The hub: every way in which the other side may behave. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

static struct fake fake;
static char *text;
static size_t len;

static int setup(void **state)
{
	(void)state;
	text = NULL;
	len = 0;
	fake_prepare(&fake);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(text);
	fake_stop(&fake);
	return 0;
}

static void whole_answer(void **state)
{
	static char large[128 * 1024]; /* as long as the agent's longest */

	(void)state;
	memset(large, 'x', sizeof large - 1);
	fake_start(&fake, large);
	assert_int_equal(talk(fake.path, ASK_STATUS, 20000, &text, &len), 0);
	assert_int_equal(len, sizeof large - 1);
	assert_string_equal(text, large);
}

static void too_long(void **state)
{
	static char large[TALK_MAX + 1];

	(void)state;
	memset(large, 'x', sizeof large - 1);
	fake_start(&fake, large);
	assert_int_equal(talk(fake.path, ASK_STATUS, 20000, &text, &len), -EMSGSIZE);
	assert_null(text);
}

static void nobody(void **state)
{
	char path[200];

	(void)state;
	assert_int_equal(talk(fake.path, ASK_STATUS, 20000, &text, &len), -ENOENT);
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(talk(path, ASK_STATUS, 20000, &text, &len), -ENAMETOOLONG);
	/* The socket's file exists, but no process listens. */
	fake_start(&fake, "");
	shutdown(fake.listener, SHUT_RDWR);
	pthread_join(fake.thread, NULL);
	close(fake.listener);
	fake.listener = -1;
	assert_int_equal(talk(fake.path, ASK_STATUS, 20000, &text, &len), -ECONNREFUSED);
}

static void silence(void **state)
{
	(void)state;
	fake_start(&fake, NULL);
	assert_int_equal(talk(fake.path, ASK_STATUS, 50, &text, &len), -ETIMEDOUT);
	fake.ctl.answer_ms = 50;
	assert_int_equal(status_once(&fake.ctl, false, false), CTL_UNREACHABLE);
	fake_words(&fake);
	/* What follows is of this machine. */
	assert_int_equal(strncmp(fake.err, "wnactl: the agent does not answer\n", 34), 0);
}

static void absent(const char *units, const char *file)
{
	FILE *from = fmemopen((char *)units, strlen(units), "r");

	assert_non_null(from);
	rewind(fake.ctl.err);
	absent_tell(&fake.ctl, from, file);
	fputc('\0', fake.ctl.err);
	fclose(from);
	fake_words(&fake);
}

/* Why the agent does not run: the first unit that is not as it should be, and the configuration. */
static void why_it_does_not_run(void **state)
{
	static const char well[] = "Result=success\nId=web-node-agent.service\nLoadState=loaded\n"
	                           "ActiveState=active\n";
	char units[512], file[128];
	FILE *conf;

	(void)state;
	snprintf(file, sizeof file, "%s/agent.conf", fake.dir);
	conf = fopen(file, "we");
	assert_non_null(conf);
	fclose(conf);
	snprintf(units, sizeof units,
	         "%s\nResult=core-dump\nId=web-node-agent-core.service\nLoadState=loaded\n"
	         "ActiveState=failed\n",
	         well);
	absent(units, file);
	assert_string_equal(fake.err,
	                    "  web-node-agent-core.service: failed (core-dump)\n"
	                    "    do: Read journalctl -n 20 -u web-node-agent-core.service.\n");
	absent("Id=web-node-agent.service\nLoadState=not-found\nActiveState=inactive\n", file);
	assert_non_null(strstr(fake.err, "web-node-agent.service: not-found\n"));
	absent("Result=success\nId=web-node-agent.service\nLoadState=loaded\n"
	       "ActiveState=inactive\n",
	       file);
	assert_non_null(strstr(fake.err, "do: sudo systemctl start web-node-agent\n"));
	conf = fopen(file, "we");
	fputs("[health]\nlisten = 8099\n", conf);
	fclose(conf);
	absent(well, file);
	assert_non_null(strstr(fake.err, "'.\n"
	                                 "  the configuration is not good:\n"));
	assert_non_null(strstr(fake.err, "/agent.conf:2: health.listen: "));
	assert_non_null(strstr(fake.err, "sudo wnactl check"));
	unlink(file);
}

/* 0 well, 1 degraded and serving, 2 out of service. */
static void an_exit_code_for_each_verdict(void **state)
{
	char *degraded = fake_keep(&fake, "failover.json"),
	     *out = fake_keep(&fake, "starting.json");

	(void)state;
	fake.status[0] = degraded;
	fake.status[1] = out;
	fake.statuses = 2;
	fake_start(&fake, NULL);
	assert_int_equal(status_once(&fake.ctl, true, false), 1);
	assert_int_equal(status_once(&fake.ctl, true, false), 2);
}

/* On a terminal the page is cut below its verdict, and says so. */
static void a_terminal_too_low(void **state)
{
	char *failing = fake_keep(&fake, "failover.json");

	(void)state;
	fake.ctl.out_tty = true;
	fake.ctl.height = 8;
	fake_start(&fake, failing);
	status_once(&fake.ctl, false, false);
	fake_words(&fake);
	assert_int_equal(screen_lines(fake.out), 7);
	assert_int_equal(strncmp(fake.out, "IN SERVICE, DEGRADED", 20), 0);
	assert_string_equal(fake_last(fake.out), "[more: wnactl status -v | less]");
}

static void hung_up(void **state)
{
	(void)state;
	fake_start(&fake, "");
	assert_int_equal(talk(fake.path, ASK_STATUS, 20000, &text, &len), -ECONNRESET);
}

static void status_codes(void **state)
{
	char *failing = fake_keep(&fake, "failover.json");
	char *well = fake_keep(&fake, "healthy.json");

	(void)state;
	fake.status[0] = well;
	fake.status[1] = failing;
	fake.status[2] = well;
	fake.status[3] = "<html>";
	fake.status[4] = "{\"healthz\":{\"code\":200}}";
	fake.statuses = 5;
	fake_start(&fake, NULL);
	assert_int_equal(status_once(&fake.ctl, false, false), CTL_OK);
	assert_int_equal(status_once(&fake.ctl, false, false), CTL_NO);
	fake_words(&fake);
	assert_non_null(strstr(fake.out, "/readyz 200 ok"));
	assert_non_null(strstr(fake.out, "/readyz 503 fail"));
	fflush(fake.ctl.out);
	rewind(fake.ctl.out);
	/* --json is what the agent said, byte by byte. */
	assert_int_equal(status_once(&fake.ctl, true, false), CTL_OK);
	fake_words(&fake);
	assert_int_equal(strncmp(fake.out, well, strlen(well)), 0);
	assert_int_equal(status_once(&fake.ctl, true, false), CTL_BAD);
	fake_words(&fake);
	assert_string_equal(fake_last(fake.err),
	                    "wnactl: the answer is not the agent's: not a JSON object");
	assert_int_equal(status_once(&fake.ctl, false, false), CTL_BAD);
	fake_words(&fake);
	assert_string_equal(fake_last(fake.err), "wnactl: the answer is not the agent's: "
	                                         "healthz.level: expected to be there");
}

static void exit_codes(void **state)
{
	(void)state;
	assert_int_equal(ctl_complain(&fake.ctl, -ENOENT, ""), CTL_UNREACHABLE);
	assert_int_equal(ctl_complain(&fake.ctl, -EACCES, ""), CTL_DENIED);
	assert_int_equal(ctl_complain(&fake.ctl, -EBADMSG, "x"), CTL_BAD);
	assert_int_equal(ctl_complain(&fake.ctl, -EMSGSIZE, ""), CTL_BAD);
	assert_int_equal(ctl_complain(&fake.ctl, -EAGAIN, ""), CTL_UNREACHABLE);
	fake_words(&fake);
	assert_non_null(strstr(fake.err, "is for root and group wna"));
	assert_non_null(strstr(fake.err, "nothing listens at"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(silence, setup, teardown),
		cmocka_unit_test_setup_teardown(hung_up, setup, teardown),
		cmocka_unit_test_setup_teardown(status_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(why_it_does_not_run, setup, teardown),
		cmocka_unit_test_setup_teardown(an_exit_code_for_each_verdict, setup, teardown),
		cmocka_unit_test_setup_teardown(a_terminal_too_low, setup, teardown),
		cmocka_unit_test_setup_teardown(exit_codes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
