/* The password file; texts of the session and of the report. */
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

#include "rds.h"

static char path[64];
static struct conf_rds conf;

static void write_file(const void *data, size_t len)
{
	int fd;

	snprintf(path, sizeof path, "/tmp/wna-secret-%d", (int)getpid());
	strcpy(conf.password_file, path);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static int read_from(const void *data, size_t len, char *ret, size_t size)
{
	int rc;

	write_file(data, len);
	rc = secret_read(&conf, ret, size);
	unlink(path);
	return rc;
}

static void first_line(void **state)
{
	static const char *const files[] = { "s3cret", "s3cret\n", "s3cret\r\n",
		                             "s3cret\nsecond line\n" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		assert_int_equal(read_from(files[i], strlen(files[i]), text, sizeof text), 0);
		assert_string_equal(text, "s3cret");
	}
	/* blanks are part of the password */
	assert_int_equal(read_from(" a b \n", 6, text, sizeof text), 0);
	assert_string_equal(text, " a b ");
}

static void refused(void **state)
{
	char text[16], wiped[16] = { 0 };

	(void)state;
	assert_int_equal(read_from("", 0, text, sizeof text), -ENODATA);
	assert_int_equal(read_from("\nsecond\n", 8, text, sizeof text), -ENODATA);
	assert_int_equal(read_from("a\0b\n", 4, text, sizeof text), -EINVAL);
	assert_int_equal(read_from("0123456789abcdef", 16, text, sizeof text), -EMSGSIZE);
	assert_memory_equal(text, wiped, sizeof text);
	assert_int_equal(read_from("0123456789abcde", 15, text, sizeof text), 0);
	assert_int_equal(secret_read(&conf, text, sizeof text), -ENOENT);
	assert_string_equal(secret_explain(&conf, -ENOENT), "there is no password file");
	write_file("s3cret", 6);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(secret_read(&conf, text, sizeof text), -EPERM);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(secret_read(&conf, text, sizeof text), -EPERM);
	unlink(path);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(secret_read(&conf, text, sizeof text), -ELOOP);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(secret_read(&conf, text, sizeof text), -EINVAL);
	unlink(path);
}

/* The id of an edited file changes. */
static void read_twice(void **state)
{
	char text[16], one[FILE_ID_SIZE], two[FILE_ID_SIZE];

	(void)state;
	write_file("first\n", 6);
	assert_int_equal(secret_read(&conf, text, sizeof text), 0);
	assert_string_equal(text, "first");
	secret_identify(&conf, one, sizeof one);
	write_file("other word\n", 11);
	secret_identify(&conf, two, sizeof two);
	assert_string_not_equal(one, two);
	assert_int_equal(secret_read(&conf, text, sizeof text), 0);
	assert_string_equal(text, "other word");
	unlink(path);
	secret_identify(&conf, one, sizeof one);
	assert_string_equal(one, "");
}

static void read_only_words(void **state)
{
	static const char *const no[] = { "0", "OFF", "off" };
	static const char *const yes[] = { "1", "ON", "NO_LOCK", "NO_LOCK_NO_ADMIN" };
	static const char *const neither[] = { "", "a b", "\x01",
		                               "0123456789012345678901234567890123" };
	bool value;

	(void)state;
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		value = true;
		assert_true(session_read_only(no[i], &value));
		assert_false(value);
	}
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		value = false;
		assert_true(session_read_only(yes[i], &value));
		assert_true(value);
	}
	for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++)
		assert_false(session_read_only(neither[i], &value));
	assert_false(session_read_only(NULL, &value));
}

static void error_before_tls(void **state)
{
	const char *text = NULL;

	(void)state;
	assert_int_equal(session_early_error("Received error packet before completion of TLS "
	                                     "handshake. The authenticity of the following error "
	                                     "cannot be verified: 1040 - Too many connections",
	                                     &text),
	                 1040);
	assert_string_equal(text, "Too many connections");
	text = NULL;
	assert_int_equal(session_early_error("Can't connect to server on 'db' (111)", &text), 0);
	assert_int_equal(session_early_error("cannot be verified: x", &text), 0);
	assert_int_equal(session_early_error("cannot be verified: 1040", &text), 0);
	assert_int_equal(session_early_error("cannot be verified: 104000 - x", &text), 0);
	assert_null(text);
}

static void outage_in_words(void **state)
{
	struct rds_change change = { .min_ms = 3100,
		                     .max_ms = 7200,
		                     .period_ms = 2000,
		                     .last_good_wall_ms = 1795425330120,
		                     .first_good_wall_ms = 1795425337320 };
	char text[LIMIT_FACT_WHY];

	(void)state;
	assert_string_equal(report_outage(&change, text, sizeof text),
	                    "writes were out for 3.1 to 7.2 s (last good 09:15:30.120, first good "
	                    "09:15:37.320 UTC, asked every 2.0 s)");
	change.max_ms = change.last_good_wall_ms = -1;
	assert_string_equal(report_outage(&change, text, sizeof text),
	                    "writes were out for 3.1 s or more (last good unknown, first good "
	                    "09:15:37.320 UTC, asked every 2.0 s)");
	/* the longest text fits into a fact */
	change.min_ms = change.max_ms = INT64_C(86400000) * 999;
	change.period_ms = 3600000;
	change.last_good_wall_ms = change.first_good_wall_ms;
	report_outage(&change, text, sizeof text);
	assert_non_null(strstr(text, "asked every 3600.0 s)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_line),       cmocka_unit_test(refused),
		cmocka_unit_test(read_twice),       cmocka_unit_test(read_only_words),
		cmocka_unit_test(error_before_tls), cmocka_unit_test(outage_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
