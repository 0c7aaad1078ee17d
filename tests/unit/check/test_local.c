/* file, disk and process: real files, and a /proc made by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check.h"
#include "clock.h"
#include "str.h"
#include "tree.h"

static struct check_result result;

static struct conf_check on(const struct tree *tree, const char *name)
{
	struct conf_check conf = { .type = CHECK_FILE };

	assert_true(str_copy(conf.path, sizeof conf.path, tree_path(tree, name)));
	return conf;
}

static void file_good(void **state)
{
	struct tree *tree = *state;
	struct conf_check conf = on(tree, "f");

	tree_file(tree, "f", "hello", 5);
	check_file(&tree->env, &conf, clock_wall_ms(), &result);
	assert_true(result.value >= 0);
	assert_non_null(strstr(result.text, "5 bytes"));
	/* Without file_max_age_ms any age is good; a file from the future is always young. */
	check_file(&tree->env, &conf, clock_wall_ms() + 86400000, &result);
	assert_true(result.value >= 0);
	conf.file_max_age_ms = 1000;
	check_file(&tree->env, &conf, clock_wall_ms() - 86400000, &result);
	assert_true(result.value >= 0);
}

static void file_bad(void **state)
{
	struct tree *tree = *state;
	struct conf_check conf = on(tree, "f");

	check_file(&tree->env, &conf, clock_wall_ms(), &result);
	assert_int_equal(result.value, -ENOENT);
	tree_file(tree, "f", "", 0);
	conf.file_max_age_ms = 60000;
	check_file(&tree->env, &conf, clock_wall_ms() + 59000, &result);
	assert_true(result.value >= 0);
	check_file(&tree->env, &conf, clock_wall_ms() + 125000, &result);
	assert_int_equal(result.value, -ESTALE);
	assert_non_null(strstr(result.text, "old, at most 1 min"));
	tree_dir(tree, "d");
	conf = on(tree, "d");
	check_file(&tree->env, &conf, clock_wall_ms(), &result);
	assert_int_equal(result.value, -EINVAL);
	assert_non_null(strstr(result.text, "not a regular file"));
	tree_mounts(tree, "30 21 0:40 / @/d rw - nfs4 127.0.0.1:/ rw\n");
	check_file(&tree->env, &conf, clock_wall_ms(), &result);
	assert_int_equal(result.value, -EREMOTE);
}

static void disk_free(void **state)
{
	struct tree *tree = *state;
	struct conf_check conf = on(tree, ".");

	conf.min_free_bytes = 1;
	check_disk(&tree->env, &conf, &result);
	assert_true(result.value >= 0);
	assert_non_null(strstr(result.text, "free"));
	conf.min_free_bytes = INT64_MAX;
	check_disk(&tree->env, &conf, &result);
	assert_int_equal(result.value, -ENOSPC);
	assert_non_null(strstr(result.text, "wanted 8192.0 PiB"));
	conf.min_free_bytes = 0;
	conf.min_free_percent = 101;
	check_disk(&tree->env, &conf, &result);
	assert_int_equal(result.value, -ENOSPC);
	conf.min_free_percent = 0;
	conf.min_free_inodes_percent = 101;
	check_disk(&tree->env, &conf, &result);
	assert_int_equal(result.value, -ENOSPC);
	assert_non_null(strstr(result.text, "inodes"));
	conf.min_free_inodes_percent = 0;
	check_disk(&tree->env, &conf, &result);
	assert_true(result.value >= 0);
}

static void percent(void **state)
{
	(void)state;
	assert_int_equal(check_percent(0, 0), 100); /* not counted: btrfs's inodes */
	assert_int_equal(check_percent(0, 10), 0);
	assert_int_equal(check_percent(10, 0), 100);
	assert_int_equal(check_percent(199, 801), 19);
	assert_int_equal(check_percent(UINT64_MAX / 4, UINT64_MAX / 4), 50);
}

static void bytes(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(check_bytes(0, text, sizeof text), "0 B");
	assert_string_equal(check_bytes(1023, text, sizeof text), "1023 B");
	assert_string_equal(check_bytes(1536, text, sizeof text), "1.5 KiB");
	assert_string_equal(check_bytes(UINT64_MAX, text, sizeof text), "16384.0 PiB");
}

/* proc_pid_stat(5), from the state on. */
#define REST "%c 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"

static void add_process(const struct tree *tree, int pid, const char *comm, const char *cmdline,
                        size_t cmdline_len, char state)
{
	char name[64], text[128];

	snprintf(name, sizeof name, "proc/%d", pid);
	tree_dir(tree, name);
	snprintf(name, sizeof name, "proc/%d/comm", pid);
	snprintf(text, sizeof text, "%s\n", comm);
	tree_file(tree, name, text, strlen(text));
	snprintf(name, sizeof name, "proc/%d/cmdline", pid);
	tree_file(tree, name, cmdline, cmdline_len);
	snprintf(name, sizeof name, "proc/%d/stat", pid);
	snprintf(text, sizeof text, "%d (%s) " REST, pid, comm, state);
	tree_file(tree, name, text, strlen(text));
}

#define CMD(text) text, sizeof text

static int proc_make(void **state)
{
	struct tree *tree;

	if (tree_make(state) < 0)
		return -1;
	tree = *state;
	tree_dir(tree, "proc");
	tree_file(tree, "proc/uptime", "1 1\n", 4);
	tree_dir(tree, "proc/self");
	add_process(tree, 2, "kthreadd", "", 0, 'S');
	add_process(tree, 100, "httpd", CMD("/usr/sbin/httpd\0-DFOREGROUND"), 'S');
	add_process(tree, 101, "httpd", CMD("/usr/sbin/httpd\0-DFOREGROUND"), 'S');
	add_process(tree, 102, "httpd", "", 0, 'Z');
	add_process(tree, 103, "php-fpm", CMD("php-fpm: master process (/etc/php-fpm.conf)"), 'S');
	add_process(tree, 104, "python3", CMD("/opt/bin/a-very-long-name-indeed\0x"), 'R');
	add_process(tree, 105, "odd) Z (name", CMD("/bin/odd"), 'S');
	add_process(tree, 106, "a-very-long-nam", CMD("/x/a-very-long-name-too"), 'S');
	tree->env.proc = open(tree_path(tree, "proc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tree->env.proc < 0 ? -1 : 0;
}

static int proc_remove(void **state)
{
	struct tree *tree = *state;

	close(tree->env.proc);
	return tree_remove(state);
}

static int64_t look(const struct tree *tree, const char *name, int min_count)
{
	struct conf_check conf = { .type = CHECK_PROCESS, .min_count = min_count };
	struct check_memo memo = { .count = 0 };

	snprintf(conf.process, sizeof conf.process, "%s", name);
	check_process(&tree->env, &conf, &memo, &result);
	return result.value;
}

static void process_names(void **state)
{
	struct tree *tree = *state;

	assert_true(look(tree, "httpd", 2) >= 0);
	assert_int_equal(look(tree, "httpd", 3), -ESRCH); /* the third is a zombie */
	assert_string_equal(result.text, "2 of 3 processes named httpd");
	assert_true(look(tree, "php-fpm", 1) >= 0);
	assert_true(look(tree, "python3", 1) >= 0);
	assert_true(look(tree, "a-very-long-name-indeed", 1) >= 0);
	assert_int_equal(look(tree, "a-very-long-name", 1), -ESRCH);
	assert_true(look(tree, "odd) Z (name", 1) >= 0);
	assert_true(look(tree, "kthreadd", 1) >= 0);
	assert_int_equal(look(tree, "http", 1), -ESRCH);
	assert_string_equal(result.text, "no process named http");
	assert_int_equal(look(tree, "self", 1), -ESRCH);
}

static void process_memo(void **state)
{
	struct conf_check conf = { .type = CHECK_PROCESS, .min_count = 2, .process = "httpd" };
	struct check_memo memo = { .count = 0 };
	struct tree *tree = *state;
	char zombie[128];

	snprintf(zombie, sizeof zombie, "101 (httpd) " REST, 'Z');
	check_process(&tree->env, &conf, &memo, &result);
	assert_true(result.value >= 0);
	assert_int_equal(memo.count, 2);
	/* One of the two becomes a zombie; a stale memo must not hide it. */
	tree_file(tree, "proc/101/stat", zombie, strlen(zombie));
	check_process(&tree->env, &conf, &memo, &result);
	assert_int_equal(result.value, -ESRCH);
	/* A new one is found although it is not in the memo. */
	add_process(tree, 900, "httpd", "", 0, 'S');
	check_process(&tree->env, &conf, &memo, &result);
	assert_true(result.value >= 0);
	/* The processes in the memo come first; there are enough, and /proc is not read. */
	assert_int_equal(memo.count, 2);
	check_process(&tree->env, &conf, &memo, &result);
	assert_true(result.value >= 0);
}

static void process_real(void **state)
{
	struct conf_check conf = { .type = CHECK_PROCESS, .min_count = 1 };
	struct check_memo memo = { .count = 0 };
	struct check_env env = { .proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	FILE *file = fopen("/proc/self/comm", "re");

	(void)state;
	assert_non_null(file);
	assert_non_null(fgets(conf.process, sizeof conf.process, file));
	fclose(file);
	conf.process[strcspn(conf.process, "\n")] = '\0';
	check_process(&env, &conf, &memo, &result);
	assert_true(result.value >= 0);
	close(env.proc);
	check_process(&env, &conf, &memo, &result);
	assert_int_equal(result.value, -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_good, tree_make, tree_remove),
		cmocka_unit_test_setup_teardown(file_bad, tree_make, tree_remove),
		cmocka_unit_test_setup_teardown(disk_free, tree_make, tree_remove),
		cmocka_unit_test(percent),
		cmocka_unit_test(bytes),
		cmocka_unit_test_setup_teardown(process_names, proc_make, proc_remove),
		cmocka_unit_test_setup_teardown(process_memo, proc_make, proc_remove),
		cmocka_unit_test(process_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
