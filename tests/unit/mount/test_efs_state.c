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
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), 0);
	assert_int_equal(chown(file, 0, 33), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), -EPERM);
	unlink(file);
	rmdir(dir);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* The kernel uses the proxy of an earlier mount, which efs-utils' watchdog has marked. */
static void a_proxy_that_serves_again_stays(void **state)
{
	char dir[] = "/tmp/wna-efs-XXXXXX", file[128], text[256];
	struct efs_state found;
	int fd;

	(void)state;
	assert_int_equal(parse("{\"cmd\": [\"stunnel\"], \"files\": []}", &found), 0);
	assert_int_equal(found.unmount_ms, -1);
	assert_int_equal(found.mount_ms, 0);
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/" FS ".var.www.html.efs.20049", dir);
	write_file(file, "{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"mount_time\": "
	                 "1700000000.25, \"unmount_count\": 6, \"unmount_time\": 1700000009.5, "
	                 "\"x\": {\"y\": 7}}");
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), 0);
	assert_int_equal(found.mount_ms, 1700000000250);
	assert_int_equal(found.unmount_ms, 1700000009500);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	text[read(fd, text, sizeof text - 1)] = '\0';
	close(fd);
	assert_string_equal(text, "{\"pid\":9,\"cmd\":[\"stunnel\"],\"files\":[],\"mount_time\":"
	                          "1700000000.25,\"x\":{\"y\":7}}");
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), 0);
	assert_int_equal(found.unmount_ms, -1);
	unlink(file);
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
	assert_int_equal(efs_state_read("/nonexistent", "../fs-1", PATH, 20049, 1000, 0, &found),
	                 -EINVAL);
	assert_int_equal(efs_state_read("/nonexistent", FS, PATH, 20049, 1000, 0, &found), -ENOENT);
}

/* A helper was killed before its end. Times are relative to the file's own time. */
static void finishes_what_a_helper_left(void **state)
{
	char dir[] = "/tmp/wna-efs-XXXXXX", begun[128], done[128];
	struct efs_state found;
	struct stat st;
	int64_t at_ms;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(begun, sizeof begun, "%s/~" FS ".var.www.html.efs.20049", dir);
	snprintf(done, sizeof done, "%s/" FS ".var.www.html.efs.20049", dir);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), -ENOENT);
	write_file(begun, "{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": []}");
	assert_int_equal(stat(begun, &st), 0);
	at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms, &found), -EINPROGRESS);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms + 999, &found),
	                 -EINPROGRESS);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20048, 1000, at_ms + 1000, &found), -ENOENT);
	assert_int_equal(chmod(begun, 0666), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms + 1000, &found), -EPERM);
	assert_int_equal(chmod(begun, 0644), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms, &found), -EINPROGRESS);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms + 1000, &found), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), 0);
	assert_true(found.tls);
	/* A file from the future (the clock was set back) is idle as well. */
	assert_int_equal(rename(done, begun), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms - 3600000, &found), 0);
	/* A finished one is not replaced. */
	write_file(begun, "{\"cmd\": [\"efs-proxy\"], \"files\": []}");
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, at_ms + 86400000, &found), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), 0);
	assert_true(found.tls);
	unlink(begun);
	unlink(done);
	rmdir(dir);
}

/* An incomplete file is not given its final name: the watchdog could not use it. */
static void finishes_no_half_file(void **state)
{
	static const char *const half[] = {
		"",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"fil",
		"{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": [], \"fsId\": \"fs-1\"}",
	};
	char dir[] = "/tmp/wna-efs-XXXXXX", begun[128], done[128], other[128];
	struct efs_state found;
	int64_t later_ms = 0;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(begun, sizeof begun, "%s/~" FS ".var.www.html.efs.20049", dir);
	snprintf(done, sizeof done, "%s/" FS ".var.www.html.efs.20049", dir);
	for (size_t i = 0; i < sizeof half / sizeof half[0]; i++) {
		write_file(begun, half[i]);
		assert_int_equal(stat(begun, &st), 0);
		later_ms = ((int64_t)st.st_mtim.tv_sec + 3600) * 1000;
		/* A young file: the helper may still be writing it. */
		assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 7200000, later_ms, &found),
		                 -EINPROGRESS);
		assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, later_ms, &found),
		                 -EBADMSG);
		assert_int_equal(access(begun, F_OK), 0);
		assert_int_equal(access(done, F_OK), -1);
	}
	write_file(begun, "{\"pid\": 9, \"cmd\": [\"stunnel\"], \"files\": []}");
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, later_ms + 3600000, &found), 0);
	assert_int_equal(efs_state_read(dir, FS, PATH, 20049, 1000, 0, &found), 0);
	/* Nor is a link followed, though it leads to root's file. */
	snprintf(other, sizeof other, "%s/other", dir);
	assert_int_equal(rename(done, other), 0);
	assert_int_equal(symlink("other", begun), 0);
	assert_true(efs_state_read(dir, FS, PATH, 20049, 1000, later_ms + 3600000, &found) < 0);
	assert_int_equal(access(done, F_OK), -1);
	unlink(begun);
	unlink(other);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_generations),
		cmocka_unit_test(what_the_real_ones_write),
		cmocka_unit_test(a_proxy_that_serves_again_stays),
		cmocka_unit_test(refused),
		cmocka_unit_test(names_stay_one_component),
		cmocka_unit_test(finishes_what_a_helper_left),
		cmocka_unit_test(finishes_no_half_file),
	};

	return cmocka_run_group_tests_name("mount/efs_state", tests, NULL, NULL);
}
