/* How wnad itself starts, refuses to start, cleans up and stops. */
#include "fake.c"
#include "rig.c"

#include "conf_load.h"
#include "leftover.h"
#include "listener.h"

#define METRICS_OFF "[metrics]\nenabled = no\n"

/* Leaves the caller's hands: its parent is dead, as a dead wnad's worker's is. */
static void orphan(const char *exe, const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0) {
			setsid();
			execl(exe, name, "0", (char *)NULL);
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void leftovers_end_and_nobody_else(void **state)
{
	pid_t wnad, ours, proxy;

	(void)state;
	rig_conf(METRICS_OFF);
	/* The same program, once as a worker in the folder, once as a proxy elsewhere. */
	rig_mode("check", "silent");
	assert_int_equal(link(RIG_LIBEXEC "/wna-core", RIG_DIR "/wna-check"), 0);
	rig_mark();
	orphan(RIG_LIBEXEC "/wna-check", "wna-check");
	ours = (pid_t)rig_number(rig_expect("check hello *"), "pid=");
	rig_mark();
	orphan(RIG_DIR "/wna-check", "wna-check");
	proxy = (pid_t)rig_number(rig_expect("check hello *"), "pid=");
	wnad = rig_start();
	rig_expect("*wnad warning: agent: killed 1 worker of an agent that is gone");
	rig_ends(ours);
	assert_int_equal(kill(proxy, 0), 0);
	/* A worker whose wnad lives is nobody's leftover. */
	rig_mark();
	assert_int_equal(leftover_kill(RIG_LIBEXEC), 0);
	assert_int_equal(rig_ask(), rig_pid("core"));
	assert_int_equal(rig_stop(wnad), 0);
	assert_int_equal(kill(proxy, 0), 0);
	kill(proxy, SIGKILL);
	rig_mode("check", "ok");
}

static void bad_configuration_is_an_exit_code(void **state)
{
	(void)state;
	rig_mark();
	rig_conf("no_such_key = 1\n");
	assert_int_equal(rig_exit_code(rig_start_unready()), CONF_UNKNOWN);
	rig_expect("*wnad error: agent: *agent.conf:3: *");
	unlink(RIG_CONF);
	assert_int_equal(rig_exit_code(rig_start_unready()), CONF_UNREADABLE);
	assert_int_equal(rig_count("core hello *"), 0);
}

static void missing_user_is_named(void **state)
{
	(void)state;
	rig_conf(METRICS_OFF);
	write_file(RIG_DIR "/nobody", "root:x:0:0::/:/bin/false\n", 0644);
	assert_int_equal(mount(RIG_DIR "/nobody", "/etc/passwd", NULL, MS_BIND, NULL), 0);
	rig_mark();
	assert_int_equal(rig_exit_code(rig_start_unready()), SUPERVISOR_FAILED);
	rig_expect(
	        "*wnad error: agent: user wna: does not exist; *sysusers.d/web-node-agent.conf*");
	assert_int_equal(umount2("/etc/passwd", 0), 0);
}

static void hooks_without_their_user_are_off(void **state)
{
	char users[1000];
	FILE *file;
	pid_t wnad;
	size_t len;

	(void)state;
	rig_conf("[hooks]\nenabled = yes\nuser = operator\n" METRICS_OFF);
	rig_mark();
	wnad = rig_start();
	rig_expect("*wnad warning: agent: *agent.conf:5: hooks.user: expected a user of this "
	           "machine, got operator: it does not exist; hooks are off until a reload");
	rig_expect("core got pid=* id=2 of=7 value=0 * why=off until a reload: *hooks.user: *");
	rig_mark();
	assert_int_equal(kill(wnad, SIGHUP), 0);
	rig_expect("*wnad error: agent: kept the old configuration: *agent.conf:5: hooks.user: *");
	/* With the user comes the hook. */
	file = fopen("/etc/passwd", "re");
	assert_non_null(file);
	len = fread(users, 1, sizeof users - 64, file);
	fclose(file);
	snprintf(users + len, sizeof users - len, "operator:x:7007:7007::/:/bin/false\n");
	write_file(RIG_DIR "/more", users, 0644);
	assert_int_equal(mount(RIG_DIR "/more", "/etc/passwd", NULL, MS_BIND, NULL), 0);
	rig_mark();
	assert_int_equal(kill(wnad, SIGHUP), 0);
	rig_expect("*wnad info: agent: took the new configuration");
	rig_expect("core got pid=* id=2 of=7 value=0 * why=");
	rig_tell(rig_pid("core"), "order %d %d 0 0", ORDER_HOOK, HOOK_RDS_CHANGE);
	rig_expect("hook hello *uid=7007*");
	assert_int_equal(rig_stop(wnad), 0);
	assert_int_equal(umount2("/etc/passwd", 0), 0);
}

static void taken_address_is_named(void **state)
{
	struct net_endpoint endpoint;
	int fd;

	(void)state;
	rig_drop_stored_fd();
	rig_conf(METRICS_OFF);
	assert_true(net_endpoint_parse("127.0.0.1:8099", &endpoint));
	fd = listener_bind(&endpoint, -1);
	assert_true(fd >= 0);
	rig_mark();
	assert_int_equal(rig_exit_code(rig_start_unready()), SUPERVISOR_FAILED);
	rig_expect("*wnad error: agent: cannot listen on 127.0.0.1:8099: *");
	close(fd);
}

/* A second one, by hand and on a port of its own, disturbs nothing and nobody. */
static void second_wnad_keeps_away(void **state)
{
	struct stat before, after;
	pid_t wnad, core;
	char line[96];

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	core = rig_pid("core");
	rig_expect("cloud listens *");
	assert_int_equal(lstat("/run/web-node-agent/control.sock", &before), 0);
	rig_mark();
	write_file(RIG_CONF, "[health]\nlisten = 127.0.0.1:9001\n" METRICS_OFF, 0644);
	rig.wnad = 0; /* it is to live on */
	assert_int_equal(rig_exit_code(rig_start_unready()), SUPERVISOR_FAILED);
	rig.wnad = wnad;
	snprintf(line, sizeof line, "*wnad error: agent: wnad runs already, as process %d", wnad);
	rig_expect(line);
	assert_int_equal(lstat("/run/web-node-agent/control.sock", &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(rig_ask(), core);
	assert_int_equal(rig_count("*killed*"), 0);
	/* Its place is free as soon as it is dead, whoever of its children is not yet. */
	rig_conf(METRICS_OFF);
	kill(rig_pid("cloud"), SIGSTOP);
	kill(wnad, SIGKILL);
	assert_int_equal(rig_exit_code(wnad), 256 + SIGKILL);
	wnad = rig_start();
	assert_int_equal(rig_stop(wnad), 0);
}

static void missing_executable_backs_off(void **state)
{
	pid_t wnad;

	(void)state;
	rig_conf(METRICS_OFF);
	assert_int_equal(rename(RIG_LIBEXEC "/wna-cloud", RIG_DIR "/wna-cloud"), 0);
	wnad = rig_start();
	rig_expect("*wnad warning: cloud: * cannot execute: No such file or directory");
	rig_expect("core got pid=* role=0 slot=0 id=2 of=6 value=5 * why=cannot execute: *");
	assert_int_equal(rename(RIG_DIR "/wna-cloud", RIG_LIBEXEC "/wna-cloud"), 0);
	rig_expect("cloud hello *");
	assert_int_equal(rig_stop(wnad), 0);
}

static void stops_in_time_whoever_is_deaf(void **state)
{
	int64_t began;
	pid_t wnad;

	(void)state;
	rig_conf("[mount]\nenabled = yes\npath = /run/t/mnt\ntype = tmpfs\nsource = "
	         "none\n" METRICS_OFF);
	rig_mode("mount", "deaf");
	wnad = rig_start();
	rig_tell(rig_pid("core"), "order %d 0 0 0", ORDER_MOUNT);
	rig_expect("mount hello *");
	began = clock_ms();
	assert_int_equal(rig_stop(wnad), 0);
	assert_in_range(clock_ms() - began, 2000, 8000);
	rig_expect("*mount: stopping, did not leave when asked, killing group *");
	rig_mode("mount", "ok");
}

static void folders_and_links_are_roots(void **state)
{
	struct stat st;
	char target[64];
	pid_t wnad;

	(void)state;
	rig_conf(METRICS_OFF);
	/* What a worker might have planted makes way, and is not followed. */
	mkdir("/run/web-node-agent", 0755);
	unlink("/run/web-node-agent/facts.json");
	assert_int_equal(symlink("/etc/passwd", "/run/web-node-agent/facts.json"), 0);
	assert_int_equal(chmod("/run/web-node-agent/cloud", 0777), 0);
	wnad = rig_start();
	assert_int_equal(lstat("/run/web-node-agent", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(lstat("/run/web-node-agent/cloud", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(st.st_uid, 7005);
	assert_int_equal(lstat("/var/lib/web-node-agent/cloud", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(st.st_uid, 7005);
	assert_int_equal(readlink("/run/web-node-agent/facts.json", target, sizeof target), 16);
	assert_memory_equal(target, "cloud/facts.json", 16);
	assert_int_equal(lstat("/run/web-node-agent/control.sock", &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 7001);
	assert_int_equal(rig_stop(wnad), 0);
}

/* What is in the way is refused and not followed, and no reason to answer nobody. */
static void what_it_lacks_stops_no_answer(void **state)
{
	struct stat st;
	pid_t wnad;

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	assert_int_equal(rig_stop(wnad), 0);
	assert_int_equal(rmdir("/run/web-node-agent/rds"), 0);
	assert_int_equal(symlink("/etc", "/run/web-node-agent/rds"), 0);
	assert_int_equal(rename("/var/lib/web-node-agent", "/var/lib/elsewhere"), 0);
	assert_int_equal(symlink("/var/lib/elsewhere", "/var/lib/web-node-agent"), 0);
	unlink("/run/web-node-agent/control.sock");
	assert_int_equal(mkdir("/run/web-node-agent/control.sock", 0755), 0);
	rig_mark();
	wnad = rig_start();
	rig_expect("*wnad error: agent: /run/web-node-agent/rds: Not a directory; it goes on *");
	rig_expect("*wnad error: agent: /var/lib/web-node-agent: Not a directory; it goes on *");
	rig_expect("*wnad error: agent: /run/web-node-agent/control.sock: Is a directory; it *");
	assert_int_equal(rig_ask(), rig_pid("core"));
	assert_int_equal(rig_stop(wnad), 0);
	assert_int_equal(rmdir("/run/web-node-agent/control.sock"), 0);
	assert_int_equal(unlink("/run/web-node-agent/rds"), 0);
	assert_int_equal(unlink("/var/lib/web-node-agent"), 0);
	assert_int_equal(rename("/var/lib/elsewhere", "/var/lib/web-node-agent"), 0);
	assert_int_equal(lstat("/etc", &st), 0);
	assert_int_equal(st.st_uid, 0);
}

/* Standard error is a pipe that nobody reads; the health answer must not care. */
static void stalled_reader_of_the_log_stops_nobody(void **state)
{
	char fill[4096] = "";
	pid_t wnad;
	int fds[2];

	(void)state;
	rig_conf(METRICS_OFF);
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	while (write(fds[1], fill, sizeof fill) > 0)
		;
	fcntl(fds[1], F_SETFL, 0);
	rig_log_to(fds[1]);
	wnad = rig_start();
	for (int i = 0; i < 500; i++) {
		rig_tell(rig_pid("core"), "order %d 9 0 0", ORDER_MOUNT); /* a line each */
		if (i % 8 == 0)
			assert_int_equal(rig_ask(), rig_pid("core"));
	}
	rig_log_to(-1);
	assert_int_equal(rig_stop(wnad), 0);
	close(fds[0]);
	close(fds[1]);
}

static int tests(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(leftovers_end_and_nobody_else),
		cmocka_unit_test(bad_configuration_is_an_exit_code),
		cmocka_unit_test(missing_user_is_named),
		cmocka_unit_test(hooks_without_their_user_are_off),
		cmocka_unit_test(taken_address_is_named),
		cmocka_unit_test(second_wnad_keeps_away),
		cmocka_unit_test(missing_executable_backs_off),
		cmocka_unit_test(stops_in_time_whoever_is_deaf),
		cmocka_unit_test(folders_and_links_are_roots),
		cmocka_unit_test(what_it_lacks_stops_no_answer),
		cmocka_unit_test(stalled_reader_of_the_log_stops_nobody),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return rig_main(argc, argv, tests);
}
