/* State files of every generation of efs-utils, and everything that is none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "efs_state.h"

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
	assert_int_equal(found.pid, 9);
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
		"{\"pid\": \"9\", \"cmd\": [\"stunnel\"], \"files\": []}",
		"{\"pid\": -1, \"cmd\": [\"stunnel\"], \"files\": []}",
		"{\"pid\": 0, \"cmd\": [\"stunnel\"], \"files\": []}",
		"{\"pid\": 1.5, \"cmd\": [\"stunnel\"], \"files\": []}",
		"{\"pid\": 1e300, \"cmd\": [\"stunnel\"], \"files\": []}",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_generations),
		cmocka_unit_test(refused),
		cmocka_unit_test(names_stay_one_component),
	};

	return cmocka_run_group_tests_name("mount/efs_state", tests, NULL, NULL);
}
