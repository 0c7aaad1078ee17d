/* The core's life under a real wnad: start, crash, hang, handover, stop. */
#include "fake.c"
#include "rig.c"

#include "listener.h"
#include "verdict.h"

static const char quiet[] = "[metrics]\nenabled = no\n";

static void reports_to_systemd_and_stores_the_listener(void **state)
{
	struct net_endpoint endpoint;
	pid_t wnad;

	(void)state;
	rig_conf(quiet);
	rig_watchdog(300000);
	wnad = rig_start();
	rig_expect("systemd got FDSTORE=1 FDNAME=health with a descriptor");
	assert_true(net_endpoint_parse("127.0.0.1:8099", &endpoint));
	assert_true(listener_fits(rig_stored_fd(), &endpoint));
	rig_expect("systemd got STATUS=no verdict yet*");
	rig_tell(rig_pid("core"), "order %d %d %d 1", ORDER_VERDICT, LEVEL_OK, LEVEL_FAIL);
	rig_expect("systemd got STATUS=healthz ok, readyz fail");
	rig_mark();
	rig_expect("systemd got WATCHDOG=1");
	rig_watchdog(0);
	rig_mark();
	assert_int_equal(rig_stop(wnad), 0);
	rig_expect("systemd got STOPPING=1");
}

/* systemd's socket takes nothing more, as at a busy boot. */
static void fill_notify_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = RIG_NOTIFY };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	while (sendto(fd, "X=1", 3, 0, (struct sockaddr *)&address, sizeof address) == 3)
		;
	assert_int_equal(errno, EAGAIN);
	close(fd);
}

static void what_systemd_does_not_take_is_said_again(void **state)
{
	int64_t until = clock_ms() + RIG_WAIT_MS;
	struct net_endpoint endpoint;
	pid_t wnad;

	(void)state;
	rig_conf(quiet);
	rig_mark();
	rig_drop_stored_fd();
	fill_notify_socket();
	wnad = rig_start_unready();
	/* Not by rig_expect(), which is systemd too. */
	while (!strstr(rig_log() + rig.mark, "is in charge") && clock_ms() < until)
		poll(&(struct pollfd){ .fd = rig.log_fd, .events = POLLIN }, 1, 10);
	rig_expect("*is in charge");
	rig_expect("systemd got FDSTORE=1 FDNAME=health with a descriptor");
	rig_expect("systemd got READY=1");
	assert_true(net_endpoint_parse("127.0.0.1:8099", &endpoint));
	assert_true(listener_fits(rig_stored_fd(), &endpoint));
	assert_int_equal(rig_stop(wnad), 0);
}

static void is_confined(void **state)
{
	const char *hello;
	pid_t wnad;

	(void)state;
	rig_conf("max_connections = 100\n[metrics]\nenabled = no\n");
	wnad = rig_start();
	hello = rig_expect(
	        "core hello * arg=0 uid=7001 gid=7001 groups=none "
	        "bounding=0000000000000000 effective=0000000000000000 nnp=1 securebits=eb death=9 "
	        "leader=1 nofile=164 core=0 fds=0,1,2,3,4,5,6,7 env=clean");
	assert_non_null(hello);
	/* The SDKs' variables are for cloud alone, and nothing else is for anybody. */
	rig_expect("cloud environment AWS_REGION=ap-northeast-2");
	assert_int_equal(rig_count("core environment *"), 0);
	assert_int_equal(rig_count("* environment LD_*"), 0);
	assert_int_equal(rig_stop(wnad), 0);
}

static void crash_is_no_refusal(void **state)
{
	const char *hello;
	pid_t wnad, first, second;

	(void)state;
	rig_conf(quiet);
	wnad = rig_start();
	first = rig_pid("core");
	assert_int_equal(rig_ask(), first);
	rig_tell(first, "order %d %d %d 1", ORDER_VERDICT, LEVEL_DEGRADED, LEVEL_FAIL);
	rig_expect("systemd got STATUS=healthz degraded*");
	rig_expect("cloud got pid=* type=4 *"); /* the first one's */
	rig_mark();
	kill(first, SIGKILL);
	/* Asked while nobody may be there: waits in the backlog, is not refused. */
	second = rig_ask();
	assert_int_not_equal(second, first);
	hello = rig_expect("core hello *");
	assert_int_equal(rig_number(hello, "pid="), second);
	assert_int_equal(rig_number(hello, "arg="), 1 + LEVEL_DEGRADED);
	/* wnad's own facts reach it at once, with the obituary. */
	rig_expect("core got pid=* role=0 slot=0 id=2 of=1 value=1 text=pid *, 1 restart "
	           "why=killed by signal 9 (SIGKILL) after *");
	rig_expect("*wnad warning: core: * killed by signal 9 (SIGKILL) after*");
	/* And the workers' on its own order, once: a result that is said twice is easily
	 * counted twice. */
	rig_expect("cloud got pid=* type=4 *");
	rig_tell(second, "order %d %d %d 1", ORDER_TELL, ROLE_CLOUD, TELL_HEALTHY);
	rig_expect("cloud got pid=* type=3 *");
	assert_int_equal(rig_count("cloud got pid=* type=4 *"), 1);
	assert_int_equal(rig_stop(wnad), 0);
}

static void new_configuration_is_handed_over(void **state)
{
	pid_t wnad, first, second, cloud;

	(void)state;
	rig_conf(quiet);
	wnad = rig_start();
	rig_expect("cloud got pid=* type=4 *");
	first = rig_pid("core");
	cloud = rig_pid("cloud");
	rig_mark();
	rig_conf("idle_timeout = 90s\n[metrics]\nenabled = no\n");
	kill(wnad, SIGHUP);
	rig_expect("systemd got RELOADING=1 MONOTONIC_USEC=*");
	rig_expect("systemd got READY=1");
	rig_expect("core leaves *");
	second = rig_pid("core");
	assert_int_not_equal(second, first);
	assert_int_equal(rig_ask(), second);
	rig_expect("core got pid=* role=0 slot=0 id=1 of=0 value=2 text=" RIG_CONF " why=");
	rig_tell(second, "order %d %d %d 1", ORDER_TELL, ROLE_CLOUD, TELL_HEALTHY);
	rig_expect("cloud got pid=* type=3 *");
	assert_int_equal(rig_count("cloud got pid=* type=4 *"), 1);
	/* A role that does not depend on the changed part goes on. */
	assert_int_equal(rig_pid("cloud"), cloud);
	assert_int_equal(rig_count("cloud hello*"), 0);
	assert_int_equal(rig_stop(wnad), 0);
}

static void successors_early_orders_are_kept(void **state)
{
	static const char mount_on[] = "[mount]\nenabled = yes\npath = /run/t/mnt\n"
	                               "type = tmpfs\nsource = none\n";
	char text[512];
	pid_t wnad;

	(void)state;
	snprintf(text, sizeof text, "%s%s", mount_on, quiet);
	rig_conf(text);
	wnad = rig_start();
	rig_mark();
	rig_mode("core", "early");
	snprintf(text, sizeof text, "max_connections = 99\n%s%s", mount_on, quiet);
	rig_conf(text);
	kill(wnad, SIGHUP);
	rig_expect("core leaves *");
	rig_expect("core got pid=* role=2 slot=0 * text=done *");
	assert_int_equal(rig_count("mount hello *"), 1);
	rig_mode("core", "ok");
	assert_int_equal(rig_stop(wnad), 0);
}

static void bad_configuration_changes_nothing(void **state)
{
	pid_t wnad, first;

	(void)state;
	rig_conf(quiet);
	wnad = rig_start();
	first = rig_pid("core");
	rig_mark();
	rig_conf("no_such_key = 1\n");
	/* By the core's order, as wnactl reload would have it. */
	rig_tell(first, "order %d 0 0 0", ORDER_RELOAD);
	rig_expect("systemd got STATUS=*new configuration refused: *agent.conf:3: *no_such_key*");
	rig_expect("core got pid=* role=0 slot=0 id=1 of=0 value=1 text=* why=*no_such_key*");
	assert_int_equal(rig_ask(), first);
	rig_mark();
	rig_conf(quiet);
	kill(wnad, SIGHUP);
	rig_expect("core got pid=* role=0 slot=0 id=1 of=0 value=2 text=* why=");
	assert_int_equal(rig_count("core hello*"), 0);
	assert_int_equal(rig_stop(wnad), 0);
}

static void new_address_replaces_the_stored_listener(void **state)
{
	struct net_endpoint endpoint;
	pid_t wnad;

	(void)state;
	rig_conf(quiet);
	wnad = rig_start();
	rig_mark();
	write_file(RIG_CONF, "[health]\nlisten = [::]:9000\n", 0644);
	kill(wnad, SIGHUP);
	rig_expect("systemd got FDSTOREREMOVE=1 FDNAME=health");
	rig_expect("systemd got FDSTORE=1 FDNAME=health with a descriptor");
	rig_expect("core leaves *");
	assert_true(net_endpoint_parse("[::]:9000", &endpoint));
	assert_true(listener_fits(rig_stored_fd(), &endpoint));
	assert_int_equal(rig_stop(wnad), 0);
	/* Another address on the same port, which its own old socket still has. */
	rig_conf(quiet);
	wnad = rig_start();
	rig_mark();
	write_file(RIG_CONF, "[health]\nlisten = 0.0.0.0:8099\n", 0644);
	kill(wnad, SIGHUP);
	rig_expect("core leaves *");
	assert_int_equal(rig_ask(), rig_pid("core"));
	assert_true(net_endpoint_parse("0.0.0.0:8099", &endpoint));
	assert_true(listener_fits(rig_stored_fd(), &endpoint));
	assert_int_equal(rig_stop(wnad), 0);
	/* What was stored for another address is not used. */
	rig_conf(quiet);
	wnad = rig_start();
	assert_int_equal(rig_count("*took the listener*"), 0);
	assert_int_equal(rig_ask(), rig_pid("core"));
	assert_int_equal(rig_stop(wnad), 0);
}

static void killed_wnad_leaves_a_listener_and_no_worker(void **state)
{
	pid_t wnad, first;

	(void)state;
	rig_drop_stored_fd();
	rig_conf(quiet);
	wnad = rig_start();
	first = rig_pid("core");
	kill(wnad, SIGKILL);
	assert_int_equal(rig_exit_code(wnad), 256 + SIGKILL);
	wnad = rig_start();
	rig_expect("*took the listener on 127.0.0.1:8099 over");
	assert_int_not_equal(rig_ask(), first);
	rig_ends(first);
	assert_int_equal(rig_stop(wnad), 0);
}

static int tests(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(reports_to_systemd_and_stores_the_listener),
		cmocka_unit_test(what_systemd_does_not_take_is_said_again),
		cmocka_unit_test(is_confined),
		cmocka_unit_test(crash_is_no_refusal),
		cmocka_unit_test(new_configuration_is_handed_over),
		cmocka_unit_test(successors_early_orders_are_kept),
		cmocka_unit_test(bad_configuration_changes_nothing),
		cmocka_unit_test(new_address_replaces_the_stored_listener),
		cmocka_unit_test(killed_wnad_leaves_a_listener_and_no_worker),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return rig_main(argc, argv, tests);
}
