/* wnactl facts: the files as they are, one value, and what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "factsfile.h"
#include "fake.h"

static struct fake fake;

static int setup(void **state)
{
	(void)state;
	fake_prepare(&fake);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	return 0;
}

static void expect(const char *key, enum ctl_exit code, const char *out)
{
	size_t before;

	fake_words(&fake);
	before = strlen(fake.out);
	assert_int_equal(facts_value(&fake.ctl, key), code);
	fake_words(&fake);
	assert_string_equal(fake.out + before, out);
}

static void values(void **state)
{
	(void)state;
	expect("instance-id", CTL_OK, "i-0abcdef0123456789\n");
	expect("tags.Team", CTL_OK, "shop\n");
	/* A script gets the bytes, a terminal gets them safe. */
	expect("tags.Name", CTL_OK, "web \033[31m1\n");
	fake.ctl.out_tty = true;
	expect("tags.Name", CTL_OK, "web ?[31m1\n");
}

static void absent_and_unknown(void **state)
{
	(void)state;
	expect("public-ipv4", CTL_NO, "");
	assert_string_equal(fake_last(fake.err), "wnactl: public-ipv4: this instance has none");
	expect("asg", CTL_NO, ""); /* a fact, not in the file yet */
	expect("tags.None", CTL_NO, "");
	expect("bogus", CTL_USAGE, "");
	assert_non_null(strstr(fake.err, "The facts are: instance-id instance-type"));
	expect("tags.", CTL_USAGE, "");
	expect("tags", CTL_USAGE, "");
	expect("imds", CTL_USAGE, ""); /* a fact of the core, not of the file */
}

static void table(void **state)
{
	(void)state;
	assert_int_equal(facts_table(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_non_null(strstr(fake.out, "region                  ap-northeast-2\n"));
	assert_non_null(strstr(fake.out, "public-ipv4             -\n"));
	assert_non_null(strstr(fake.out, "tags.Team               shop\n"));
}

static void raw(void **state)
{
	char *json = fake_data("facts.json");
	char *env = fake_data("facts.env");

	(void)state;
	assert_int_equal(facts_raw(&fake.ctl, "facts.json"), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, json);
	assert_int_equal(facts_raw(&fake.ctl, "facts.env"), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out + strlen(json), env);
	free(json);
	free(env);
}

static void write_facts(const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/facts.json", fake.dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void bad_files(void **state)
{
	char path[128];

	(void)state;
	fake.ctl.run_dir = fake.dir;
	expect("region", CTL_UNREACHABLE, "");
	assert_int_equal(facts_raw(&fake.ctl, "facts.env"), CTL_UNREACHABLE);
	write_facts("{\"region\":");
	expect("region", CTL_BAD, "");
	write_facts("[]");
	expect("region", CTL_BAD, "");
	assert_int_equal(facts_table(&fake.ctl), CTL_BAD);
	write_facts("{\"region\":{\"x\":1},\"tags\":[\"a\"],\"count\":3,\"flag\":true}");
	expect("region", CTL_NO, "");
	expect("tags.a", CTL_NO, "");
	expect("count", CTL_OK, "3\n"); /* of a newer agent */
	assert_int_equal(facts_table(&fake.ctl), CTL_OK);
	snprintf(path, sizeof path, "%s/facts.json", fake.dir);
	unlink(path);
	/* Nothing that could block. */
	assert_int_equal(mkfifo(path, 0600), 0);
	expect("region", CTL_BAD, "");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values, setup, teardown),
		cmocka_unit_test_setup_teardown(absent_and_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(table, setup, teardown),
		cmocka_unit_test_setup_teardown(raw, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
