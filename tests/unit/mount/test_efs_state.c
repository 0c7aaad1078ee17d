/* State files of every generation of efs-utils, and texts that are not state files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"
#include "mount.h"

#define FS   "fs-0123456789abcdef0"
#define PATH "/var/www/html/efs"

static int parse(const char *json, struct efs_state *ret)
{
	return efs_state_parse(json, strlen(json), FS, PATH, ret);
}

static void all_generations(void **state)
{
	struct efs_state found;

	(void)state;
	/* 1.0: no more than this */
	assert_int_equal(parse("{\"pid\": 9, \"cmd\": [\"stunnel\", \"/var/run/efs/c\"], "
	                       "\"files\": [\"/var/run/efs/c\"]}",
	                       &found),
	                 0);
	assert_true(found.tls);
	assert_string_equal(found.access_point, "");
	/* 1.2x: certificates and access points */
	assert_int_equal(
	        parse("{\"pid\": 9, \"cmd\": [\"/usr/bin/stunnel5\", \"c\"], \"files\": [], "
	              "\"accessPoint\": \"fsap-0123456789abcdef0\", "
	              "\"mountStateDir\": \"x+\", \"commonName\": \"ip-10-16-3-9\", "
	              "\"region\": \"ap-northeast-2\", \"fsId\": \"" FS "\", "
	              "\"certificate\": \"/var/run/efs/x+/certificate.pem\"}",
	              &found),
	        0);
	assert_string_equal(found.access_point, "fsap-0123456789abcdef0");
	/* 2.x, 3.x: efs-proxy, with and without TLS, in a network namespace */
	assert_int_equal(parse("{\"pid\": 9, \"cmd\": [\"/usr/bin/efs-proxy\", \"c\", \"--tls\"], "
	                       "\"files\": [], \"mount_time\": 1700000000.25, "
	                       "\"mountpoint\": \"" PATH "\"}",
	                       &found),
	                 0);
	assert_true(found.tls);
	assert_int_equal(parse("{\"pid\": 9, \"cmd\": [\"nsenter\", \"--net=x\", \"efs-proxy\", "
	                       "\"c\"], \"files\": []}",
	                       &found),
	                 0);
	assert_false(found.tls);
}

/* While the watchdog starts a proxy anew the file has no pid; called directly, mount.efs
 * writes the slash that it was given; and with umask 002 root's group may write. */
static void what_the_real_ones_write(void **state)
{
	char dir[] = "/tmp/wna-efs-XXXXXX", file[128];
	struct efs_state found;
	FILE *out;

	(void)state;
	assert_int_equal(parse("{\"cmd\": [\"stunnel\", \"c\"], \"files\": [], "
	                       "\"mountpoint\": \"" PATH "/\"}",
	                       &found),
	                 0);
	assert_int_equal(parse("{\"cmd\": [\"stunnel\", \"c\"], \"files\": [], "
	                       "\"mountpoint\": \"" PATH "/x\"}",
	                       &found),
	                 -EBADMSG);
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/" FS ".var.www.html.efs.20049", dir);
	out = fopen(file, "we");
	assert_non_null(out);
	fputs("{\"cmd\": [\"stunnel\"], \"files\": []}", out);
	fclose(out);
	assert_int_equal(chmod(file, 0664), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, &found), 0);
	assert_int_equal(chown(file, 0, 33), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, &found), -EPERM);
	unlink(file);
	rmdir(dir);
}

static void times(void **state)
{
	struct efs_state found;

	(void)state;
	assert_int_equal(parse("{\"cmd\": [\"stunnel\"], \"files\": []}", &found), 0);
	assert_int_equal(found.mount_ms, 0);
	assert_int_equal(found.unmount_ms, -1);
	assert_int_equal(parse("{\"cmd\": [\"stunnel\"], \"files\": [], \"mount_time\": "
	                       "1700000000.25, \"unmount_time\": 1700000009.5}",
	                       &found),
	                 0);
	assert_int_equal(found.mount_ms, 1700000000250);
	assert_int_equal(found.unmount_ms, 1700000009500);
	assert_int_equal(parse("{\"cmd\": [\"stunnel\"], \"files\": [], \"mount_time\": \"x\", "
	                       "\"unmount_time\": -7e99}",
	                       &found),
	                 0);
	assert_int_equal(found.mount_ms, 0);
	assert_int_equal(found.unmount_ms, 0);
}

/* All else stays as it was. */
static void marked_and_unmarked(void **state)
{
	static const char json[] =
	        "{\"pid\": 9, \"mount_time\": 1700000000.25, \"unmount_count\": 6, "
	        "\"unmount_time\": 1700000009.5, \"x\": {\"y\": 7}}";
	char dir[] = "/tmp/wna-efs-XXXXXX", text[256];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_CLOEXEC);
	assert_int_equal(efs_state_mark(dir, "x", json, -1), 0);
	assert_true(file_load(fd, "x", FILE_OF_ANYBODY, text, sizeof text) > 0);
	assert_string_equal(text, "{\"pid\":9,\"mount_time\":1700000000.25,\"x\":{\"y\":7}}");
	assert_int_equal(efs_state_mark(dir, "x", json, 0), 0);
	assert_true(file_load(fd, "x", FILE_OF_ANYBODY, text, sizeof text) > 0);
	assert_string_equal(text, "{\"pid\":9,\"mount_time\":1700000000.25,\"x\":{\"y\":7},"
	                          "\"unmount_time\":0}");
	assert_int_equal(unlinkat(fd, "x", 0), 0);
	close(fd);
	rmdir(dir);
}

static void the_process_is_noted_once(void **state)
{
	char dir[] = "/tmp/wna-efs-XXXXXX", text[256];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_CLOEXEC);
	assert_int_equal(efs_state_note(dir, "x", "{\"pid\": 9, \"x\": 1}", 9), 0);
	assert_int_equal(efs_state_note(dir, "x", "[9]", 9), -EBADMSG);
	assert_int_equal(efs_state_note(dir, "x", "", 9), -EBADMSG);
	assert_int_equal(faccessat(fd, "x", F_OK, 0), -1);
	assert_int_equal(efs_state_note(dir, "x", "{\"pid\": 9, \"x\": 1}", 10), 1);
	assert_true(file_load(fd, "x", FILE_OF_ANYBODY, text, sizeof text) > 0);
	assert_string_equal(text, "{\"x\":1,\"pid\":10}");
	/* While the watchdog starts a proxy there is none. */
	assert_int_equal(efs_state_note(dir, "x", "{\"x\": 1}", 11), 1);
	assert_true(file_load(fd, "x", FILE_OF_ANYBODY, text, sizeof text) > 0);
	assert_string_equal(text, "{\"x\":1,\"pid\":11}");
	assert_int_equal(unlinkat(fd, "x", 0), 0);
	close(fd);
	rmdir(dir);
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"812",
		"\"x\"",
		"{}",
		"{\"pid\": 9, \"files\": []}",
		"{\"pid\": 9, \"cmd\": [], \"files\": []}",
		"{\"pid\": 9, \"cmd\": \"stunnel\", \"files\": []}",
		"{\"pid\": 9, \"cmd\": [1], \"files\": []}",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"]}",
		/* about another mount */
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"fsId\": \"fs-1\"}",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"fsId\": 7}",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"mountpoint\": \"/mnt\"}",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"accessPoint\": \"a b\"}",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"accessPoint\": 1}",
	};
	struct efs_state found;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(parse(bad[i], &found), -EBADMSG);
}

static void names_stay_one_component(void **state)
{
	struct efs_state found;

	(void)state;
	assert_int_equal(efs_state_read("/nonexistent", "../fs-1", PATH, 20049, &found), -EINVAL);
	assert_int_equal(efs_state_read("/nonexistent", FS, PATH, 20049, &found), -ENOENT);
}

/* While the helper works. */
static void an_unfinished_file(void **state)
{
	char dir[] = "/tmp/wna-efs-XXXXXX", file[128];
	struct efs_state found;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/~" FS ".var.www.html.efs.20049", dir);
	assert_int_equal(symlink("x", file), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, &found), -EINPROGRESS);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20048, &found), -ENOENT);
	unlink(file);
	/* No link is followed. */
	snprintf(file, sizeof file, "%s/" FS ".var.www.html.efs.20049", dir);
	assert_int_equal(symlink("x", file), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, &found), -ELOOP);
	unlink(file);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_generations),
		cmocka_unit_test(what_the_real_ones_write),
		cmocka_unit_test(times),
		cmocka_unit_test(marked_and_unmarked),
		cmocka_unit_test(the_process_is_noted_once),
		cmocka_unit_test(refused),
		cmocka_unit_test(names_stay_one_component),
		cmocka_unit_test(an_unfinished_file),
	};

	return cmocka_run_group_tests_name("mount/efs_state", tests, NULL, NULL);
}
