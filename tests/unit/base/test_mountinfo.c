/* mountinfo(5): real lines, stacked mounts, hostile text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mountinfo.h"

static const char table[] =
        "21 26 0:20 / /proc rw,relatime shared:5 - proc proc rw\n"
        "26 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw\n"
        "40 26 0:35 / /var/www/html/efs rw,relatime shared:90 master:3 - nfs4 127.0.0.1:/ "
        "rw,vers=4.1,port=20049,addr=127.0.0.1\n"
        "41 40 0:36 / /var/www/html/efs rw - tmpfs none rw\n"
        "50 26 0:40 / /mnt/with\\040blank\\134 rw - ext4 /dev/sdb rw\n"
        "51 26 0:41 / /empty rw - tmpfs  rw,size=4k\n"
        "60 26 0:50 / /srv rw - ext4 /dev/sdc rw\n"
        "61 60 0:51 / /srv/data rw - nfs server:/data rw,addr=10.0.0.1\n";

static struct mountinfo topmost(const char *text, const char *path, int expected)
{
	struct mountinfo mi = { 0 };

	assert_int_equal(mountinfo_topmost(text, strlen(text), path, &mi), expected);
	return mi;
}

static void one_line(void **state)
{
	struct mountinfo mi = topmost(table, "/", 1);
	char value[32];

	(void)state;
	assert_int_equal(mi.id, 26);
	assert_int_equal(mi.major, 259);
	assert_string_equal(mi.type, "ext4");
	assert_string_equal(mi.source, "/dev/nvme0n1p1");
	assert_true(mountinfo_parse_line(strstr(table, "40 26"),
	                                 strcspn(strstr(table, "40 26"), "\n"), &mi));
	assert_true(mountinfo_option(mi.super_options, "port", value, sizeof value));
	assert_string_equal(value, "20049");
	assert_true(mountinfo_option(mi.super_options, "addr", value, sizeof value));
	assert_false(mountinfo_option(mi.super_options, "add", value, sizeof value));
	assert_true(mountinfo_option(mi.super_options, "rw", value, sizeof value));
	assert_string_equal(value, "");
	assert_false(mountinfo_option(mi.super_options, "addr", value, 4));
}

static void the_topmost_of_a_stack(void **state)
{
	struct mountinfo mi = topmost(table, "/var/www/html/efs", 1);

	(void)state;
	assert_int_equal(mi.id, 41);
	assert_string_equal(mi.type, "tmpfs");
	/* 71 is on top of 70, its parent, although 70 is listed later */
	mi = topmost("26 1 8:1 / / rw - ext4 a rw\n"
	             "71 70 0:2 / /x rw - nfs4 a:/ rw\n"
	             "70 26 0:1 / /x rw - tmpfs b rw\n",
	             "/x", 1);
	assert_int_equal(mi.id, 71);
	topmost(table, "/nothing/here", 0);
	topmost(table, "/var/www/html", 0);
	topmost("", "/", -EBADMSG);
	topmost("garbage\nmore garbage", "/", -EBADMSG);
}

/* What the kernel wrote after one stack of mounts was moved onto another: the order of the lines
 * is not that of the stack. */
static void the_topmost_by_parent(void **state)
{
	static const char moved[] = "115 117 0:47 / /mp rw - tmpfs X rw\n"
	                            "95 1 8:1 / / rw - ext4 a rw\n"
	                            "116 95 0:48 / /mp rw - tmpfs A rw\n"
	                            "117 116 0:49 / /mp rw - tmpfs B rw\n";
	/* In a chroot the root is no mount, and has no line. */
	static const char rootless[] = "117 116 0:49 / /mp rw - tmpfs B rw\n"
	                               "116 95 0:48 / /mp rw - tmpfs A rw\n";
	struct mountinfo mi = topmost(moved, "/mp", 1);

	(void)state;
	assert_string_equal(mi.source, "X");
	mi = topmost(rootless, "/mp", 1);
	assert_string_equal(mi.source, "B");
	/* Parents in a ring are refused, and do not cause an endless loop. */
	topmost("7 8 0:1 / /mp rw - tmpfs A rw\n8 7 0:2 / /mp rw - tmpfs B rw\n", "/mp", -EBADMSG);
}

/* A mount on a parent directory hides the mounts below it. */
static void hidden_mounts_hold_nothing(void **state)
{
	static const char text[] = "26 1 8:1 / / rw - ext4 a rw\n"
	                           "40 26 8:2 / /x/www rw - ext4 b rw\n"
	                           "41 40 8:4 / /x/www/html/efs rw - tmpfs old rw\n"
	                           "50 26 8:3 / /x rw - ext4 c rw\n"
	                           "60 50 0:50 / /x/www/html/efs rw - nfs4 fs:/ rw\n";
	struct mountinfo mi = topmost(text, "/x/www/html/efs", 1);

	(void)state;
	assert_int_equal(mi.id, 60);
	assert_int_equal(mountinfo_holding(text, strlen(text), "/x/www/html", &mi), 1);
	assert_int_equal(mi.id, 50);
	/* A hidden mount without another in its place is found: nothing may be mounted there. */
	mi = topmost(text, "/x/www", 1);
	assert_int_equal(mi.id, 40);
	assert_int_equal(mountinfo_holding(text, strlen(text), "/x/www", &mi), 1);
	assert_int_equal(mi.id, 50);
}

static void escapes_and_empty_sources(void **state)
{
	struct mountinfo mi = topmost(table, "/mnt/with blank\\", 1);

	(void)state;
	assert_int_equal(mi.id, 50);
	mi = topmost(table, "/empty", 1);
	assert_string_equal(mi.source, "");
	assert_string_equal(mi.super_options, "rw,size=4k");
}

static void holding_is_the_longest_prefix(void **state)
{
	struct mountinfo mi;

	(void)state;
	assert_int_equal(mountinfo_holding(table, strlen(table), "/srv/data/x/y", &mi), 1);
	assert_int_equal(mi.id, 61);
	assert_int_equal(mountinfo_holding(table, strlen(table), "/srv/database", &mi), 1);
	assert_int_equal(mi.id, 60);
	assert_int_equal(mountinfo_holding(table, strlen(table), "/var/www/html/efs/a", &mi), 1);
	assert_int_equal(mi.id, 41);
	assert_int_equal(mountinfo_holding(table, strlen(table), "/var/www", &mi), 1);
	assert_int_equal(mi.id, 26);
}

static void long_options_do_not_hide_a_mount(void **state)
{
	char line[6000];
	struct mountinfo mi;

	(void)state;
	strcpy(line, "30 26 0:9 / /merged rw - overlay overlay rw,lowerdir=");
	memset(line + strlen(line), 'l', 5000);
	line[5200] = '\0';
	mi = topmost(line, "/merged", 1);
	assert_string_equal(mi.type, "overlay");
	assert_int_equal(strlen(mi.super_options), sizeof mi.super_options - 1);
}

static void long_types_do_not_hide_a_mount(void **state)
{
	char line[1000] = "26 1 8:1 / / rw - ext4 a rw\n40 26 0:35 / /mp rw propagate_from:";
	struct mountinfo mi;

	(void)state;
	memset(line + strlen(line), '1', 200);
	strcat(line, " - fuse.");
	memset(line + strlen(line), 's', 200);
	strcat(line, " other rw\n");
	mi = topmost(line, "/mp", 1);
	assert_string_equal(mi.source, "other");
	assert_int_equal(strlen(mi.type), sizeof mi.type - 1);
	assert_memory_equal(mi.type, "fuse.sss", 8);
}

/* A line that cannot be read is an error: it may be about a mount on the path. */
static void unreadable_lines(void **state)
{
	static const char root[] = "26 1 8:1 / / rw - ext4 a rw\n";
	char text[2000];

	(void)state;
	snprintf(text, sizeof text, "%s40 26 0:35 / /mp rw -\n", root);
	topmost(text, "/mp", -EBADMSG);
	topmost(text, "/mp/below", -EBADMSG);
	topmost(text, "/mpother", 0);
	snprintf(text, sizeof text, "%s40 26 what / /mp rw - tmpfs b rw\n", root);
	topmost(text, "/mp", -EBADMSG);
	topmost(text, "/other", 0);
	snprintf(text, sizeof text, "%s40 26\n", root);
	topmost(text, "/other", -EBADMSG);
	/* Deeper than any path that is asked for. */
	snprintf(text, sizeof text, "%s40 26 0:35 / /mp/%0600d rw - tmpfs b rw\n", root, 0);
	topmost(text, "/mp", 0);
}

static void marks_tell_mounts_apart(void **state)
{
	static const char *const lines[] = {
		"40 26 0:35 / /mp rw - nfs4 127.0.0.1:/ rw,port=20049,addr=127.0.0.1",
		"40 26 0:35 / /mp rw - nfs4 127.0.0.1:/ rw,port=20050,addr=127.0.0.1",
		"40 26 0:35 / /mp rw - nfs4 127.0.0.1:/ rw,port=20049,addr=127.0.0.2",
		"40 26 0:35 / /mp rw - nfs4 127.0.0.1:/x rw,port=20049,addr=127.0.0.1",
		"40 26 0:36 / /mp rw - nfs4 127.0.0.1:/ rw,port=20049,addr=127.0.0.1",
		"40 26 0:35 /a /mp rw - nfs4 127.0.0.1:/ rw,port=20049,addr=127.0.0.1",
		"40 26 0:35 / /mp rw - nfs 127.0.0.1:/ rw,port=20049,addr=127.0.0.1",
		"40 26 0:35 / /mp rw - tmpfs  rw",
	};
	enum { COUNT = sizeof lines / sizeof lines[0] };
	char mark[COUNT][96], again[96];
	struct mountinfo mi;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		assert_true(mountinfo_parse_line(lines[i], strlen(lines[i]), &mi));
		mountinfo_mark(&mi, mark[i], sizeof mark[i]);
		assert_true(strlen(mark[i]) < 80);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(mark[i], mark[j]);
	}
	assert_memory_equal(mark[0], "nfs4 127.0.0.1:/ [", 18);
	assert_memory_equal(mark[COUNT - 1], "tmpfs none [", 12);
	/* A remount with other options is the same mount. */
	assert_true(mountinfo_parse_line(lines[0], strlen(lines[0]), &mi));
	strcpy(mi.options, "ro");
	strcpy(mi.super_options, "ro,addr=127.0.0.1,port=20049");
	assert_string_equal(mountinfo_mark(&mi, again, sizeof again), mark[0]);
}

static void cut_lines_are_no_mounts(void **state)
{
	const char *line = "40 26 0:35 / /var rw,relatime shared:90 - nfs4 127.0.0.1:/ rw,port=1";
	struct mountinfo mi;

	(void)state;
	assert_true(mountinfo_parse_line(line, strlen(line), &mi));
	for (size_t len = 0; len < (size_t)(strstr(line, " rw,port") - line); len++)
		assert_false(mountinfo_parse_line(line, len, &mi));
	assert_false(mountinfo_parse_line("x 26 0:35 / /v rw - a b c", 25, &mi));
	assert_false(mountinfo_parse_line("1 26 035 / /v rw - a b c", 24, &mi));
	assert_false(mountinfo_parse_line("1 26 0:35 / /v rw a b c", 23, &mi));
}

static void the_kernels_own(void **state)
{
	struct mountinfo mi;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(mountinfo_read("/proc/self/mountinfo", &text, &len), 0);
	assert_int_equal(mountinfo_topmost(text, len, "/", &mi), 1);
	assert_int_equal(mountinfo_holding(text, len, "/proc/self", &mi), 1);
	assert_string_equal(mi.type, "proc");
	free(text);
	assert_int_equal(mountinfo_read("/nowhere", &text, &len), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line),
		cmocka_unit_test(the_topmost_of_a_stack),
		cmocka_unit_test(the_topmost_by_parent),
		cmocka_unit_test(hidden_mounts_hold_nothing),
		cmocka_unit_test(escapes_and_empty_sources),
		cmocka_unit_test(holding_is_the_longest_prefix),
		cmocka_unit_test(long_options_do_not_hide_a_mount),
		cmocka_unit_test(long_types_do_not_hide_a_mount),
		cmocka_unit_test(unreadable_lines),
		cmocka_unit_test(marks_tell_mounts_apart),
		cmocka_unit_test(cut_lines_are_no_mounts),
		cmocka_unit_test(the_kernels_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
