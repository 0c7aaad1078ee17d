/* Which mounts are right, and what is said of the others. */
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
#define NAME FS ".efs.ap-northeast-2.amazonaws.com"
#define PATH "/var/www/html/efs"

static const struct target_place seoul = { .region = "ap-northeast-2", .domain = "amazonaws.com" };

/* The answer of the name server; NULL: there is no such name. */
static const char *address;
static bool unasked; /* nothing yet */
static bool proved;

static struct finding judged(const struct conf_mount *conf, const struct target_place *place,
                             const char *line, const char *state_dir)
{
	struct probe_answer names = { .why = "Name or service not known" };
	struct judge_env env = { .names = unasked ? NULL : &names,
		                 .proved = proved,
		                 .state_dir = state_dir };
	struct mountinfo there;
	struct finding finding;
	struct target target;

	assert_true(mountinfo_parse_line(line, strlen(line), &there));
	if (address) {
		names.count = 2;
		assert_true(net_addr_parse("10.99.99.99", &names.address[0]));
		assert_true(net_addr_parse(address, &names.address[1]));
	}
	env.mountinfo = line;
	env.mountinfo_len = strlen(line);
	target_make(conf, place, HELPER_OLD, &target);
	judge(&target, PATH, &there, &env, &finding);
	if (finding.state == MOUNT_RIGHT)
		assert_string_equal(finding.why, "");
	else
		assert_string_not_equal(finding.why, "");
	return finding;
}

#define LINE(type, source, super) "82 35 0:40 / " PATH " rw,relatime - " type " " source " " super
#define NFS                       "rw,vers=4.1,rsize=1048576,hard,proto=tcp,timeo=600,addr="

static const struct conf_mount plain = { .type = "nfs4", .file_system = FS, .export_path = "/" };

static void plain_by_export_and_address(void **state)
{
	struct finding finding;

	(void)state;
	address = "10.16.3.7";
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);
	assert_string_equal(finding.text, "nfs4 " NAME ":/ (10.16.3.7)");
	/* Mounted by its address, for example from fstab: it is the same server. */
	finding = judged(&plain, &seoul, LINE("nfs4", "10.16.3.7:/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);

	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", NFS "10.16.4.9"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_non_null(strstr(finding.why, "mounted from 10.16.4.9, but"));
	assert_true(finding.names); /* the name may lead elsewhere by now */
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/other", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_non_null(strstr(finding.why, "the export /other"));
	finding = judged(&plain, &seoul, LINE("nfs", NAME ":/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	finding = judged(&plain, &seoul, LINE("tmpfs", "tmpfs", "rw"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_string_equal(finding.why, "tmpfs is mounted there, expected nfs4");
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", "rw,vers=4.1"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
}

static void plain_with_addresses_of_the_newer_kind(void **state)
{
	struct finding finding;

	(void)state;
	address = "fd00:16::7";
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", NFS "fd00:16::7"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);
	finding = judged(&plain, &seoul, LINE("nfs4", "[fd00:16::7]:/", NFS "fd00:16:0::7"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", NFS "fd00:16::8"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
}

static void unproven_is_not_wrong(void **state)
{
	const struct target_place nowhere = { 0 };
	struct finding finding;

	(void)state;
	address = NULL;
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_UNVERIFIED);
	assert_non_null(strstr(finding.why, NAME " does not resolve: Name or service not known"));
	assert_true(finding.names);
	unasked = true;
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_UNVERIFIED);
	assert_string_equal(finding.why, "no answer from DNS for " NAME);
	assert_true(finding.names);
	finding = judged(&plain, &nowhere, LINE("nfs4", NAME ":/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_UNVERIFIED);
	assert_string_equal(finding.why, "the region is not known yet");
	assert_false(finding.names);
	/* A mount of the wrong type is wrong whatever the name resolves to. */
	finding = judged(&plain, &nowhere, LINE("tmpfs", "tmpfs", "rw"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_false(finding.names);
	/* A mount that was right before stays right if the name server fails later. */
	proved = true;
	finding = judged(&plain, &nowhere, LINE("nfs4", NAME ":/", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);
	finding = judged(&plain, &seoul, LINE("nfs4", NAME ":/other", NFS "10.16.3.7"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	proved = unasked = false;
}

#define TUNNEL LINE("nfs4", "127.0.0.1:/", NFS "127.0.0.1,port=20049")

static void put_state(const char *dir, const char *name, const char *json, mode_t mode)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(json, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void drop_state(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

#define STATE_NAME       FS ".var.www.html.efs.20049"
#define STATE(cmd, more) "{\"pid\": 812, \"cmd\": [" cmd "], \"files\": []" more "}"
#define PROXY            "\"/usr/bin/efs-proxy\", \"/var/run/efs/stunnel-config.x\""

static void tunnel_by_state_file(void **state)
{
	struct conf_mount conf = {
		.type = "efs", .file_system = FS, .export_path = "/", .tls = true
	};
	char dir[] = "/tmp/wna-judge.XXXXXX";
	struct finding finding;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_non_null(strstr(finding.why, "no state file for " FS));

	/* The kernel joins this mount to that of another path, which was there before. */
	put_state(dir, FS ".data.20049", STATE(PROXY, ""), 0644);
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_UNVERIFIED);
	assert_non_null(strstr(finding.why, "port 20049 of another mount of " FS));
	drop_state(dir, FS ".data.20049");

	put_state(dir, "~" STATE_NAME, STATE(PROXY, ""), 0644);
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_UNVERIFIED);
	drop_state(dir, "~" STATE_NAME);
	put_state(dir, STATE_NAME, STATE(PROXY ", \"--tls\"", ", \"unmount_time\": 1700000000.5"),
	          0644);
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_UNVERIFIED);
	assert_non_null(strstr(finding.why, "about to end the proxy"));

	put_state(dir, STATE_NAME, STATE(PROXY ", \"--tls\"", ""), 0644);
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_RIGHT);
	assert_string_equal(finding.text, "nfs4 127.0.0.1:/ (port 20049)");
	/* The same file proves nothing about another port, server, export or access point. */
	finding =
	        judged(&conf, &seoul, LINE("nfs4", "127.0.0.1:/", NFS "127.0.0.1,port=20050"), dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	finding = judged(&conf, &seoul, LINE("nfs4", "127.0.0.1:/", NFS "127.0.0.1"), dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	finding = judged(&conf, &seoul, LINE("nfs4", NAME ":/", NFS "10.16.3.7"), dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_non_null(strstr(finding.why, "not through efs-utils"));
	finding = judged(&conf, &seoul, LINE("nfs4", "127.0.0.1:/x", NFS "127.0.0.1,port=20049"),
	                 dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	strcpy(conf.access_point, "fsap-0123456789abcdef0");
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	conf.access_point[0] = '\0';

	put_state(dir, STATE_NAME, STATE(PROXY ", \"--tls\"", ""), 0666);
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_non_null(strstr(finding.why, "others may write it"));

	put_state(dir, STATE_NAME, STATE(PROXY, ""), 0644);
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_non_null(strstr(finding.why, "without TLS"));
	conf.tls = false;
	finding = judged(&conf, &seoul, TUNNEL, dir);
	assert_int_equal(finding.state, MOUNT_RIGHT);

	drop_state(dir, STATE_NAME);
	assert_int_equal(rmdir(dir), 0);
}

static void bind_by_root_and_device(void **state)
{
	const char *text = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	                   "40 30 8:2 /vol /srv rw - ext4 /dev/sda2 rw\n"
	                   "50 30 8:2 /vol/shared " PATH " rw - ext4 /dev/sda2 rw\n";
	struct conf_mount conf = { .type = "none", .source = "/srv/shared", .options = "bind" };
	struct judge_env env = { .mountinfo = text, .mountinfo_len = strlen(text) };
	struct target_place nowhere = { 0 };
	struct mountinfo there;
	struct finding finding;
	struct target target;

	(void)state;
	assert_int_equal(mountinfo_topmost(text, strlen(text), PATH, &there), 1);
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_RIGHT);
	strcpy(conf.source, "/srv/private");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_WRONG);
	/* The same root on another device. */
	strcpy(conf.source, "/vol/shared");
	target_make(&conf, &nowhere, HELPER_OLD, &target);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_WRONG);
}

/* The topmost mount counts, and the one beneath it is reported. */
static void on_top_of_another(void **state)
{
	static const char twice[] = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	                            "80 30 0:39 / " PATH " rw - tmpfs shared rw\n"
	                            "82 80 0:40 / " PATH " rw - tmpfs shared rw\n";
	static const char other[] = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	                            "80 30 0:39 / " PATH " rw - ext4 /dev/sdb rw\n"
	                            "82 80 0:40 / " PATH " rw - tmpfs shared rw\n";
	const struct conf_mount conf = { .type = "tmpfs", .source = "shared" };
	struct judge_env env = { .mountinfo = twice, .mountinfo_len = sizeof twice - 1 };
	struct mountinfo there;
	struct finding finding;
	struct target target;

	(void)state;
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_int_equal(mountinfo_topmost(twice, sizeof twice - 1, PATH, &there), 1);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_RIGHT);
	assert_string_equal(finding.why, "mounted twice: beneath it lies tmpfs shared");
	env.mountinfo = other;
	env.mountinfo_len = sizeof other - 1;
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_RIGHT);
	assert_string_equal(finding.why, "beneath it lies ext4 /dev/sdb");
}

/* A mount on the path is not hidden by mounts that are themselves hidden. */
static void not_hidden_by_the_hidden(void **state)
{
	static const char text[] = "26 1 8:1 / / rw - ext4 a rw\n"
	                           "40 26 8:2 / /var/www rw - ext4 /dev/b rw\n"
	                           "50 26 8:3 / /var rw - ext4 /dev/c rw\n"
	                           "60 50 0:50 / " PATH " rw - tmpfs shared rw\n";
	const struct conf_mount conf = { .type = "tmpfs", .source = "shared" };
	struct judge_env env = { .mountinfo = text, .mountinfo_len = sizeof text - 1 };
	struct mountinfo there;
	struct finding finding;
	struct target target;

	(void)state;
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_int_equal(mountinfo_topmost(text, sizeof text - 1, PATH, &there), 1);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_RIGHT);
	assert_string_equal(finding.why, "");
}

static void hidden_is_wrong(void **state)
{
	static const char seen[] = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	                           "35 30 8:2 / /var/www rw - ext4 /dev/sda2 rw\n"
	                           "80 35 0:39 / " PATH " rw - tmpfs under rw\n"
	                           "82 80 0:40 / " PATH " rw - tmpfs shared rw\n";
	static const char hidden[] = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	                             "35 30 8:2 / /var/www rw - ext4 /dev/sda2 rw\n"
	                             "82 35 0:40 / " PATH " rw - tmpfs shared rw\n"
	                             "90 35 0:50 / /var/www/html rw - tmpfs other rw\n";
	const struct conf_mount conf = { .type = "tmpfs", .source = "shared" };
	struct judge_env env = { .mountinfo = seen, .mountinfo_len = sizeof seen - 1 };
	struct mountinfo there;
	struct finding finding;
	struct target target;

	(void)state;
	target_make(&conf, &seoul, HELPER_OLD, &target);
	assert_int_equal(mountinfo_topmost(seen, sizeof seen - 1, PATH, &there), 1);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_RIGHT);

	env.mountinfo = hidden;
	env.mountinfo_len = sizeof hidden - 1;
	assert_int_equal(mountinfo_topmost(hidden, sizeof hidden - 1, PATH, &there), 1);
	judge(&target, PATH, &there, &env, &finding);
	assert_int_equal(finding.state, MOUNT_WRONG);
	assert_string_equal(finding.why, "hidden by tmpfs, which is mounted on /var/www/html");
}

static void others_by_type_and_source(void **state)
{
	struct conf_mount conf = { .type = "tmpfs", .source = "shared" };
	struct finding finding;

	(void)state;
	finding = judged(&conf, &seoul, LINE("tmpfs", "shared", "rw"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);
	finding = judged(&conf, &seoul, LINE("tmpfs", "else", "rw"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	finding = judged(&conf, &seoul, LINE("ext4", "shared", "rw"), "/x");
	assert_int_equal(finding.state, MOUNT_WRONG);
	strcpy(conf.expect_type, "ext4");
	finding = judged(&conf, &seoul, LINE("ext4", "shared", "rw"), "/x");
	assert_int_equal(finding.state, MOUNT_RIGHT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_by_export_and_address),
		cmocka_unit_test(plain_with_addresses_of_the_newer_kind),
		cmocka_unit_test(unproven_is_not_wrong),
		cmocka_unit_test(tunnel_by_state_file),
		cmocka_unit_test(bind_by_root_and_device),
		cmocka_unit_test(on_top_of_another),
		cmocka_unit_test(not_hidden_by_the_hidden),
		cmocka_unit_test(hidden_is_wrong),
		cmocka_unit_test(others_by_type_and_source),
	};

	return cmocka_run_group_tests_name("mount/judge", tests, NULL, NULL);
}
