/* Where the metadata service is asked, by configuration and environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cloud_identity.h"

static const char *env_name[8];
static char *env_value[8];

static char *env(const char *name)
{
	for (int i = 0; i < 8 && env_name[i] != NULL; i++)
		if (strcmp(env_name[i], name) == 0)
			return env_value[i];
	return NULL;
}

static void env_set(int i, const char *name, char *value)
{
	env_name[i] = name;
	env_value[i] = value;
	if (i < 7)
		env_name[i + 1] = NULL;
}

static const struct conf_imds conf = { .timeout_ms = 1000, .token_ttl_s = 21600 };

static void test_settings(void **state)
{
	struct imds_settings settings;
	struct conf_imds own = conf;

	(void)state;
	env_name[0] = NULL;
	imds_settings_read(&conf, env, &settings);
	assert_string_equal(settings.base, "http://169.254.169.254");
	assert_int_equal(settings.timeout_ms, 1000);
	assert_int_equal(settings.attempts, 2);
	assert_false(settings.off);
	assert_string_equal(settings.ignored, "");

	env_set(0, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6");
	env_set(1, "AWS_METADATA_SERVICE_TIMEOUT", "3");
	env_set(2, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "5");
	env_set(3, "AWS_EC2_METADATA_DISABLED", "TRUE");
	imds_settings_read(&conf, env, &settings);
	assert_string_equal(settings.base, "http://[fd00:ec2::254]");
	assert_int_equal(settings.timeout_ms, 3000);
	assert_int_equal(settings.attempts, 5);
	assert_true(settings.off);

	env_set(3, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/");
	imds_settings_read(&conf, env, &settings);
	assert_string_equal(settings.base, "http://127.0.0.1:1338");
	str_copy(own.endpoint, sizeof(own.endpoint), "http://[::1]:99");
	imds_settings_read(&own, env, &settings);
	assert_string_equal(settings.base, "http://[::1]:99");

	env_name[0] = NULL;
	env_set(0, "AWS_IMDS_USE_IPV6", "true");
	imds_settings_read(&conf, env, &settings);
	assert_string_equal(settings.base, "http://[fd00:ec2::254]");

	env_name[0] = NULL;
	own = conf;
	own.endpoint_mode = IMDS_IPV6;
	imds_settings_read(&own, env, &settings);
	assert_string_equal(settings.base, "http://[fd00:ec2::254]");
}

static void test_settings_ignored(void **state)
{
	static const struct {
		const char *name;
		char *value;
	} nonsense[] = {
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT", "file:///etc/passwd" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://user@host/" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[::1" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://h/?x" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5" },
		{ "AWS_METADATA_SERVICE_TIMEOUT", "soon" },
		{ "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct imds_settings settings;

		env_set(0, nonsense[i].name, nonsense[i].value);
		imds_settings_read(&conf, env, &settings);
		assert_string_equal(settings.ignored, nonsense[i].name);
		assert_string_equal(settings.base, "http://169.254.169.254");
		assert_int_equal(settings.timeout_ms, 1000);
		assert_int_equal(settings.attempts, 2);
	}
	/* The name is that of the key or variable with the bad value. */
	struct conf_imds own = conf;
	struct imds_settings settings;

	str_copy(own.endpoint, sizeof(own.endpoint), "http://user@host/");
	env_set(0, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1/");
	imds_settings_read(&own, env, &settings);
	assert_string_equal(settings.ignored, "imds.endpoint");
	env_name[0] = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
