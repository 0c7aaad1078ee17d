/*
 * Run by wnactl iam-policy. Reads local files. Owns the JSON while it makes it.
 *
 * Actions, resources and condition keys: Service Authorization Reference, "Actions, resources, and
 * condition keys" of CloudWatch, EC2 Auto Scaling, EFS and RDS IAM authentication.
 */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "file.h"
#include "str.h"

/* What the resources' names need; "*" if it is not known. */
struct place {
	char partition[LIMIT_NAME], region[LIMIT_NAME], group[LIMIT_HOST];
};

/* Not if the fact is absent or not known. */
static void take_fact(const cJSON *facts, const char *name, char *ret, size_t size)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(facts, name));

	if (text && text[0])
		str_copy(ret, size, text);
}

/* The configuration, else this instance's metadata. */
static void find_place(const struct ctl *ctl, const struct conf *conf, struct place *ret)
{
	static char text[64 * 1024];
	char path[512];
	cJSON *facts = NULL;

	*ret = (struct place){ .partition = "aws", .region = "*", .group = "*" };
	snprintf(path, sizeof path, "%s/facts.json", ctl->run_dir);
	if (file_load(AT_FDCWD, path, FILE_OF_ANYBODY, text, sizeof text) > 0)
		facts = cJSON_Parse(text);
	take_fact(facts, "region", ret->region, sizeof ret->region);
	take_fact(facts, "asg", ret->group, sizeof ret->group);
	if (conf->metrics.region[0])
		str_copy(ret->region, sizeof ret->region, conf->metrics.region);
	if (conf->imds.asg[0])
		str_copy(ret->group, sizeof ret->group, conf->imds.asg);
	if (strncmp(ret->region, "cn-", 3) == 0)
		str_copy(ret->partition, sizeof ret->partition, "aws-cn");
	else if (strncmp(ret->region, "us-gov-", 7) == 0)
		str_copy(ret->partition, sizeof ret->partition, "aws-us-gov");
	take_fact(facts, "partition", ret->partition, sizeof ret->partition);
	cJSON_Delete(facts);
}

/* One right. `test`, `key` and `value` are a condition; NULL: none. */
static void allow(cJSON *statements, const char *const *actions, int count, const char *resource,
                  const char *test, const char *key, const char *value)
{
	cJSON *statement = cJSON_CreateObject();

	cJSON_AddStringToObject(statement, "Effect", "Allow");
	cJSON_AddItemToObject(statement, "Action", cJSON_CreateStringArray(actions, count));
	cJSON_AddStringToObject(statement, "Resource", resource);
	if (test)
		cJSON_AddStringToObject(
		        cJSON_AddObjectToObject(cJSON_AddObjectToObject(statement, "Condition"),
		                                test),
		        key, value);
	cJSON_AddItemToArray(statements, statement);
}

static void allow_hooks(cJSON *statements, const struct conf_life *life, const struct place *place)
{
	static const char *const actions[] = { "autoscaling:CompleteLifecycleAction",
		                               "autoscaling:RecordLifecycleActionHeartbeat" };
	char resource[LIMIT_VALUE];

	if (!life->launch_hook[0] && !life->terminate_hook[0])
		return;
	snprintf(resource, sizeof resource,
	         "arn:%s:autoscaling:%s:*:autoScalingGroup:*:autoScalingGroupName/%s",
	         place->partition, place->region, place->group);
	allow(statements, actions, life->launch_hook[0] ? 2 : 1, resource, NULL, NULL, NULL);
}

static void allow_login(cJSON *statements, const struct conf_rds *rds, const struct place *place)
{
	static const char *const actions[] = { "rds-db:connect" };
	char resource[LIMIT_VALUE];

	if (!rds->enabled || rds->auth != DB_AUTH_IAM)
		return;
	snprintf(resource, sizeof resource, "arn:%s:rds-db:%s:*:dbuser:*/%s", place->partition,
	         place->region, rds->user);
	allow(statements, actions, 1, resource, NULL, NULL, NULL);
}

/* The web server's rights on the mount: without ClientWrite it would be read-only. */
static void allow_mount(cJSON *statements, const struct conf_mount *mount,
                        const struct place *place)
{
	static const char *const actions[] = { "elasticfilesystem:ClientMount",
		                               "elasticfilesystem:ClientWrite",
		                               "elasticfilesystem:ClientRootAccess" };
	const char *region = mount->region[0] ? mount->region : place->region;
	char resource[LIMIT_VALUE];

	if (!mount->enabled || !mount->iam)
		return;
	snprintf(resource, sizeof resource, "arn:%s:elasticfilesystem:%s:*:file-system/%s",
	         place->partition, region, mount->file_system);
	allow(statements, actions, 3, resource, "Bool", "elasticfilesystem:AccessedViaMountTarget",
	      "true");
}

static cJSON *make(const struct conf *conf, const struct place *place)
{
	static const char *const push[] = { "cloudwatch:PutMetricData" };
	cJSON *policy = cJSON_CreateObject();
	cJSON *statements;

	cJSON_AddStringToObject(policy, "Version", "2012-10-17");
	statements = cJSON_AddArrayToObject(policy, "Statement");
	if (conf->metrics.enabled)
		allow(statements, push, 1, "*", "StringEquals", "cloudwatch:namespace",
		      conf->metrics.space);
	allow_hooks(statements, &conf->life, place);
	allow_login(statements, &conf->rds, place);
	allow_mount(statements, &conf->mount, place);
	if (cJSON_GetArraySize(statements) > 0)
		return policy;
	cJSON_Delete(policy);
	return NULL;
}

int policy_print(const struct ctl *ctl, const char *file)
{
	struct conf_draft *draft = conf_read(file);
	struct place place;
	cJSON *policy;
	char *text;
	int code;

	if (!draft)
		return CTL_NO;
	code = (int)draft->problems.item[0].error;
	if (code != CONF_OK) {
		ctl_tell_problems(ctl, draft);
		goto out;
	}
	find_place(ctl, &draft->conf, &place);
	policy = make(&draft->conf, &place);
	text = policy ? cJSON_Print(policy) : NULL;
	if (text)
		fprintf(ctl->out, "%s\n", text);
	else
		fprintf(ctl->err, "wnactl: this configuration needs no right in AWS\n");
	if (text && strstr(text, ":*"))
		fprintf(ctl->err, "wnactl: write the account, and what else is known, in the place "
		                  "of each * in an ARN\n");
	code = text ? CTL_OK : CTL_OFF;
	cJSON_free(text);
	cJSON_Delete(policy);
out:
	conf_draft_free(draft);
	return code;
}
