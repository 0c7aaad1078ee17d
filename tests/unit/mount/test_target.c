/* The target of a configuration: type, source, options, or why it cannot be mounted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mount.h"

#define FS "fs-0123456789abcdef0"

static const struct target_place seoul = { .region = "ap-northeast-2", .domain = "amazonaws.com" };
static const struct target_place nowhere;

static struct conf_mount efs_conf(const char *type)
{
	struct conf_mount conf = {
		.enabled = true, .path = "/m", .export_path = "/", .guard = true
	};

	strcpy(conf.type, type);
	strcpy(conf.file_system, FS);
	return conf;
}

static void plain_has_awss_options(void **state)
{
	struct conf_mount conf = efs_conf("nfs4");
	struct target target;

	(void)state;
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_string_equal(target.type, "nfs4");
	assert_string_equal(target.source, FS ".efs.ap-northeast-2.amazonaws.com:/");
	assert_string_equal(target.options,
	                    "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,"
	                    "noresvport,_netdev,nosuid,nodev");
	assert_string_equal(target.blocked, "");
	assert_string_equal(target.expect_type, "nfs4");
	assert_true(target.by_nfs);
	assert_false(target.by_tunnel);

	strcpy(conf.options, "ro,nodev");
	strcpy(conf.export_path, "/web");
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_non_null(strstr(target.options, ",ro,nodev"));
	assert_string_equal(target.source, FS ".efs.ap-northeast-2.amazonaws.com:/web");
}

/* A configured region never gets the suffix of another one. */
static void configured_places_win(void **state)
{
	const struct target_place beijing = { .region = "cn-north-1",
		                              .domain = "amazonaws.com.cn" };
	struct conf_mount conf = efs_conf("nfs4");
	struct target target;

	(void)state;
	target_make(&conf, &beijing, HELPER_OLD, &target);
	assert_string_equal(target.host, FS ".efs.cn-north-1.amazonaws.com.cn");
	strcpy(conf.region, "eu-west-1");
	target_make(&conf, &beijing, HELPER_OLD, &target);
	assert_string_equal(target.host, FS ".efs.eu-west-1.amazonaws.com");
	strcpy(conf.domain, "internal.example");
	target_make(&conf, &beijing, HELPER_OLD, &target);
	assert_string_equal(target.host, FS ".efs.eu-west-1.internal.example");
}

static void plain_waits_for_the_region(void **state)
{
	struct conf_mount conf = efs_conf("nfs4");
	struct target target;

	(void)state;
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_string_equal(target.blocked, "the region is not known yet");
	assert_string_equal(target.host, "");
	/* A configured source needs no region. */
	strcpy(conf.source, "10.16.3.7:/web");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_string_equal(target.blocked, "");
	assert_string_equal(target.host, "10.16.3.7");
	assert_string_equal(target.export_path, "/web");
}

static void domain_follows_the_partition(void **state)
{
	const struct target_place beijing = { .region = "cn-north-1" };
	const struct target_place europe = { .region = "eusc-de-east-1", .domain = "amazonaws.eu" };
	struct conf_mount conf = efs_conf("nfs4");
	struct target target;

	(void)state;
	target_make(&conf, &beijing, HELPER_NONE, &target);
	assert_string_equal(target.host, FS ".efs.cn-north-1.amazonaws.com.cn");
	target_make(&conf, &europe, HELPER_NONE, &target);
	assert_string_equal(target.host, FS ".efs.eusc-de-east-1.amazonaws.eu");
}

static void efs_speaks_the_helpers_words(void **state)
{
	struct conf_mount conf = efs_conf("efs");
	struct target target;

	(void)state;
	conf.tls = conf.iam = true;
	strcpy(conf.access_point, "fsap-0123456789abcdef0");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_string_equal(target.type, "efs");
	assert_string_equal(target.source, FS ":/");
	assert_string_equal(target.options,
	                    "_netdev,nosuid,nodev,tls,iam,accesspoint=fsap-0123456789abcdef0");
	assert_string_equal(target.blocked, "");
	assert_true(target.by_tunnel);
	assert_false(target.by_nfs);
	assert_true(target.tls);

	target_make(&conf, &nowhere, HELPER_NONE, &target);
	assert_non_null(strstr(target.blocked, "amazon-efs-utils"));
}

static void region_for_helpers_that_know_it(void **state)
{
	struct conf_mount conf = efs_conf("efs");
	struct target target;

	(void)state;
	assert_int_equal(target_helper(""), HELPER_OLD);
	assert_int_equal(target_helper("\nVERSION = '1.28.2'\n"), HELPER_OLD);
	assert_int_equal(target_helper("\nVERSION = \"1.36.0\"\n"), HELPER_OLD);
	assert_int_equal(target_helper("\nVERSION = \"2.0.4\"\n"), HELPER_OLD);
	assert_int_equal(target_helper("\nVERSION = \"2.1.0\"\n"), HELPER_TAKES_REGION);
	assert_int_equal(target_helper("\nVERSION = \"10.0\"\n"), HELPER_TAKES_REGION);
	assert_int_equal(target_helper("\nVERSION = os.environ[\"V\"]\n"), HELPER_OLD);
	assert_int_equal(target_helper("\nfrom efs_utils_common.constants import VERSION\n"),
	                 HELPER_TAKES_REGION);

	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_null(strstr(target.options, "region"));
	target_make(&conf, &seoul, HELPER_TAKES_REGION, &target);
	assert_non_null(strstr(target.options, ",region=ap-northeast-2"));
	target_make(&conf, &nowhere, HELPER_TAKES_REGION, &target);
	assert_null(strstr(target.options, "region"));
	strcpy(conf.region, "eu-west-1");
	target_make(&conf, &seoul, HELPER_TAKES_REGION, &target);
	assert_non_null(strstr(target.options, ",region=eu-west-1"));
	/* mount.nfs4 would refuse it. */
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_null(strstr(target.options, "region"));
}

static void auto_takes_the_helper_or_plain_nfs(void **state)
{
	struct conf_mount conf = efs_conf("auto");
	struct target target;

	(void)state;
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_string_equal(target.type, "efs");
	target_make(&conf, &seoul, HELPER_NONE, &target);
	assert_string_equal(target.type, "nfs4");
	assert_string_equal(target.blocked, "");
	assert_true(target.by_nfs);
	assert_true(target.by_tunnel);
}

static void auto_never_drops_what_is_demanded(void **state)
{
	struct conf_mount conf;
	struct target target;

	(void)state;
	for (int i = 0; i < 3; i++) {
		conf = efs_conf("auto");
		conf.tls = i == 0;
		conf.iam = i == 1;
		if (i == 2)
			strcpy(conf.access_point, "fsap-0123456789abcdef0");
		target_make(&conf, &seoul, HELPER_NONE, &target);
		assert_non_null(strstr(target.blocked, "which needs amazon-efs-utils"));
		assert_false(target.by_nfs);
		target_make(&conf, &seoul, HELPER_OLD, &target);
		assert_string_equal(target.blocked, "");
	}
}

static void other_types_are_taken_as_they_are(void **state)
{
	struct conf_mount conf = { .type = "tmpfs", .source = "shared", .options = "size=1m" };
	struct target target;

	(void)state;
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_string_equal(target.type, "tmpfs");
	assert_string_equal(target.expect_type, "tmpfs");
	assert_string_equal(target.options, "size=1m");
	assert_false(target.by_bind);

	strcpy(conf.options, "ro,bind");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_true(target.by_bind);
	strcpy(conf.options, "x-binder,nobind");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_false(target.by_bind);

	strcpy(conf.type, "fuse");
	strcpy(conf.expect_type, "fuse.sshfs");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	assert_string_equal(target.expect_type, "fuse.sshfs");
}

static void sources_split(void **state)
{
	char host[32], path[32];

	(void)state;
	assert_true(target_split("server:/a/b", host, sizeof host, path, sizeof path));
	assert_string_equal(host, "server");
	assert_string_equal(path, "/a/b");
	assert_true(target_split("[fd00::1]:/", host, sizeof host, path, sizeof path));
	assert_string_equal(host, "fd00::1");
	assert_string_equal(path, "/");
	assert_true(target_split("fd00::1:/x", host, sizeof host, path, sizeof path));
	assert_string_equal(host, "fd00::1");
	assert_false(target_split("tmpfs", host, sizeof host, path, sizeof path));
	assert_false(target_split(":/x", host, sizeof host, path, sizeof path));
	assert_false(target_split("[]:/x", host, sizeof host, path, sizeof path));
	assert_false(target_split("[fd00::1:/x", host, sizeof host, path, sizeof path));
	assert_false(target_split("a-host-name-that-is-far-too-long-here:/", host, sizeof host,
	                          path, sizeof path));
}

static void long_options_fit(void **state)
{
	struct conf_mount conf = efs_conf("nfs4");
	struct target target;

	(void)state;
	memset(conf.options, 'o', sizeof conf.options - 1);
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_string_equal(target.blocked, "");
	assert_true(strlen(target.options) > sizeof conf.options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_has_awss_options),
		cmocka_unit_test(configured_places_win),
		cmocka_unit_test(plain_waits_for_the_region),
		cmocka_unit_test(domain_follows_the_partition),
		cmocka_unit_test(efs_speaks_the_helpers_words),
		cmocka_unit_test(region_for_helpers_that_know_it),
		cmocka_unit_test(auto_takes_the_helper_or_plain_nfs),
		cmocka_unit_test(auto_never_drops_what_is_demanded),
		cmocka_unit_test(other_types_are_taken_as_they_are),
		cmocka_unit_test(sources_split),
		cmocka_unit_test(long_options_fit),
	};

	return cmocka_run_group_tests_name("mount/target", tests, NULL, NULL);
}
