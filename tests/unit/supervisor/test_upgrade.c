/* New files under a running wnad, and what one wnad leaves to the next. */
#include "fake.c"
#include "rig.c"

#include "verdict.h"

#define METRICS_OFF "[metrics]\nenabled = no\n"
#define MOUNTS                                                                                     \
	"[mount]\nenabled = yes\npath = /run/t/mnt\ntype = tmpfs\nsource = none\n" METRICS_OFF

/* As rpm does it: written beside and renamed into place. What is in it cannot run. */
static void replace(const char *exe)
{
	char path[128];

	snprintf(path, sizeof path, RIG_LIBEXEC "/%s", exe);
	assert_int_equal(rename(path, RIG_DIR "/old"), 0);
	write_file(RIG_DIR "/new", "of another version", 0755);
	assert_int_equal(rename(RIG_DIR "/new", path), 0);
}

static void put_back(const char *exe)
{
	char path[128];

	snprintf(path, sizeof path, RIG_LIBEXEC "/%s", exe);
	assert_int_equal(rename(RIG_DIR "/old", path), 0);
}

/* Between the new files and the restart: residents that end, and one-shots. */
static void workers_stay_of_one_version(void **state)
{
	static const char *const exes[] = { "wna-core", "wna-cloud" };
	pid_t wnad, old;

	(void)state;
	rig_conf(MOUNTS);
	wnad = rig_start();
	rig_expect("cloud listens *");
	for (size_t i = 0; i < sizeof exes / sizeof exes[0]; i++) {
		char line[64];

		replace(exes[i]);
		old = rig_pid(exes[i] + 4);
		rig_mark();
		kill(old, SIGKILL);
		snprintf(line, sizeof line, "%s listens *", exes[i] + 4);
		rig_expect(line);
		assert_int_not_equal(rig_pid(exes[i] + 4), old);
		put_back(exes[i]);
	}
	replace("wna-probe");
	rig_mark();
	rig_tell(rig_pid("core"), "order %d 0 0 0", ORDER_PROBE);
	rig_expect("probe hello *");
	assert_int_equal(rig_count("*cannot execute*"), 0);
	/* The next wnad has what lies there. */
	assert_int_equal(rig_stop(wnad), 0);
	wnad = rig_start();
	rig_mark();
	rig_tell(rig_pid("core"), "order %d 0 0 0", ORDER_PROBE);
	rig_expect("*probe: *cannot execute: Exec format error*");
	put_back("wna-probe");
	assert_int_equal(rig_stop(wnad), 0);
}

static void read_note(char ret[64])
{
	int fd = open("/run/web-node-agent/lock", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, ret, 63);

	assert_true(n > 0);
	ret[n] = '\0';
	close(fd);
}

static pid_t start_again(void)
{
	pid_t wnad;

	rig_mark();
	wnad = rig_start_unready();
	rig_expect("systemd got READY=1");
	return wnad;
}

static void a_restart_goes_on_from_the_last_word(void **state)
{
	char before[64], after[64];
	pid_t wnad;

	(void)state;
	rig_conf(METRICS_OFF);
	wnad = rig_start();
	rig_expect("core hello * arg=0 *");
	rig_tell(rig_pid("core"), "order %d %d %d 1", ORDER_VERDICT, LEVEL_DEGRADED, LEVEL_FAIL);
	rig_expect("systemd got STATUS=healthz degraded, readyz fail");
	assert_int_equal(rig_stop(wnad), 0);
	wnad = start_again();
	rig_expect("core hello * arg=4 *");
	/* Not its own word yet. */
	rig_expect("systemd got STATUS=no verdict yet*");
	/* One that is in part still the last one's ages. */
	read_note(before);
	rig_tell(rig_pid("core"), "order %d %d %d 0", ORDER_VERDICT, LEVEL_DEGRADED, LEVEL_FAIL);
	rig_expect("systemd got STATUS=healthz degraded, readyz fail");
	read_note(after);
	assert_string_equal(after, before);
	rig_mark();
	rig_tell(rig_pid("core"), "order %d %d %d 1", ORDER_VERDICT, LEVEL_DEGRADED, LEVEL_WAITING);
	rig_expect("systemd got STATUS=healthz degraded, readyz waiting");
	read_note(after);
	assert_string_not_equal(after, before);
	/* Killed is no other than stopped. */
	kill(wnad, SIGKILL);
	assert_int_equal(rig_exit_code(wnad), 256 + SIGKILL);
	wnad = start_again();
	rig_expect("core hello * arg=4 *");
	/* A bad one is new in any case. */
	rig_tell(rig_pid("core"), "order %d %d %d 0", ORDER_VERDICT, LEVEL_FAIL, LEVEL_FAIL);
	rig_expect("systemd got STATUS=healthz fail, readyz fail");
	assert_int_equal(rig_stop(wnad), 0);
	wnad = start_again();
	rig_expect("core hello * arg=5 *");
	assert_int_equal(rig_stop(wnad), 0);
	/* What is no note is none. */
	write_file("/run/web-node-agent/lock", "ok 1\n", 0600);
	wnad = start_again();
	rig_expect("core hello * arg=0 *");
	assert_int_equal(rig_stop(wnad), 0);
}

static int tests(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(workers_stay_of_one_version),
		cmocka_unit_test(a_restart_goes_on_from_the_last_word),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return rig_main(argc, argv, tests);
}
