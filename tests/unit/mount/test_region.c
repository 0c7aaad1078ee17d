/* What is believed of a facts.env that its writer could have filled with anything. */
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

#include "region.h"

static void regions(void **state)
{
	static const char *const good[] = {
		"ap-northeast-2", "us-east-1", "us-gov-west-1", "cn-northwest-1", "us-iso-east-1",
	};
	static const char *const bad[] = {
		"",
		"ap",
		"ap-",
		"ap-2",
		"ap-northeast",
		"ap-northeast-",
		"AP-northeast-2",
		"ap-northeast-2a",
		"ap-north_east-2",
		"ap--2",
		"ap-northeast-2.evil.example",
		"ap-northeast-2/x",
		"a-northeast-2",
		"apx-northeast-2",
		"ap-northeast-2-3",
		"ap-averyveryveryverylongregionname-2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(region_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(region_valid(bad[i]));
}

static void parsing(void **state)
{
	struct target_place place;

	(void)state;
	region_parse("WNA_INSTANCE_ID=i-1\nWNA_REGION=ap-northeast-2\nWNA_DOMAIN=amazonaws.com\n",
	             &place);
	assert_string_equal(place.region, "ap-northeast-2");
	assert_string_equal(place.domain, "amazonaws.com");
	region_parse("XWNA_REGION=ap-northeast-2\nWNA_REGION=../../x\nWNA_DOMAIN=evil.example\n",
	             &place);
	assert_string_equal(place.region, "");
	assert_string_equal(place.domain, "");
	region_parse("", &place);
	assert_string_equal(place.region, "");
}

static void configuration_first(void **state)
{
	struct conf_mount conf = { 0 };
	char dir[] = "/tmp/wna-region.XXXXXX", file[64], link[64];
	struct target_place place;
	FILE *stream;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/facts.env", dir);
	snprintf(link, sizeof link, "%s/link", dir);
	region_find(&conf, file, &place);
	assert_string_equal(place.region, "");

	stream = fopen(file, "w");
	assert_non_null(stream);
	fputs("WNA_REGION=cn-north-1\nWNA_DOMAIN=amazonaws.com.cn\n", stream);
	fclose(stream);
	region_find(&conf, file, &place);
	assert_string_equal(place.region, "cn-north-1");
	assert_string_equal(place.domain, "amazonaws.com.cn");

	/* Another region than the found one: the found suffix is not its. */
	strcpy(conf.region, "eu-west-1");
	region_find(&conf, file, &place);
	assert_string_equal(place.region, "eu-west-1");
	assert_string_equal(place.domain, "");
	strcpy(conf.domain, "internal.example");
	region_find(&conf, file, &place);
	assert_string_equal(place.domain, "internal.example");

	/* Neither a link nor a FIFO put in its place is read, nor waited for. */
	memset(&conf, 0, sizeof conf);
	assert_int_equal(symlink(file, link), 0);
	region_find(&conf, link, &place);
	assert_string_equal(place.region, "");
	unlink(file);
	assert_int_equal(mkfifo(file, 0666), 0);
	region_find(&conf, file, &place);
	assert_string_equal(place.region, "");
	unlink(file);
	unlink(link);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions),
		cmocka_unit_test(parsing),
		cmocka_unit_test(configuration_first),
	};

	return cmocka_run_group_tests_name("mount/region", tests, NULL, NULL);
}
