/* What attempts of mount.efs have left: which files and which proxy are whose. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mount_tidy.h"

#define FS     "fs-0123456789abcdef0"
#define PATH   "/var/www/html/efs"
#define DOTTED FS ".var.www.html.efs."

enum { BEGUN_S = 1700000000 }; /* of the attempt */

static char dir[] = "/tmp/wna-tidy-XXXXXX";
static unsigned kept;
static struct tidy_pass pass;

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	kept = 0;
	pass = (struct tidy_pass){ .dir = dir,
		                   .kept = &kept,
		                   .file_system = FS,
		                   .path = PATH,
		                   .now_ms = (BEGUN_S + 60) * 1000LL,
		                   .since_ms = BEGUN_S * 1000LL,
		                   .until_ms = INT64_MAX,
		                   .idle_ms = 60000,
		                   .mountinfo = "" };
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const char *path_of(const char *before, unsigned port, const char *after)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s" DOTTED "%u%s", dir, before, port, after);
	return path;
}

static bool is_there(const char *before, unsigned port, const char *after)
{
	return access(path_of(before, port, after), F_OK) == 0;
}

/* A state file of a mount at `mount_s`, written `age_s` before now. */
static void put(const char *before, unsigned port, int mount_s, const char *more, int age_s)
{
	const char *path = path_of(before, port, "");
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fprintf(out, "{\"cmd\": [\"stunnel\", \"c\"], \"files\": [], \"mount_time\": %d.5%s}",
	        mount_s, more);
	fclose(out);
	times[1] = (struct timespec){ .tv_sec = pass.now_ms / 1000 - age_s };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The number in `key`; -1: there is none. */
static double number(unsigned port, const char *key)
{
	FILE *in = fopen(path_of("", port, ""), "re");
	char text[512] = "", *at;

	assert_non_null(in);
	assert_non_null(fgets(text, sizeof text, in));
	fclose(in);
	at = strstr(text, key);
	return at ? strtod(at + strlen(key) + 2, NULL) : -1;
}

static void drop(unsigned port)
{
	assert_int_equal(unlink(path_of("", port, "")), 0);
}

/* The helper of an attempt was killed: finished and marked for the watchdog. */
static void of_a_failed_attempt(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("~", 20049, BEGUN_S + 1, "", 1);
	assert_true(tidy_up(&pass));
	assert_false(is_there("~", 20049, ""));
	assert_true(number(20049, "unmount_time") == 0);
	assert_true(number(20049, "mount_time") == BEGUN_S + 1.5);
	/* The watchdog has deleted it. */
	drop(20049);
	assert_false(tidy_up(&pass));
	/* Finished by the helper, which had failed. */
	put("", 20050, BEGUN_S + 1, ", \"unmount_count\": 6", 1);
	assert_true(tidy_up(&pass));
	assert_true(number(20050, "unmount_time") == 0);
	assert_true(number(20050, "unmount_count") == -1);
	drop(20050);
}

static void of_others(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	/* A helper that works, one that was killed long ago, and one before it had written all. */
	put("~", 20048, BEGUN_S - 1, "x", 600);
	put("~", 20049, BEGUN_S - 1, "", 59);
	put("~", 20050, BEGUN_S - 1, "", 60);
	/* One that has ended; one of another path; one that the watchdog is writing. */
	put("", 20051, BEGUN_S - 1, "", 1);
	put("", 20052, BEGUN_S + 1, ", \"mountpoint\": \"/mnt\"", 1);
	put("", 20053, BEGUN_S - 1, "", 1);
	put("~", 20053, BEGUN_S - 1, "", 0);
	assert_true(tidy_up(&pass));
	assert_true(is_there("~", 20048, ""));
	assert_int_equal(unlink(path_of("~", 20048, "")), 0);
	assert_true(is_there("~", 20049, ""));
	assert_true(is_there("~", 20053, ""));
	for (unsigned port = 20050; port <= 20053; port++) {
		assert_true(number(port, "unmount_time") == (port == 20052 ? -1 : 0));
		drop(port);
	}
	assert_int_equal(unlink(path_of("~", 20049, "")), 0);
	assert_int_equal(unlink(path_of("~", 20053, "")), 0);
}

static void of_the_mount(void **state)
{
	static const char text[] = "57 1 0:50 / " PATH " rw - nfs4 127.0.0.1:/ "
	                           "rw,vers=4.1,port=20049,addr=127.0.0.1\n";

	(void)state;
	if (geteuid() != 0)
		skip();
	pass.mountinfo = text;
	pass.mountinfo_len = sizeof text - 1;
	put("~", 20049, BEGUN_S + 1, "", 1);
	put("", 20050, BEGUN_S + 2, "", 1);
	assert_true(tidy_up(&pass));
	assert_true(number(20049, "unmount_time") == -1);
	drop(20049);
	/* The watchdog has marked it while nothing was mounted. */
	put("", 20049, BEGUN_S - 99, ", \"unmount_time\": 1700000001", 1);
	assert_true(tidy_up(&pass));
	assert_true(number(20049, "unmount_time") == -1);
	assert_true(number(20050, "unmount_time") == 0);
	drop(20049);
	drop(20050);
}

static void of_the_attempt_that_runs(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("~", 20049, BEGUN_S + 31, "", 1);
	put("~", 20050, BEGUN_S + 29, "", 3600);
	pass.running = true;
	tidy_up(&pass);
	assert_true(is_there("~", 20049, ""));
	assert_true(is_there("~", 20050, ""));
	/* It has ended; then another program began. */
	pass.running = false;
	pass.until_ms = (BEGUN_S + 30) * 1000LL;
	assert_true(tidy_up(&pass));
	assert_true(is_there("~", 20049, ""));
	assert_true(number(20050, "unmount_time") == 0);
	assert_int_equal(unlink(path_of("~", 20049, "")), 0);
	drop(20050);
}

/* A detached mount has open files: the watchdog may not end its proxy. */
static void of_a_connection(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof addr;
	unsigned port;

	(void)state;
	assert_int_equal(bind(server, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&addr, &len), 0);
	port = ntohs(addr.sin_port);
	if (geteuid() == 0) {
		put("", port, BEGUN_S - 9, ", \"unmount_time\": 1700000001", 1);
		assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof addr), 0);
		assert_true(tidy_up(&pass));
		assert_true(number(port, "unmount_time") == -1);
		close(client);
		assert_true(tidy_up(&pass));
		assert_true(number(port, "unmount_time") == 0);
		drop(port);
	}
	close(server);
}

/* The program has the name of the link by which it was started. */
static pid_t start_proxy(unsigned port)
{
	char config[256], program[64];
	int held[2], told[2];
	pid_t pid;
	char c;

	snprintf(config, sizeof config, "%s", path_of("stunnel-config.", port, ""));
	snprintf(program, sizeof program, "%s/stunnel", dir);
	assert_int_equal(symlink("/bin/sh", program), 0);
	assert_int_equal(pipe(held) | pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		dup2(held[0], 0);
		dup2(told[1], 1);
		execl(program, "stunnel", "-c", "echo; read x", config, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(read(told[0], &c, 1), 1);
	unlink(program);
	return pid;
}

static void no_watchdog_is_there(void **state)
{
	unsigned port = 20049;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = start_proxy(port);
	put("stunnel-config.", port, 0, "", 0);
	assert_int_equal(mkdir(path_of("", port, "+"), 0700), 0);
	assert_int_equal(mkdir(path_of("", port, "+/certs"), 0700), 0);
	put("", port, BEGUN_S - 500, ", \"unmount_time\": 0", 9);
	assert_true(tidy_up(&pass));
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	pass.now_ms += 1000;
	assert_true(tidy_up(&pass));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(is_there("stunnel-config.", port, ""));
	/* Only when the proxy has ended. */
	assert_false(tidy_up(&pass));
	assert_false(is_there("", port, ""));
	assert_false(is_there("", port, "+"));
	assert_false(is_there("stunnel-config.", port, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_failed_attempt, setup, teardown),
		cmocka_unit_test_setup_teardown(of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(of_the_mount, setup, teardown),
		cmocka_unit_test_setup_teardown(of_the_attempt_that_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(of_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(no_watchdog_is_there, setup, teardown),
	};

	return cmocka_run_group_tests_name("mount/tidy", tests, NULL, NULL);
}
