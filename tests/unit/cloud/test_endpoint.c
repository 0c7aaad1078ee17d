#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_push.h"

static struct conf_metrics conf;
static struct {
	const char *url_cloudwatch, *url_autoscaling, *url, *region, *default_region, *ignore_urls,
	        *fips, *dual_stack;
} env;
static struct identity identity;
static struct endpoint found;
static char why[160];

static int reset(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	memset(&env, 0, sizeof(env));
	memset(&identity, 0, sizeof(identity));
	memset(&found, 0, sizeof(found));
	identity.region = "ap-northeast-2";
	identity.domain = "amazonaws.com";
	return 0;
}

static char *fake_env(const char *name)
{
	const struct {
		const char *name, *value;
	} rows[] = {
		{ "AWS_ENDPOINT_URL_CLOUDWATCH", env.url_cloudwatch },
		{ "AWS_ENDPOINT_URL_AUTO_SCALING", env.url_autoscaling },
		{ "AWS_ENDPOINT_URL", env.url },
		{ "AWS_REGION", env.region },
		{ "AWS_DEFAULT_REGION", env.default_region },
		{ "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", env.ignore_urls },
		{ "AWS_USE_FIPS_ENDPOINT", env.fips },
		{ "AWS_USE_DUALSTACK_ENDPOINT", env.dual_stack },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return (char *)(uintptr_t)rows[i].value;
	fail_msg("%s is asked for", name);
	return NULL;
}

static int find(void)
{
	const struct endpoint_service service = {
		.name = "monitoring",
		.variable = "AWS_ENDPOINT_URL_CLOUDWATCH",
		.url = conf.endpoint,
	};

	why[0] = '\0';
	return endpoint_find(&conf, &service, fake_env, &identity, &found, why, sizeof(why));
}

static void test_regional(void **state)
{
	/* botocore's endpoint rules of cloudwatch give these. */
	static const struct {
		const char *region, *domain;
		bool fips, dual;
		const char *url;
	} rows[] = {
		{ "ap-northeast-2", "amazonaws.com", false, false,
		  "https://monitoring.ap-northeast-2.amazonaws.com/" },
		{ "ap-northeast-2", "", false, false,
		  "https://monitoring.ap-northeast-2.amazonaws.com/" },
		{ "us-east-1", "", true, false,
		  "https://monitoring-fips.us-east-1.amazonaws.com/" },
		{ "us-east-1", "", false, true, "https://monitoring.us-east-1.api.aws/" },
		{ "us-east-1", "", true, true, "https://monitoring-fips.us-east-1.api.aws/" },
		{ "us-gov-west-1", "", true, false,
		  "https://monitoring.us-gov-west-1.amazonaws.com/" },
		{ "us-gov-west-1", "", true, true, "https://monitoring.us-gov-west-1.api.aws/" },
		{ "cn-north-1", "", false, false,
		  "https://monitoring.cn-north-1.amazonaws.com.cn/" },
		{ "cn-north-1", "", false, true,
		  "https://monitoring.cn-north-1.api.amazonwebservices.com.cn/" },
		{ "us-isob-east-1", "", false, false,
		  "https://monitoring.us-isob-east-1.sc2s.sgov.gov/" },
		{ "us-iso-east-1", "", false, false,
		  "https://monitoring.us-iso-east-1.c2s.ic.gov/" },
		{ "eusc-de-east-1", "", false, false,
		  "https://monitoring.eusc-de-east-1.amazonaws.eu/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		identity.region = rows[i].region;
		identity.domain = rows[i].domain;
		conf.fips = rows[i].fips;
		conf.dual_stack = rows[i].dual;
		assert_int_equal(find(), 0);
		assert_string_equal(found.url, rows[i].url);
		assert_string_equal(found.region, rows[i].region);
		assert_true(strstr(found.url, found.host) != NULL);
	}
}

static void test_region_order(void **state)
{
	(void)state;
	identity.region = NULL;
	assert_int_equal(find(), -EAGAIN);
	assert_true(why[0] != '\0');
	identity.region = "eu-west-1";
	assert_int_equal(find(), 0);
	assert_string_equal(found.region, "eu-west-1");
	env.default_region = "eu-west-2";
	assert_int_equal(find(), 0);
	assert_string_equal(found.region, "eu-west-2");
	env.region = "eu-west-3";
	assert_int_equal(find(), 0);
	assert_string_equal(found.region, "eu-west-3");
	strcpy(conf.region, "eu-central-1");
	assert_int_equal(find(), 0);
	assert_string_equal(found.region, "eu-central-1");
}

static void test_bad_region(void **state)
{
	static const char *const bad[] = { "EU-WEST-1", "eu west",         "eu.west",       "-eu",
		                           "eu/west",   "a.evil.example#", "eu-west-1@evil" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		identity.region = bad[i];
		assert_int_equal(find(), -EINVAL);
	}
	reset(NULL);
	identity.domain = "evil.example/x";
	assert_int_equal(find(), -EINVAL);
}

static void test_url_order(void **state)
{
	(void)state;
	env.url = "https://all.example";
	assert_int_equal(find(), 0);
	assert_string_equal(found.url, "https://all.example/");
	env.url_cloudwatch = "https://cw.example";
	assert_int_equal(find(), 0);
	assert_string_equal(found.url, "https://cw.example/");
	strcpy(conf.endpoint, "https://conf.example");
	assert_int_equal(find(), 0);
	assert_string_equal(found.url, "https://conf.example/");
	assert_string_equal(found.region, "ap-northeast-2");
	env.url = "";
	env.url_cloudwatch = "";
	conf.endpoint[0] = '\0';
	assert_int_equal(find(), 0);
	assert_string_equal(found.host, "monitoring.ap-northeast-2.amazonaws.com");
}

/* The host is signed: it must be as curl writes the Host header. */
static void test_host(void **state)
{
	static const struct {
		const char *url, *host, *want;
	} rows[] = {
		{ "https://Cw.Example:443/", "cw.example", "https://cw.example/" },
		{ "https://cw.example:8443", "cw.example:8443", "https://cw.example:8443/" },
		{ "http://127.0.0.1:80", "127.0.0.1", "http://127.0.0.1/" },
		{ "http://127.0.0.1:443", "127.0.0.1:443", "http://127.0.0.1:443/" },
		{ "https://127.0.0.1:80", "127.0.0.1:80", "https://127.0.0.1:80/" },
		{ "http://localhost:5000/", "localhost:5000", "http://localhost:5000/" },
		{ "http://[::1]:5000", "[::1]:5000", "http://[::1]:5000/" },
		{ "https://[2001:DB8::1]", "[2001:db8::1]", "https://[2001:db8::1]/" },
		/* Other forms of an address become the form that curl writes. */
		{ "http://[0:0:0:0:0:0:0:1]:9999", "[::1]:9999", "http://[::1]:9999/" },
		{ "https://[2001:0db8:0:0::0001]", "[2001:db8::1]", "https://[2001:db8::1]/" },
		{ "http://[::ffff:7f00:1]:70", "[::ffff:127.0.0.1]:70",
		  "http://[::ffff:127.0.0.1]:70/" },
		{ "https://1.example", "1.example", "https://1.example/" },
		{ "https://cw.0xyz", "cw.0xyz", "https://cw.0xyz/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(conf.endpoint, rows[i].url);
		assert_int_equal(find(), 0);
		assert_string_equal(found.host, rows[i].host);
		assert_string_equal(found.url, rows[i].want);
	}
}

static void test_plain_http(void **state)
{
	static const char *const loopback[] = { "http://127.0.0.1:5000", "http://127.9.9.9",
		                                "http://localhost", "http://[::1]" };
	static const char *const beyond[] = { "http://10.0.0.1", "http://cw.example",
		                              "http://localhost.example", "http://[fd00::1]",
		                              "http://0.0.0.0" };

	(void)state;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
		strcpy(conf.endpoint, loopback[i]);
		assert_int_equal(find(), 0);
	}
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		strcpy(conf.endpoint, beyond[i]);
		conf.allow_http = false;
		assert_int_equal(find(), -EINVAL);
		assert_non_null(strstr(why, "http://"));
		conf.allow_http = true;
		assert_int_equal(find(), 0);
	}
}

static void test_bad_url(void **state)
{
	static const char *const bad[] = {
		"cw.example",
		"ftp://cw.example",
		"HTTPS://cw.example",
		"https:/cw.example",
		"https://",
		"https:///",
		"https://cw.example/path",
		"https://cw.example?x=1",
		"https://cw.example#x",
		"https://user@cw.example",
		"https://user:pw@cw.example",
		"https://cw.example:0",
		"https://cw.example:65536",
		"https://cw.example:",
		"https://cw.example:80x",
		"https://cw example",
		"https://-cw.example",
		"https://cw..example",
		"https://cw.example.",
		"https://cw_.example",
		"https://[::1",
		"https://[::1]x",
		"https://[127.0.0.1]",
		"https://127.1",
		"https://127.0.0.1.1",
		"https://256.1.1.1",
		"https://127.000.000.001",
		"https://2130706433",
		"https://0x7f000001",
		"https://0x7F.1",
		"https://cw.example.1",
		"https://cw.0x",
		"https://[::1%lo]",
		"https://[]",
		"https://::1",
		"https://cw.example\r\nX: y",
		"https://cw.example%0d%0a",
		"https://\xc3\xa4.example",
	};

	(void)state;
	conf.allow_http = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(conf.endpoint, bad[i]);
		if (find() != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_true(why[0] != '\0');
	}
	assert_string_equal(found.url, "");
	memset(conf.endpoint, 'a', sizeof(conf.endpoint) - 1);
	memcpy(conf.endpoint, "https://", 8);
	assert_int_equal(find(), -EINVAL);
}

static void test_contradiction(void **state)
{
	(void)state;
	strcpy(conf.endpoint, "https://cw.example");
	conf.fips = true;
	assert_int_equal(find(), -EINVAL);
	conf.fips = false;
	conf.dual_stack = true;
	assert_int_equal(find(), -EINVAL);
	conf.dual_stack = false;
	assert_int_equal(find(), 0);
}

static void test_env_switches(void **state)
{
	(void)state;
	env.url = "https://all.example";
	env.ignore_urls = "True";
	assert_int_equal(find(), 0);
	assert_string_equal(found.host, "monitoring.ap-northeast-2.amazonaws.com");
	/* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS does not concern the agent's own configuration. */
	strcpy(conf.endpoint, "https://conf.example");
	assert_int_equal(find(), 0);
	assert_string_equal(found.host, "conf.example");
	conf.endpoint[0] = '\0';
	env.fips = "True";
	assert_int_equal(find(), 0);
	assert_string_equal(found.host, "monitoring-fips.ap-northeast-2.amazonaws.com");
	env.fips = "yes"; /* as in the SDKs: only "true" */
	env.dual_stack = "True";
	assert_int_equal(find(), 0);
	assert_string_equal(found.host, "monitoring.ap-northeast-2.api.aws");
	env.ignore_urls = NULL;
	assert_int_equal(find(), -EINVAL);
}

/* As botocore's endpoint rules of autoscaling have it. */
static void test_autoscaling(void **state)
{
	struct endpoint_service service = {
		.name = "autoscaling",
		.variable = "AWS_ENDPOINT_URL_AUTO_SCALING",
		.url = "",
	};

	(void)state;
	identity.region = "cn-north-1";
	identity.domain = "";
	assert_int_equal(
	        endpoint_find(&conf, &service, fake_env, &identity, &found, why, sizeof(why)), 0);
	assert_string_equal(found.url, "https://autoscaling.cn-north-1.amazonaws.com.cn/");
	conf.fips = true;
	identity.region = "us-east-1";
	assert_int_equal(
	        endpoint_find(&conf, &service, fake_env, &identity, &found, why, sizeof(why)), 0);
	assert_string_equal(found.url, "https://autoscaling-fips.us-east-1.amazonaws.com/");
	conf.fips = false;
	env.url_cloudwatch = "https://not.this";
	env.url_autoscaling = "https://this.one";
	assert_int_equal(
	        endpoint_find(&conf, &service, fake_env, &identity, &found, why, sizeof(why)), 0);
	assert_string_equal(found.url, "https://this.one/");
	service.url = "https://configured";
	assert_int_equal(
	        endpoint_find(&conf, &service, fake_env, &identity, &found, why, sizeof(why)), 0);
	assert_string_equal(found.url, "https://configured/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_regional, reset),
		cmocka_unit_test_setup(test_region_order, reset),
		cmocka_unit_test_setup(test_bad_region, reset),
		cmocka_unit_test_setup(test_url_order, reset),
		cmocka_unit_test_setup(test_host, reset),
		cmocka_unit_test_setup(test_plain_http, reset),
		cmocka_unit_test_setup(test_bad_url, reset),
		cmocka_unit_test_setup(test_contradiction, reset),
		cmocka_unit_test_setup(test_env_switches, reset),
		cmocka_unit_test_setup(test_autoscaling, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
