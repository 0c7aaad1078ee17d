/* Shapes, the table of facts, facts.json and facts.env. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "aws_name.h"
#include "cloud_identity.h"

static void test_shapes(void **state)
{
	static const struct {
		int id;
		const char *good[4], *bad[8];
	} table[] = {
		{ FACT_INSTANCE_ID,
		  { "i-0123456789abcdef0", "i-12345678" },
		  { "", "i-", "i-0123456789ABCDEF0", "i-0123456789abcdef", "i-0123456789abcdef01",
		    "ami-12345678", "i-1234567g" } },
		{ FACT_AMI_ID, { "ami-0123456789abcdef0" }, { "i-12345678", "ami-", "ami-123" } },
		{ FACT_VPC_ID, { "vpc-0123456789abcdef0" }, { "vpc-0123456789abcdef0 ", "vpc" } },
		{ FACT_SUBNET_ID, { "subnet-12345678" }, { "subnet-1234567", "sub-12345678" } },
		{ FACT_INSTANCE_TYPE,
		  { "m5.large", "u-6tb1.112xlarge", "mac2-m2.metal", "c7gn.16xlarge" },
		  { "m5", "m5.", ".large", "m5.large.x", "M5.large", "m5 large", "<html>" } },
		{ FACT_PRIVATE_IPV4,
		  { "10.16.3.7", "255.255.255.255" },
		  { "10.16.3", "10.16.3.256", "::1", "10.16.3.7/24", "::ffff:10.0.0.1", "a" } },
		{ FACTS_MAC,
		  { "0e:49:61:0f:c3:11" },
		  { "0e:49:61:0f:c3", "0E:49:61:0f:c3:11", "0e-49-61-0f-c3-11",
		    "0e:49:61:0f:c3:11/", "../../../../../xx" } },
		{ FACT_AZ,
		  { "ap-northeast-2a", "us-west-2-lax-1a", "us-gov-west-1a" },
		  { "apnortheast2a", "ap--2a", "ap-", "-ap-2a", "AP-NORTHEAST-2A", "ap_2a" } },
		{ FACT_AZ_ID, { "apne2-az1", "usw2-lax1-az1" }, { "az1", "apne2-az1\n", "" } },
		{ FACT_REGION,
		  { "ap-northeast-2", "us-gov-west-1" },
		  { "ap-northeast-2a", "northeast", "ap-northeast-", "ap.northeast-2" } },
		{ FACT_PARTITION,
		  { "aws", "aws-cn", "aws-us-gov" },
		  { "aw", "gcp", "aws-", "AWS" } },
		{ FACT_DOMAIN,
		  { "amazonaws.com", "amazonaws.com.cn", "c2s.ic.gov" },
		  { "amazonaws", "amazonaws..com", ".com", "amazonaws.com/", "ama zon.com" } },
		{ FACT_INSTANCE_LIFE_CYCLE,
		  { "on-demand", "spot", "capacity-block" },
		  { "Spot", "-spot", "on demand", "" } },
		{ FACT_TARGET_STATE,
		  { "InService", "Standby", "Warmed:Running", "Terminated" },
		  { "inService", "InService!", "Warmed:", "Warmed:running", ":A", "A:B:C", "In" } },
		{ FACT_ASG,
		  { "web", "my group: 1", "web-asg_A/B" },
		  { "", " web", "web ", "web\n",
		    "w\xc3\xa9"
		    "b",
		    ":web", "<html>" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t j = 0; j < 4 && table[i].good[j] != NULL; j++)
			if (!facts_valid(table[i].id, table[i].good[j]))
				fail_msg("row %zu refused %s", i, table[i].good[j]);
		for (size_t j = 0; j < 8 && table[i].bad[j] != NULL; j++)
			if (facts_valid(table[i].id, table[i].bad[j]))
				fail_msg("row %zu took %s", i, table[i].bad[j]);
	}
}

static void test_names(void **state)
{
	static const char *const keys[] = {
		"", ".", "..", "_index", "a/b", "a b", "<html>", "a?b"
	};
	static const char *const roles[] = { "", "a b", "a/b", "<html>", "a\nb" };

	(void)state;
	assert_true(shape_tag_key("Name") && shape_tag_key("aws:autoscaling:groupName") &&
	            shape_tag_key("a+-=.,_:@"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_false(shape_tag_key(keys[i]));
	assert_true(shape_role("web-node") && shape_role("A+=,.@_-z"));
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		assert_false(shape_role(roles[i]));
}

static void test_notices(void **state)
{
	static const struct {
		const char *json, *text; /* NULL: not a notice */
	} table[] = {
		{ "{\"action\":\"stop\",\"time\":\"2026-11-30T08:22:00Z\"}",
		  "stop at 2026-11-30T08:22:00Z" },
		{ "{\"action\":\"stop\",\"time\":\"2026-11-30T08:22:00.123456Z\"}",
		  "stop at 2026-11-30T08:22:00.123456Z" },
		{ "{\"action\":\"stop\",\"time\":\"2026-11-30t17:22:00.5+09:00\"}",
		  "stop at 2026-11-30t17:22:00.5+09:00" },
		/* Whatever it says, EC2 takes the instance back. */
		{ "{\"action\":\"terminate\",\"time\":\"Mon, 30 Nov 2026\"}", "terminate" },
		{ "{\"action\":\"terminate\",\"time\":1796026920}", "terminate" },
		{ "{\"action\":\"Reclaim now\",\"time\":\"\"}", "interruption" },
		{ "{}", "interruption" },
		{ "[]", NULL },
		{ "<html>", NULL },
	};
	char text[LIMIT_HOST];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *json = table[i].json;
		int r = notice_read(FACT_SPOT_ACTION, json, strlen(json), text, sizeof text);

		assert_int_equal(r == 1, table[i].text != NULL);
		if (!table[i].text)
			continue;
		assert_string_equal(text, table[i].text);
		assert_true(facts_valid(FACT_SPOT_ACTION, text));
	}
}

static void test_shape_text(void **state)
{
	char text[8] = "before";

	(void)state;
	assert_false(shape_text("", 0, text, sizeof(text)));
	assert_false(shape_text("\n", 1, text, sizeof(text)));
	assert_false(shape_text("12345678", 8, text, sizeof(text)));
	assert_false(shape_text("a\0b", 3, text, sizeof(text)));
	assert_string_equal(text, "before");
	assert_true(shape_text("1234567", 7, text, sizeof(text)));
	assert_string_equal(text, "1234567");
	assert_true(shape_text("spot\n", 5, text, sizeof(text)));
	assert_string_equal(text, "spot");
}

static void test_set(void **state)
{
	static struct facts facts;

	(void)state;
	memset(&facts, 0, sizeof(facts));
	assert_true(facts_set(&facts, FACT_REGION, "ap-northeast-2"));
	assert_false(facts_set(&facts, FACT_REGION, "ap-northeast-2"));
	assert_true(facts_set(&facts, FACT_REGION, "ap-northeast-1"));
	assert_string_equal(FACTS_AT(&facts, FACT_REGION)->text, "ap-northeast-1");
	assert_true(facts_set(&facts, FACT_ASG, NULL));
	assert_false(facts_set(&facts, FACT_ASG, NULL));
	assert_int_equal(FACTS_AT(&facts, FACT_ASG)->have, FACTS_ABSENT);
	assert_string_equal(FACTS_AT(&facts, FACT_ASG)->text, "");
}

static void test_tags(void **state)
{
	static struct tags tags;
	char key[16], value[TAG_VALUE_MAX + 2];

	(void)state;
	memset(&tags, 0, sizeof(tags));
	assert_true(tags_add(&tags, "Name", "web  1", 6));
	assert_true(tags_add(&tags, "empty", "", 0));
	assert_true(tags_add(&tags, "city", "\xec\x84\x9c\xec\x9a\xb8", 6));
	assert_false(tags_add(&tags, "a b", "x", 1));
	assert_false(tags_add(&tags, "bad", "a\nb", 3));
	assert_false(tags_add(&tags, "bad", "a\0b", 3));
	assert_false(tags_add(&tags, "bad", "\xff\xfe", 2));
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_false(tags_add(&tags, "long", value, TAG_VALUE_MAX + 1));
	assert_int_equal(tags.count, 3);
	assert_int_equal(tags.left_out, 5);
	assert_string_equal(tags.json, "\n    \"Name\": \"web  1\",\n    \"empty\": \"\","
	                               "\n    \"city\": \"\xec\x84\x9c\xec\x9a\xb8\"");
	/* Neither the number of tags nor their bytes exceed the table. */
	memset(&tags, 0, sizeof(tags));
	value[TAG_VALUE_MAX] = '\0';
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		tags_add(&tags, key, value, TAG_VALUE_MAX);
	}
	assert_int_equal(tags.count, 15);
	assert_int_equal(strlen(tags.json), tags.len);
	memset(&tags, 0, sizeof(tags));
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		tags_add(&tags, key, "v", 1);
	}
	assert_int_equal(tags.count, TAGS_MAX);
	assert_int_equal(tags.left_out, 200 - TAGS_MAX);
}

static void sample(struct facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	facts_set(facts, FACT_INSTANCE_ID, "i-0123456789abcdef0");
	facts_set(facts, FACT_PUBLIC_IPV4, NULL);
	facts_set(facts, FACT_AZ, "ap-northeast-2a");
	facts_set(facts, FACT_ASG, "web $(reboot)");
	facts_set(facts, FACT_TARGET_STATE, "Warmed:Running");
	FACTS_AT(facts, FACTS_TAGS)->have = FACTS_PRESENT;
	tags_add(&facts->tags, "Name", "a \"b\" \\", 7);
	tags_add(&facts->tags, "WNA_REGION", "mars", 4);
}

static void test_documents(void **state)
{
	static struct facts facts;
	static char json[FACTS_FILE_MAX];
	char env[4096];
	struct sb sb;

	(void)state;
	sample(&facts);
	sb_init(&sb, json, sizeof(json));
	facts_json(&facts, &sb);
	assert_false(sb.cut);
	assert_string_equal(json, "{\n"
	                          "  \"instance-id\": \"i-0123456789abcdef0\",\n"
	                          "  \"public-ipv4\": null,\n"
	                          "  \"az\": \"ap-northeast-2a\",\n"
	                          "  \"asg\": \"web $(reboot)\",\n"
	                          "  \"target-state\": \"Warmed:Running\",\n"
	                          "  \"tags\": {\n"
	                          "    \"Name\": \"a \\\"b\\\" \\\\\",\n"
	                          "    \"WNA_REGION\": \"mars\"\n"
	                          "  }\n"
	                          "}\n");
	sb_init(&sb, env, sizeof(env));
	facts_env(&facts, &sb);
	/* The group's name is no plain text and is left out; tags never come here. */
	assert_string_equal(env, "WNA_INSTANCE_ID=i-0123456789abcdef0\n"
	                         "WNA_AZ=ap-northeast-2a\n"
	                         "WNA_TARGET_STATE=Warmed:Running\n");

	memset(&facts, 0, sizeof(facts));
	FACTS_AT(&facts, FACTS_TAGS)->have = FACTS_ABSENT;
	sb_init(&sb, json, sizeof(json));
	facts_json(&facts, &sb);
	assert_string_equal(json, "{\n  \"tags\": null\n}\n");
}

static void test_largest_fits(void **state)
{
	static struct facts facts;
	static char json[FACTS_FILE_MAX];
	char value[TAG_VALUE_MAX + 1], key[16], asg[256];
	struct sb sb;

	(void)state;
	memset(&facts, 0, sizeof(facts));
	memset(value, '"', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	memset(asg, '\\', sizeof(asg));
	asg[255] = '\0';
	for (int id = FACTS_FIRST; id < FACTS_END; id++)
		facts_set(&facts, id, asg);
	FACTS_AT(&facts, FACTS_TAGS)->have = FACTS_PRESENT;
	for (int i = 0; i < TAGS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		tags_add(&facts.tags, key, value, TAG_VALUE_MAX);
	}
	sb_init(&sb, json, sizeof(json));
	facts_json(&facts, &sb);
	assert_false(sb.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_notices),   cmocka_unit_test(test_shape_text),
		cmocka_unit_test(test_set),       cmocka_unit_test(test_tags),
		cmocka_unit_test(test_documents), cmocka_unit_test(test_largest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
