/* Credentials as texts: times, JSON, the shared file, environment, endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud_creds.h"

#define KEY    "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

static void test_time(void **state)
{
	static const char *const bad[] = { "",
		                           "2026-11-23",
		                           "2026-11-23T08:15:30",
		                           "2026-11-23 08:15:30Z",
		                           "2026-11-23T08:15:30+01:00",
		                           "2026-13-01T00:00:00Z",
		                           "2026-00-10T00:00:00Z",
		                           "2026-11-23T24:00:00Z",
		                           "2026-11-23T08:60:30Z",
		                           "2026-11-23T08:15:30Zx",
		                           "1969-12-31T23:59:59Z",
		                           "soon" };
	int64_t at = -1;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(creds_time(bad[i], &at));
	assert_int_equal(at, -1);
	assert_true(creds_time("2026-11-23T08:15:30Z", &at));
	assert_int_equal(at, INT64_C(1795421730000));
	assert_true(creds_time("2026-11-23T08:15:30.123Z", &at));
	assert_true(creds_time("2026-11-23T08:15:30+00:00", &at));
	assert_int_equal(at, INT64_C(1795421730000));
	assert_true(creds_time("2028-02-29T00:00:00Z", &at));
}

static const char good_json[] =
        "{\"Code\":\"Success\",\"LastUpdated\":\"2026-11-23T02:00:00Z\",\"Type\":\"AWS-HMAC\","
        "\"AccessKeyId\":\"" KEY "\",\"SecretAccessKey\":\"" SECRET "\","
        "\"Token\":\"IQoJb3JpZ2luX2VjEXAMPLE//==\",\"Expiration\":\"2026-11-23T08:15:30Z\"}";

static void test_json(void **state)
{
	struct creds creds;
	char why[LIMIT_FACT_WHY];

	(void)state;
	assert_int_equal(creds_parse_json(good_json, strlen(good_json), &creds, why, sizeof(why)),
	                 0);
	assert_string_equal(creds.access_key, KEY);
	assert_string_equal(creds.secret_key, SECRET);
	assert_string_equal(creds.token, "IQoJb3JpZ2luX2VjEXAMPLE//==");
	assert_int_equal(creds.expires_wall_ms, INT64_C(1795421730000));
}

/* `good_json` with one text replaced by another. */
static void replaced(char *ret, size_t size, const char *from, const char *to)
{
	const char *at = strstr(good_json, from);

	assert_non_null(at);
	snprintf(ret, size, "%.*s%s%s", (int)(at - good_json), good_json, to, at + strlen(from));
}

static void test_json_refused(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} table[] = {
		{ "Success", "Failed", "Failed" },
		{ "\"Success\"", "\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\\ntrust\"",
		  "AssumeRole" },
		{ "\"" KEY "\"", "null", "AccessKeyId" },
		{ KEY, "short", "AccessKeyId" },
		{ "AccessKeyId", "accessKeyId", "AccessKeyId" },
		{ SECRET, "", "SecretAccessKey" },
		{ SECRET, "two words", "SecretAccessKey" },
		{ "\"Token\"", "\"Tocken\"", "Token" },
		{ "IQoJ", "IQ\\r\\nX: y", "Token" },
		{ "\"2026-11-23T08:15:30Z\"", "1795421730", "Expiration" },
		{ "08:15:30Z", "08:15", "Expiration" },
	};
	static const char *const broken[] = {
		"",        "{", "[]", "null", "\"x\"", "<html></html>", "{\"Code\":\"Success\"}",
		"\x00\x01"
	};
	char json[2048], why[LIMIT_FACT_WHY];
	struct creds creds = { .access_key = "before" };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		replaced(json, sizeof(json), table[i].from, table[i].to);
		assert_int_equal(creds_parse_json(json, strlen(json), &creds, why, sizeof(why)),
		                 -EBADMSG);
		assert_non_null(strstr(why, table[i].why));
		assert_null(strstr(why, SECRET));
	}
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(
		        creds_parse_json(broken[i], strlen(broken[i]), &creds, why, sizeof(why)),
		        -EBADMSG);
	/* Every truncation. */
	for (size_t len = 0; len < strlen(good_json); len++)
		assert_int_equal(creds_parse_json(good_json, len, &creds, why, sizeof(why)),
		                 -EBADMSG);
	assert_string_equal(creds.access_key, "before");
}

static void test_shared_file(void **state)
{
	static const char text[] = "# ours\n"
	                           "[default]\r\n"
	                           "aws_access_key_id = AKIADEFAULTDEFAULT00\r\n"
	                           "aws_secret_access_key=default/secret\r\n"
	                           "\n"
	                           "[ web ] ; the web tier\n"
	                           "AWS_ACCESS_KEY_ID = " KEY " # a comment\n"
	                           "aws_secret_access_key = a#b=c;d\n"
	                           "aws_session_token = tok==\n"
	                           "region = eu-west-1\n"
	                           "s3 =\n"
	                           "  aws_access_key_id = AKIANESTEDNESTED0000\n"
	                           "[half]\n"
	                           "aws_access_key_id = " KEY "\n"
	                           "[bad]\n"
	                           "aws_access_key_id = x\n"
	                           "aws_secret_access_key = y\n"
	                           "[none]\n"
	                           "role_arn = arn:aws:iam::1:role/x";
	struct creds creds = { .access_key = "before" };
	size_t len = sizeof(text) - 1;

	(void)state;
	assert_int_equal(creds_parse_file(text, len, "gone", &creds), -ENODATA);
	assert_int_equal(creds_parse_file(text, len, "none", &creds), -ENODATA);
	assert_int_equal(creds_parse_file(text, len, "half", &creds), -EBADMSG);
	assert_int_equal(creds_parse_file(text, len, "bad", &creds), -EBADMSG);
	assert_int_equal(creds_parse_file("", 0, "default", &creds), -ENODATA);
	assert_int_equal(creds_parse_file("[default\n=", 10, "default", &creds), -ENODATA);
	assert_int_equal(creds_parse_file("[a]\nx\0y\n", 8, "a", &creds), -EBADMSG);
	assert_string_equal(creds.access_key, "before");
	assert_int_equal(creds_parse_file(text, len, "default", &creds), 0);
	assert_string_equal(creds.access_key, "AKIADEFAULTDEFAULT00");
	assert_string_equal(creds.secret_key, "default/secret");
	assert_string_equal(creds.token, "");
	assert_int_equal(creds_parse_file(text, len, "web", &creds), 0);
	assert_string_equal(creds.access_key, KEY);
	assert_string_equal(creds.secret_key, "a#b=c;d");
	assert_string_equal(creds.token, "tok==");
	assert_int_equal(creds.expires_wall_ms, 0);
}

static void test_file_on_disk(void **state)
{
	char path[] = "/tmp/wna-creds-XXXXXX";
	int fd = mkstemp(path);
	struct creds creds;

	(void)state;
	assert_true(fd >= 0);
	if (geteuid() != 0) {
		assert_int_equal(creds_file_read(path, "default", &creds), -EPERM);
	} else {
		assert_true(dprintf(fd, "[default]\naws_access_key_id=" KEY
		                        "\naws_secret_access_key=s\n") > 0);
		assert_int_equal(creds_file_read(path, "default", &creds), 0);
		assert_string_equal(creds.secret_key, "s");
		assert_int_equal(fchmod(fd, 0644), 0);
		assert_int_equal(creds_file_read(path, "default", &creds), -EPERM);
		assert_int_equal(fchmod(fd, 0640), 0);
		assert_int_equal(ftruncate(fd, 70000), 0);
		assert_int_equal(creds_file_read(path, "default", &creds), -EFBIG);
	}
	close(fd);
	unlink(path);
	assert_int_equal(creds_file_read(path, "default", &creds), -ENOENT);
	assert_int_equal(symlink("/etc/shadow", path), 0);
	assert_int_equal(creds_file_read(path, "default", &creds), -EPERM);
	unlink(path);
	assert_int_equal(creds_file_read("/dev/zero", "default", &creds), -EPERM);
}

static struct {
	const char *name;
	char value[5000];
} vars[8];

static char *env(const char *name)
{
	for (size_t i = 0; i < 8; i++)
		if (vars[i].name != NULL && strcmp(vars[i].name, name) == 0)
			return vars[i].value;
	return NULL;
}

static void env_clear(void)
{
	memset(vars, 0, sizeof(vars));
}

static void env_set(int i, const char *name, const char *value)
{
	vars[i].name = name;
	str_copy(vars[i].value, sizeof(vars[i].value), value);
}

static void test_environment(void **state)
{
	char why[LIMIT_FACT_WHY];
	struct creds creds;

	(void)state;
	env_clear();
	assert_false(creds_env_read(env, &creds, why));
	assert_string_equal(why, "");

	env_set(0, "AWS_ACCESS_KEY_ID", KEY);
	assert_false(creds_env_read(env, &creds, why));
	assert_non_null(strstr(why, "AWS_SECRET_ACCESS_KEY"));

	env_set(0, "AWS_ACCESS_KEY_ID", KEY);
	env_set(1, "AWS_SECRET_ACCESS_KEY", SECRET);
	assert_true(creds_env_read(env, &creds, why));
	assert_string_equal(creds.secret_key, SECRET);
	assert_int_equal(creds.expires_wall_ms, 0);
	/* Nothing of it is left where /proc would show it. */
	for (size_t i = 0; i < sizeof(SECRET); i++)
		assert_int_equal(vars[1].value[i], 0);

	env_set(0, "AWS_ACCESS_KEY_ID", KEY);
	env_set(1, "AWS_SECRET_ACCESS_KEY", SECRET);
	env_set(2, "AWS_SESSION_TOKEN", "tok");
	env_set(3, "AWS_CREDENTIAL_EXPIRATION", "2026-11-23T08:15:30Z");
	assert_true(creds_env_read(env, &creds, why));
	assert_string_equal(creds.token, "tok");
	assert_int_equal(creds.expires_wall_ms, INT64_C(1795421730000));

	env_set(0, "AWS_ACCESS_KEY_ID", KEY);
	env_set(1, "AWS_SECRET_ACCESS_KEY", SECRET);
	env_set(3, "AWS_CREDENTIAL_EXPIRATION", "tomorrow");
	assert_false(creds_env_read(env, &creds, why));
	assert_string_equal(creds.secret_key, "");
	env_set(0, "AWS_ACCESS_KEY_ID", "nonsense");
	env_set(1, "AWS_SECRET_ACCESS_KEY", SECRET);
	env_set(3, "AWS_CREDENTIAL_EXPIRATION", "");
	assert_false(creds_env_read(env, &creds, why));
	assert_non_null(strstr(why, "AWS_ACCESS_KEY_ID"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),         cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_refused), cmocka_unit_test(test_shared_file),
		cmocka_unit_test(test_file_on_disk), cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
