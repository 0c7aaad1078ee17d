/* wnactl iam-policy: exactly what is switched on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "fake.h"

static struct fake fake;
static char conf[128], facts[128];

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	(void)state;
	fake_prepare(&fake);
	fake_start(&fake, "");
	fake.ctl.run_dir = fake.dir;
	snprintf(conf, sizeof conf, "%s/agent.conf", fake.dir);
	snprintf(facts, sizeof facts, "%s/facts.json", fake.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(conf);
	unlink(facts);
	fake_stop(&fake);
	return 0;
}

static void expect(const char *text, int code, const char *out)
{
	cJSON *json;
	char *plain;

	put(conf, text);
	assert_int_equal(policy_print(&fake.ctl, conf), code);
	fake_words(&fake);
	json = cJSON_Parse(fake.out);
	plain = cJSON_PrintUnformatted(json);
	assert_string_equal(plain ? plain : "", out);
	cJSON_free(plain);
	cJSON_Delete(json);
}

#define BEGIN "{\"Version\":\"2012-10-17\",\"Statement\":["
#define ALLOW "{\"Effect\":\"Allow\",\"Action\":"

static void metrics_alone(void **state)
{
	(void)state;
	expect("[metrics]\nnamespace = Web\n", CTL_OK,
	       BEGIN ALLOW "[\"cloudwatch:PutMetricData\"],\"Resource\":\"*\",\"Condition\":{"
	                   "\"StringEquals\":{\"cloudwatch:namespace\":\"Web\"}}}]}");
	assert_string_equal(fake.err, "");
}

static void nothing(void **state)
{
	(void)state;
	expect("[metrics]\nenabled = no\n", CTL_OFF, "");
	assert_non_null(strstr(fake.err, "needs no right"));
}

static void everything_else(void **state)
{
	(void)state;
	put(facts, "{\"region\": \"ap-northeast-2\", \"asg\": \"practice-web\", "
	           "\"partition\": \"aws\"}");
	expect("[metrics]\nenabled = no\n[lifecycle]\nlaunch_hook = launch\n"
	       "[mount]\nenabled = yes\niam = yes\nfile_system = fs-0123456789abcdef0\n"
	       "[database]\nenabled = yes\nauth = iam\nuser = wna\ntls_ca = /ca.pem\n"
	       "endpoint = db.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com\n",
	       CTL_OK,
	       BEGIN ALLOW
	       "[\"autoscaling:CompleteLifecycleAction\","
	       "\"autoscaling:RecordLifecycleActionHeartbeat\"],\"Resource\":"
	       "\"arn:aws:autoscaling:ap-northeast-2:*:autoScalingGroup:*:autoScalingGroupName/"
	       "practice-web\"}," ALLOW "[\"rds-db:connect\"],\"Resource\":"
	       "\"arn:aws:rds-db:ap-northeast-2:*:dbuser:*/wna\"}," ALLOW
	       "[\"elasticfilesystem:ClientMount\",\"elasticfilesystem:ClientWrite\","
	       "\"elasticfilesystem:ClientRootAccess\"],\"Resource\":"
	       "\"arn:aws:elasticfilesystem:ap-northeast-2:*:file-system/fs-0123456789abcdef0\","
	       "\"Condition\":{\"Bool\":{\"elasticfilesystem:AccessedViaMountTarget\":\"true\"}}}]"
	       "}");
	assert_non_null(strstr(fake.err, "in the place of each *"));
}

/* Without the metadata, by the configuration; a terminate hook needs no heartbeat. */
static void another_partition(void **state)
{
	(void)state;
	expect("[metrics]\nenabled = no\nregion = cn-north-1\n[imds]\nauto_scaling_group = web\n"
	       "[lifecycle]\nterminate_hook = end\n",
	       CTL_OK,
	       BEGIN ALLOW "[\"autoscaling:CompleteLifecycleAction\"],\"Resource\":"
	                   "\"arn:aws-cn:autoscaling:cn-north-1:*:autoScalingGroup:*:"
	                   "autoScalingGroupName/web\"}]}");
}

static void a_bad_configuration(void **state)
{
	(void)state;
	expect("[lifecycle]\nlaunch_hook = no blanks\n", CONF_RANGE, "");
	assert_non_null(strstr(fake.err, "lifecycle.launch_hook"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(metrics_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(everything_else, setup, teardown),
		cmocka_unit_test_setup_teardown(another_partition, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_configuration, setup, teardown),
	};

	return cmocka_run_group_tests_name("ctl/policy", tests, NULL, NULL);
}
