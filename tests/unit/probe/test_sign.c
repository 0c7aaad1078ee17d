/* The sign of life of a local file system; a silent server's is tests/vm's business. */
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

#include "limits.h"
#include "mountinfo.h"
#include "probe_sign.h"

static char dir[] = "/tmp/wna-sign.XXXXXX";
static int64_t mount_id;
static char why[LIMIT_FACT_WHY];

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	struct mountinfo there;
	char *text = NULL;
	size_t len = 0;
	int rc;

	(void)state;
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("folder", 0755) < 0 ||
	    mkfifo("fifo", 0644) < 0 || symlink("alive", "link") < 0)
		return -1;
	put("alive", "yes\n");
	put("empty", "");
	if (mountinfo_read("/proc/self/mountinfo", &text, &len) < 0)
		return -1;
	rc = mountinfo_holding(text, len, dir, &there);
	free(text);
	mount_id = there.id;
	return rc == 1 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink("alive");
	unlink("empty");
	unlink("fifo");
	unlink("link");
	rmdir("folder");
	return chdir("/") < 0 || rmdir(dir) < 0 ? -1 : 0;
}

static int sign(const char *file)
{
	why[0] = '\0';
	return sign_of_life(dir, file, mount_id, why, sizeof why);
}

static void alive(void **state)
{
	(void)state;
	assert_int_equal(sign(""), 0);
	assert_int_equal(sign("alive"), 0);
	assert_int_equal(sign("empty"), 0);
	assert_string_equal(why, "");
}

static void of_the_mount_asked_for(void **state)
{
	(void)state;
	assert_int_equal(sign_of_life(dir, "", mount_id + 1, why, sizeof why), -ENODEV);
	assert_non_null(strstr(why, "leads to another mount"));
	assert_int_equal(sign(""), 0);
	assert_int_equal(sign_of_life("/nonexistent", "", mount_id, why, sizeof why), -ENOENT);
}

static void regular_files_below_only(void **state)
{
	(void)state;
	assert_int_equal(sign("missing"), -ENOENT);
	assert_int_equal(sign("link"), -ELOOP);
	assert_int_equal(sign("folder"), -EINVAL);
	assert_true(sign("fifo") < 0);
	assert_int_equal(sign("../../etc/passwd"), -EXDEV);
	assert_int_equal(sign("/etc/passwd"), -EXDEV);
	assert_string_not_equal(why, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alive),
		cmocka_unit_test(of_the_mount_asked_for),
		cmocka_unit_test(regular_files_below_only),
	};

	return cmocka_run_group_tests_name("probe/sign", tests, setup, teardown);
}
