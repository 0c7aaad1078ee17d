/* What the supervisor knows and decides: roles, status, leftovers, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_load.h"
#include "leftover.h"
#include "pidstat.h"
#include "roles.h"
#include "secret.h"
#include "status.h"
#include "verdict.h"

static char dir[] = "/tmp/wna-supervisor-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* ---- roles ---- */

static void table_is_complete(void **state)
{
	(void)state;
	assert_null(role_info(ROLE_WNAD));
	assert_null(role_info(ROLE_MAX));
	for (enum role role = ROLE_CORE; role < ROLE_MAX; role++) {
		const struct role_info *info = role_info(role);

		assert_non_null(info);
		assert_non_null(info->exe);
		assert_true(info->end_slot > info->first_slot && info->end_slot <= ROLE_SLOTS_MAX);
		assert_true(info->parts & PART_AGENT);
		assert_true(!info->resident || info->limit_ms > 0);
		/* Only root's own job has capabilities or may gain any. */
		assert_int_equal(info->caps != 0, role == ROLE_MOUNT);
		assert_int_equal(info->gains, role == ROLE_MOUNT);
		assert_int_equal(info->user == NULL, role == ROLE_MOUNT || role == ROLE_HOOK);
	}
	/* What it leaves behind must not inherit limits. */
	assert_int_equal(role_info(ROLE_MOUNT)->address_space, 0);
	assert_int_equal(role_info(ROLE_MOUNT)->nofile, 0);
	assert_int_equal(role_info(ROLE_MOUNT)->cpu_s, 0);
	assert_true(role_info(ROLE_MOUNT)->caps & (1 << CAP_SYS_ADMIN));
}

static void changes_are_found_by_part(void **state)
{
	static struct conf a, b;

	(void)state;
	conf_defaults(&a);
	conf_defaults(&b);
	assert_int_equal(conf_changed_parts(&a, &b), 0);
	b.health.max_connections++;
	assert_int_equal(conf_changed_parts(&a, &b), PART_HEALTH);
	b.metrics.push_ms++;
	assert_int_equal(conf_changed_parts(&a, &b), PART_HEALTH | PART_METRICS);
	b = a;
	b.agent.log_level++;
	assert_int_equal(conf_changed_parts(&a, &b), PART_AGENT);
	b = a;
	b.checks.count++;
	b.hooks.timeout_ms++;
	b.imds.timeout_ms++;
	b.mount.guard = !b.mount.guard;
	b.rds.port++;
	assert_int_equal(conf_changed_parts(&a, &b),
	                 PART_CHECKS | PART_HOOKS | PART_IMDS | PART_MOUNT | PART_RDS);
}

static void wanted_by_configuration(void **state)
{
	static struct conf conf;

	(void)state;
	conf_defaults(&conf);
	conf.metrics.enabled = false;
	assert_true(role_wanted(ROLE_CORE, &conf));
	assert_true(role_wanted(ROLE_CLOUD, &conf));
	assert_false(role_wanted(ROLE_MOUNT, &conf));
	assert_false(role_wanted(ROLE_PROBE, &conf));
	assert_false(role_wanted(ROLE_CHECK, &conf));
	assert_false(role_wanted(ROLE_RDS, &conf));
	assert_false(role_wanted(ROLE_HOOK, &conf));
	conf.mount.enabled = conf.rds.enabled = conf.hooks.enabled = true;
	conf.checks.count = 1;
	for (enum role role = ROLE_CORE; role < ROLE_MAX; role++)
		assert_true(role_wanted(role, &conf));
	conf.mount.timeout_ms = 1234;
	assert_int_equal(role_limit_ms(ROLE_MOUNT, &conf), 1234);
	assert_int_equal(role_limit_ms(ROLE_RDS, &conf), 60000);
	conf.health.max_connections = 100;
	assert_int_equal(role_nofile(ROLE_CORE, &conf), 164);
}

/* ---- secrets ---- */

static int try_secret(const char *name)
{
	int fd = -1, rc = secret_open(in_dir(name), &fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

static void make_file(const char *name, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "s3cret\n", 7), 7);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void secret_is_roots_alone(void **state)
{
	static const mode_t refused[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644, 0777 };
	char target[128], why[160];

	(void)state;
	if (geteuid() != 0)
		skip();
	make_file("secret", 0600);
	assert_int_equal(try_secret("secret"), 0);
	assert_int_equal(chmod(in_dir("secret"), 0400), 0);
	assert_int_equal(try_secret("secret"), 0);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_int_equal(chmod(in_dir("secret"), refused[i]), 0);
		assert_int_equal(try_secret("secret"), -EPERM);
	}
	assert_int_equal(chmod(in_dir("secret"), 0600), 0);
	assert_int_equal(chown(in_dir("secret"), 65534, 0), 0);
	assert_int_equal(try_secret("secret"), -EPERM);
	assert_int_equal(chown(in_dir("secret"), 0, 0), 0);
	assert_int_equal(try_secret("secret"), 0);
	snprintf(target, sizeof target, "%s", in_dir("secret"));
	assert_int_equal(symlink(target, in_dir("link")), 0);
	assert_int_equal(try_secret("link"), -ELOOP);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(try_secret("fifo"), -EINVAL);
	assert_int_equal(mkdir(in_dir("folder"), 0700), 0);
	assert_int_equal(try_secret("folder"), -EINVAL);
	assert_int_equal(try_secret("absent"), -ENOENT);
	secret_explain(-EPERM, "database.password_file", why, sizeof why);
	assert_non_null(strstr(why, "database.password_file: is open to others"));
	secret_explain(-ENOENT, "k", why, sizeof why);
	assert_string_equal(why, "k: No such file or directory");
}

/* ---- status ---- */

static void status_tells_what_is_not_as_always(void **state)
{
	struct status status = { .healthz = -1, .conf_why = "" };
	char text[256];

	(void)state;
	for (enum role role = ROLE_CORE; role < ROLE_MAX; role++) {
		status.roles[role].wanted = role != ROLE_RDS;
		status.roles[role].resident = role_info(role)->resident;
		status.roles[role].state = role_info(role)->resident ? CHILD_RUNNING : CHILD_OFF;
	}
	assert_string_equal(status_text(&status, text, sizeof text), "no verdict yet");
	status.healthz = LEVEL_OK;
	status.readyz = LEVEL_FAIL;
	status.roles[ROLE_MOUNT].state = CHILD_RUNNING;
	status.roles[ROLE_PROBE].state = CHILD_RUNNING;
	status.restarts = 2;
	status.stuck = 1;
	assert_string_equal(status_text(&status, text, sizeof text),
	                    "healthz ok, readyz fail; mount running; 2 restarts; 1 stuck");
	status.roles[ROLE_PROBE].state = CHILD_STUCK;
	status.roles[ROLE_MOUNT].state = CHILD_OFF;
	status.roles[ROLE_CLOUD].state = CHILD_BACKOFF;
	status.roles[ROLE_RDS].state = CHILD_OFF;
	status.roles[ROLE_CHECK].state = CHILD_OFF; /* as it shall be while stopping */
	status.restarts = 1;
	status.stopping = true;
	status.conf_why = "agent.conf:3: no";
	assert_string_equal(status_text(&status, text, sizeof text),
	                    "stopping; healthz ok, readyz fail; probe stuck; cloud back-off; "
	                    "1 restart; 1 stuck; new configuration refused: agent.conf:3: no");
}

/* ---- leftovers ---- */

static void only_workers_directly_in_the_folder(void **state)
{
	static const char folder[] = "/usr/libexec/web-node-agent";

	(void)state;
	assert_true(leftover_is_ours("/usr/libexec/web-node-agent/wna-core", folder));
	assert_true(leftover_is_ours("/usr/libexec/web-node-agent/wna-core (deleted)", folder));
	assert_false(leftover_is_ours("/usr/libexec/web-node-agent/wnad", folder));
	assert_false(leftover_is_ours("/usr/libexec/web-node-agent/sub/wna-core", folder));
	assert_false(leftover_is_ours("/usr/libexec/web-node-agent/wna-x/core", folder));
	assert_false(leftover_is_ours("/usr/libexec/web-node-agent-2/wna-core", folder));
	assert_false(leftover_is_ours("/usr/bin/efs-proxy", folder));
	assert_false(leftover_is_ours("/wna-core", ""));
	assert_true(leftover_same_exe("/usr/sbin/wnad", "/usr/sbin/wnad"));
	assert_true(leftover_same_exe("/usr/sbin/wnad (deleted)", "/usr/sbin/wnad"));
	assert_true(leftover_same_exe("/usr/sbin/wnad", "/usr/sbin/wnad (deleted)"));
	assert_false(leftover_same_exe("/usr/sbin/wnad2", "/usr/sbin/wnad"));
	assert_false(leftover_same_exe("/usr/bin/wnad (deleted)", "/usr/sbin/wnad"));
	assert_false(leftover_same_exe(" (deleted)", ""));
}

static void group_is_systemds(void **state)
{
	static const char hybrid[] =
	        "4:memory:/a\n1:name=systemd:/system.slice/b\n0::/system.slice/c\n";
	static const char v1[] = "4:memory:/a\n1:name=systemd:/system.slice/b\n";
	const char *line;
	size_t len;

	(void)state;
	line = leftover_cgroup(hybrid, &len);
	assert_int_equal(len, 18);
	assert_memory_equal(line, "0::/system.slice/c", len);
	line = leftover_cgroup(v1, &len);
	assert_int_equal(len, 30);
	assert_memory_equal(line, "1:name=systemd:/system.slice/b", len);
	assert_null(leftover_cgroup("4:memory:/a\n", &len));
	assert_null(leftover_cgroup("", &len));
	assert_null(leftover_cgroup("no colon", &len));
}

/* Fields 7 to 22 of such a file. */
#define STAT_REST " 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777"

static void stat_of_a_process(void **state)
{
	struct pidstat stat;

	(void)state;
	assert_true(pidstat_parse("12 (a) Z 9 8 7" STAT_REST " 4096 1", &stat));
	assert_int_equal(stat.state, 'Z');
	assert_int_equal(stat.parent, 9);
	assert_int_equal(stat.group, 8);
	assert_int_equal(stat.session, 7);
	assert_int_equal(stat.start, 777);
	/* A name that looks like the rest of the line. */
	assert_true(pidstat_parse("12 (x) Z 1 1 (y) S 3 4 5" STAT_REST, &stat));
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.group, 4);
	assert_false(pidstat_parse("", &stat));
	assert_false(pidstat_parse("12 (a)", &stat));
	assert_false(pidstat_parse("12 (a) S", &stat));
	assert_false(pidstat_parse("12 (a) S 1 x", &stat));
	assert_false(pidstat_parse("12 (a) S 1 2 3 4", &stat));
	assert_false(pidstat_parse("12 (a) S 99999999999 1 1" STAT_REST, &stat));
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_complete),
		cmocka_unit_test(changes_are_found_by_part),
		cmocka_unit_test(wanted_by_configuration),
		cmocka_unit_test(secret_is_roots_alone),
		cmocka_unit_test(status_tells_what_is_not_as_always),
		cmocka_unit_test(only_workers_directly_in_the_folder),
		cmocka_unit_test(group_is_systemds),
		cmocka_unit_test(stat_of_a_process),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
