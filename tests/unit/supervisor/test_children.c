/* Workers and one-shots under a real wnad. */
#include "fake.c"
#include "rig.c"

#include <sys/ptrace.h>

#define METRICS_OFF "[metrics]\nenabled = no\n"
#define MOUNT                                                                                      \
	"[mount]\nenabled = yes\npath = /run/t/mnt\ntype = tmpfs\nsource = none\n"                 \
	"timeout = 1s\n"
#define MOUNT_ON MOUNT "probe_timeout = 100ms\n" METRICS_OFF
#define CHECK_ON "[check web]\ntype = tcp\naddress = 127.0.0.1:80\n" METRICS_OFF
#define SECRET   RIG_DIR "/password"
#define DATABASE_ON                                                                                \
	"[database]\nenabled = yes\nendpoint = db.test\npassword_file = " SECRET "\n"              \
	"tls = off\n" METRICS_OFF

static void order(unsigned verb, unsigned arg, unsigned key, long value)
{
	rig_tell(rig_pid("core"), "order %u %u %u %ld", verb, arg, key, value);
}

static void one_shot_runs_and_its_facts_are_stamped(void **state)
{
	pid_t wnad;

	(void)state;
	/* Everything runs to its end, also where a start takes 100 ms. */
	rig_conf(MOUNT METRICS_OFF);
	rig_mode("mount", "ok");
	wnad = rig_start();
	order(ORDER_MOUNT, 0, 0, 0);
	/* Root, with the capabilities of its job and able to run mount.nfs. */
	rig_expect("mount hello * arg=0 uid=0 gid=0 groups=none bounding=00000000002046eb "
	           "effective=00000000002046eb nnp=0 securebits=0 death=9 leader=1 * core=0 "
	           "fds=0,1,2,3,4,6 *");
	rig_expect("core got pid=* role=2 slot=0 * value=1 text=done*");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=2 value=0 text=1 run why=");
	/* Numbers that do not exist start nothing. */
	rig_mark();
	order(ORDER_MOUNT, 1, 0, 0);
	rig_expect("*wnad debug: mount: ordered with a number that does not exist");
	order(ORDER_HOOK, HOOK_RDS_CHANGE, 0, 0);
	rig_expect("*wnad debug: hook: ordered, but not configured");
	order(ORDER_PROBE, 0, 0, 0);
	rig_expect("probe hello * arg=0 uid=7002 * bounding=0000000000000000 * nnp=1 *");
	assert_int_equal(rig_count("mount hello*"), 0);
	assert_int_equal(rig_stop(wnad), 0);
}

static void deaf_one_shot_climbs_the_ladder(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf(MOUNT_ON);
	rig_mode("mount", "deaf");
	wnad = rig_start();
	order(ORDER_MOUNT, 0, 0, 0);
	rig_expect("mount hello*");
	order(ORDER_MOUNT, 0, 0, 0);
	rig_expect("*wnad debug: mount: ordered, but the last one is still there (running)");
	rig_expect("*wnad warning: mount: timed out after *, asking group * to leave");
	rig_expect("*wnad warning: mount: timed out after *, did not leave when asked, killing *");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=2 value=0 * why=timed out after *; "
	           "killed by signal 9 (SIGKILL) after *");
	assert_int_equal(rig_count("mount hello*"), 1);
	/* And the next one gets its chance. */
	rig_mode("mount", "ok");
	order(ORDER_MOUNT, 0, 0, 0);
	rig_expect("core got pid=* role=2 * text=done*");
	assert_int_equal(rig_stop(wnad), 0);
}

static void uninterruptible_one_dies_by_the_kill(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf(MOUNT_ON);
	rig_mode("probe", "dstate");
	wnad = rig_start();
	order(ORDER_PROBE, 0, 0, 0);
	rig_expect("*wnad warning: probe: timed out after 0.1 s, killing group *");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=3 value=0 * why=timed out *");
	rig_mode("probe", "ok");
	assert_int_equal(rig_stop(wnad), 0);
}

static void group_is_swept_but_a_daemon_is_spared(void **state)
{
	pid_t wnad, helper, daemon;

	(void)state;
	rig_conf(MOUNT_ON);
	rig_mode("mount", "straggler");
	wnad = rig_start();
	order(ORDER_MOUNT, 0, 0, 0);
	helper = (pid_t)rig_number(rig_expect("mount helper *"), "pid=");
	daemon = (pid_t)rig_number(rig_expect("mount daemon *"), "pid=");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=2 value=0 text=1 run *");
	rig_ends(helper);
	assert_int_equal(kill(daemon, 0), 0);
	assert_int_equal(rig_stop(wnad), 0);
	assert_int_equal(kill(daemon, 0), 0);
	rig_mode("mount", "ok");
	kill(daemon, SIGKILL);
}

/* The leader dies of SIGTERM, as wna-mount does; its helper has as long as any
 * other, and no longer. */
static void group_may_tidy_up_after_its_leader(void **state)
{
	pid_t wnad, helper;

	(void)state;
	rig_conf(MOUNT_ON);
	rig_mode("mount", "tidy");
	wnad = rig_start();
	order(ORDER_MOUNT, 0, 0, 0);
	helper = (pid_t)rig_number(rig_expect("mount tidies *"), "pid=");
	rig_expect("*wnad debug: mount: * is gone, the rest of its group may tidy up");
	order(ORDER_MOUNT, 0, 0, 0);
	rig_expect("*wnad debug: mount: ordered, but the last one is still there (term)");
	rig_tell(helper, "done");
	rig_expect("mount tidied *");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=2 value=0 * why=timed out after *; "
	           "killed by signal 15 (SIGTERM) after *");
	assert_int_equal(rig_count("*killing group*"), 0);
	/* One that does not come to an end. */
	rig_mark();
	order(ORDER_MOUNT, 0, 0, 0);
	helper = (pid_t)rig_number(rig_expect("mount tidies *"), "pid=");
	rig_expect("*wnad warning: mount: timed out after *, did not leave when asked, killing *");
	rig_ends(helper);
	rig_expect("core got pid=* role=0 slot=0 id=2 of=2 value=0 *");
	rig_mode("mount", "ok");
	assert_int_equal(rig_stop(wnad), 0);
}

static void refused(unsigned verb, unsigned arg, unsigned key)
{
	rig_mark();
	order(verb, arg, key, 1);
	rig_expect("*told a role or key that does not exist");
}

/* The only child of a process, as the kernel lists it. */
static pid_t child_of(pid_t pid)
{
	int64_t until = clock_ms() + RIG_WAIT_MS;
	char path[64], text[32];

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	while (clock_ms() < until) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof text - 1);

		close(fd);
		text[n > 0 ? n : 0] = '\0';
		if (n > 0)
			return (pid_t)strtol(text, NULL, 10);
		sched_yield();
	}
	fail_msg("%d has no child", pid);
	return -1;
}

/*
 * A process that survives SIGKILL, on any kernel: the init of a pid namespace
 * waits for its child, and the child, which we trace, waits for us to bury it.
 */
static void stuck_one_blocks_its_slot_until_it_is_given_back(void **state)
{
	pid_t wnad, helper, traced;

	(void)state;
	rig_conf(MOUNT_ON);
	rig_mode("mount", "stuck");
	wnad = rig_start();
	order(ORDER_MOUNT, 0, 0, 0);
	helper = (pid_t)rig_number(rig_expect("mount stuck *"), "pid=");
	traced = child_of(helper);
	assert_int_equal(ptrace(PTRACE_SEIZE, traced, NULL, NULL), 0);
	rig_expect("*wnad error: mount: group * survived SIGKILL, it is stuck in the kernel");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=2 value=4 *");
	rig_expect("systemd got STATUS=*mount stuck; 1 stuck");
	order(ORDER_MOUNT, 0, 0, 0);
	rig_expect("*wnad debug: mount: ordered, but the last one is still there (stuck)");
	assert_int_equal(rig_count("mount hello *"), 1);
	/* Everybody else goes on. */
	assert_int_equal(rig_ask(), rig_pid("core"));
	rig_mode("mount", "ok");
	assert_int_equal(waitpid(traced, NULL, __WALL), traced);
	rig_expect("*wnad info: mount: the kernel gave group * back");
	order(ORDER_MOUNT, 0, 0, 0);
	rig_expect("core got pid=* role=2 slot=0 * text=done*");
	assert_int_equal(rig_stop(wnad), 0);
}

/* The same at the end of wnad: it does not wait for what cannot end. */
static void stuck_one_does_not_hold_up_a_stop(void **state)
{
	pid_t wnad, helper, traced;
	int64_t began;

	(void)state;
	rig_conf(MOUNT_ON);
	rig_mode("mount", "stuck");
	wnad = rig_start();
	order(ORDER_MOUNT, 0, 0, 0);
	helper = (pid_t)rig_number(rig_expect("mount stuck *"), "pid=");
	traced = child_of(helper);
	assert_int_equal(ptrace(PTRACE_SEIZE, traced, NULL, NULL), 0);
	began = clock_ms();
	assert_int_equal(rig_stop(wnad), 0);
	assert_in_range(clock_ms() - began, 0, 8000);
	assert_int_equal(kill(helper, 0), 0);
	rig_mode("mount", "ok");
	assert_int_equal(waitpid(traced, NULL, __WALL), traced);
}

static void told_again_after_a_restart(void **state)
{
	pid_t wnad, cloud;

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	rig_expect("cloud listens *");
	order(ORDER_TELL, ROLE_CLOUD, TELL_HEALTHY, 1);
	rig_expect("cloud got pid=* type=3 id=1 value=1");
	cloud = rig_pid("cloud");
	rig_mark();
	rig_tell(cloud, "exit 3");
	rig_expect("*wnad warning: cloud: * exited with code 3 after *");
	rig_expect("cloud got pid=* type=3 id=1 value=1");
	assert_int_not_equal(rig_pid("cloud"), cloud);
	/* To one-shots, to a core, by a key that does not exist: refused. */
	refused(ORDER_TELL, ROLE_MOUNT, TELL_HEALTHY);
	refused(ORDER_TELL, ROLE_CORE, TELL_HEALTHY);
	refused(ORDER_TELL, ROLE_CLOUD, TELL_MAX);
	order(ORDER_REFRESH, 0, 0, 0);
	rig_expect("cloud got pid=* type=4 *");
	assert_int_equal(rig_stop(wnad), 0);
}

static void malformed_and_silent_socket(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	rig_expect("cloud listens *");
	rig_tell(rig_pid("cloud"), "garbage");
	rig_expect("*wnad debug: cloud: sent a malformed datagram");
	rig_tell(rig_pid("cloud"), "fact %d 7 hello", FACT_CPU);
	rig_expect("core got pid=* role=6 slot=0 id=* of=0 value=7 text=hello why=");
	rig_tell(rig_pid("cloud"), "close");
	rig_expect("*wnad warning: cloud: closed its socket, killing group *");
	assert_int_equal(rig_stop(wnad), 0);
}

/* A core that does not read loses messages, and wnad says how many. */
static void lost_messages_are_counted(void **state)
{
	enum { MESSAGES = 2000 };
	pid_t wnad, core;

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	rig_expect("cloud listens *");
	core = rig_pid("core");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=0 value=1 text=pid * why=");
	assert_int_equal(rig_count("core got pid=* role=0 * lost *"), 0);
	kill(core, SIGSTOP);
	for (int i = 0; i < MESSAGES; i++)
		rig_tell(rig_pid("cloud"), "fact %d %d x", FACT_CPU, i);
	kill(core, SIGKILL);
	rig_expect(
	        "core got pid=* role=0 slot=0 id=2 of=0 value=1 text=pid *, * messages lost why=");
	assert_int_equal(rig_stop(wnad), 0);
}

static void reopening_is_no_failure(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	rig_expect("cloud listens *");
	rig_tell(rig_pid("cloud"), "exit %d", WORKER_EXIT_REOPEN);
	rig_expect("*wnad info: cloud: * asked for its files anew after *");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=6 value=5 *");
	rig_mark();
	rig_expect("cloud hello *");
	assert_int_equal(rig_stop(wnad), 0);
}

static void secret_is_handed_over_only_when_it_is_one(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf(DATABASE_ON);
	write_file(SECRET, "hunter2\n", 0600);
	assert_int_equal(chmod(SECRET, 0644), 0);
	wnad = rig_start();
	rig_expect("*wnad error: rds: not started: database.password_file: is open to others;*");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=5 value=5 text=0 restarts "
	           "why=database.password_file: is open to others*");
	assert_int_equal(rig_count("rds hello*"), 0);
	assert_int_equal(chmod(SECRET, 0600), 0);
	rig_expect("rds hello * uid=7004 * fds=0,1,2,3,4,5,6 *");
	rig_expect("rds secret pid=* hunter2");
	/* Nobody else has it, not even as a number. */
	rig_expect("cloud hello * fds=0,1,2,3,4,6 *");
	assert_int_equal(rig_stop(wnad), 0);
}

/* Whoever orders it: a core that starts cannot know what the last one ordered. */
static void a_change_has_one_hook(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf("[hooks]\nenabled = yes\n" DATABASE_ON);
	write_file(SECRET, "hunter2\n", 0600);
	rig_mode("hook", "ok");
	wnad = rig_start();
	order(ORDER_HOOK, HOOK_RDS_CHANGE, 0, 3);
	rig_expect("core got pid=* role=0 slot=0 id=2 of=7 value=0 text=1 run why=");
	rig_mark();
	kill(rig_pid("core"), SIGKILL);
	rig_expect("core listens *");
	order(ORDER_HOOK, HOOK_RDS_CHANGE, 0, 3);
	rig_expect("*wnad debug: hook: ordered again for change 3");
	assert_int_equal(rig_count("hook hello*"), 0);
	order(ORDER_HOOK, HOOK_RDS_CHANGE, 0, 4);
	rig_expect("core got pid=* role=0 slot=0 id=2 of=7 value=0 text=2 runs why=");
	/* A new wna-rds counts anew. */
	rig_mark();
	kill(rig_pid("rds"), SIGKILL);
	rig_expect("rds hello *");
	order(ORDER_HOOK, HOOK_RDS_CHANGE, 0, 4);
	rig_expect("hook hello *");
	assert_int_equal(rig_stop(wnad), 0);
}

static void reload_restarts_who_is_concerned(void **state)
{
	pid_t wnad, cloud;

	(void)state;
	rig_conf(CHECK_ON);
	wnad = rig_start();
	rig_expect("check listens *");
	rig_expect("cloud listens *");
	cloud = rig_pid("cloud");
	rig_mark();
	rig_conf("[check web]\ntype = tcp\naddress = 127.0.0.1:81\n" METRICS_OFF);
	kill(wnad, SIGHUP);
	rig_expect("check hello *");
	rig_expect("core leaves *");
	assert_int_equal(rig_count("cloud hello *"), 0);
	assert_int_equal(kill(cloud, 0), 0);
	/* A job that is gone takes its worker along. */
	rig_mark();
	rig_conf(METRICS_OFF);
	kill(wnad, SIGHUP);
	rig_expect("*wnad info: check: * not configured any more; ended as asked *");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=4 value=0 *");
	/* The log level concerns everybody. */
	rig_mark();
	rig_conf("[agent]\nlog_level = info\n[imds]\ntimeout = 2s\n" METRICS_OFF);
	kill(wnad, SIGHUP);
	rig_expect("cloud hello *");
	assert_int_equal(rig_stop(wnad), 0);
}

static int tests(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(one_shot_runs_and_its_facts_are_stamped),
		cmocka_unit_test(deaf_one_shot_climbs_the_ladder),
		cmocka_unit_test(uninterruptible_one_dies_by_the_kill),
		cmocka_unit_test(group_is_swept_but_a_daemon_is_spared),
		cmocka_unit_test(group_may_tidy_up_after_its_leader),
		cmocka_unit_test(stuck_one_blocks_its_slot_until_it_is_given_back),
		cmocka_unit_test(stuck_one_does_not_hold_up_a_stop),
		cmocka_unit_test(told_again_after_a_restart),
		cmocka_unit_test(malformed_and_silent_socket),
		cmocka_unit_test(lost_messages_are_counted),
		cmocka_unit_test(reopening_is_no_failure),
		cmocka_unit_test(secret_is_handed_over_only_when_it_is_one),
		cmocka_unit_test(a_change_has_one_hook),
		cmocka_unit_test(reload_restarts_who_is_concerned),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return rig_main(argc, argv, tests);
}
