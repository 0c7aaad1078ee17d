/*
 * Workers that hang, under a real wnad and in real time, which is why they all
 * hang at once: the longest limit here is 15 s.
 */
#include "fake.c"
#include "rig.c"

static void silent_ones_are_replaced(void **state)
{
	pid_t wnad, first, check;

	(void)state;
	rig_conf("[check web]\ntype = tcp\naddress = 127.0.0.1:80\n[metrics]\nenabled = no\n");
	wnad = rig_start();
	rig_expect("check listens *");
	first = rig_pid("core");
	check = rig_pid("check");
	rig_mark();
	rig_tell(first, "silent");
	rig_tell(check, "silent");
	/* Connects that come while it hangs are answered by its successor. */
	rig_expect_within("*wnad warning: core: silent for 5.* s, killing group *", 8000);
	assert_int_not_equal(rig_ask(), first);
	assert_int_equal(rig_count("*check: silent*"), 0);
	rig_expect_within("*wnad warning: check: silent for 1* s, killing group *", 14000);
	rig_expect("check listens *");
	assert_int_not_equal(rig_pid("check"), check);
	rig_expect("core got pid=* role=0 slot=0 id=2 of=4 value=1 text=pid *, 1 restart "
	           "why=silent for *; killed by signal 9 (SIGKILL) after *");
	assert_int_equal(rig_count("*cloud: silent*"), 0);
	assert_int_equal(rig_stop(wnad), 0);
}

/* A new configuration whose core never turns: the old core goes on answering. */
static void successor_that_never_beats_replaces_nobody(void **state)
{
	static const char mount_on[] = "[mount]\nenabled = yes\npath = /run/t/mnt\n"
	                               "type = tmpfs\nsource = none\n[metrics]\nenabled = no\n";
	const char *log;
	char text[512];
	pid_t wnad, first;

	(void)state;
	rig_conf(mount_on);
	wnad = rig_start();
	first = rig_pid("core");
	rig_mark();
	rig_mode("core", "mute");
	snprintf(text, sizeof text, "max_connections = 99\n%s", mount_on);
	rig_conf(text);
	kill(wnad, SIGHUP);
	rig_expect("core hello *");
	assert_int_equal(rig_ask(), first);
	rig_mode("core", "ok");
	rig_expect_within("*wnad warning: core: silent for 5.* s, killing group *", 8000);
	/* What it ordered was not obeyed, since it never took over. */
	assert_int_equal(rig_count("mount hello *"), 0);
	/* The next one does, and the present one leaves for that one only. */
	rig_expect("core leaves *");
	log = rig_log() + rig.mark;
	assert_true(strstr(log, "core leaves ") > strstr(log, "core: silent for "));
	assert_int_not_equal(rig_ask(), first);
	assert_int_equal(rig_stop(wnad), 0);
}

static int tests(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(successor_that_never_beats_replaces_nobody),
		cmocka_unit_test(silent_ones_are_replaced),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return rig_main(argc, argv, tests);
}
