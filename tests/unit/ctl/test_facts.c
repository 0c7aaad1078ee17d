/* wnactl facts: the files as they are, one value, and what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
	static const char *const names[] = { "facts.env", "facts.json" };
	char path[300];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", fake.dir, names[i]);
		unlink(path);
	}
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
	assert_int_equal(facts_json(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, json);
	assert_int_equal(facts_env(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out + strlen(json), env);
	free(json);
	free(env);
}

static void write_bytes(const char *name, const char *bytes, size_t len)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", fake.dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static void write_facts(const char *text)
{
	write_bytes("facts.json", text, strlen(text));
}

/* The file is not root's, and what is printed of it may be evaluated by root. */
static void env_is_assignments(void **state)
{
	static const char good[] = "WNA_REGION=ap-northeast-2\nWNA_VPC_ID=vpc-1\n";
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
#define BAD(text) { text, sizeof text - 1 }
		BAD("WNA_REGION=$(id)\n"),
		BAD("WNA_REGION=a\nid\n"),
		BAD("WNA_REGION=a;id\n"),
		BAD("WNA_REGION=a b\n"),
		BAD("WNA_$(id)=a\n"),
		BAD("WNA_X;id=a\n"),
		BAD("PATH=/tmp\n"),
		BAD("WNA_REGION=\n"),
		BAD("WNA_REGION=a"), /* torn */
		BAD("WNA_REGION=a\0;id\n"),
		BAD("WNA_REGION=a\r\n"),
		BAD("\n"),
		BAD("# x\n"),
#undef BAD
	};

	(void)state;
	fake.ctl.run_dir = fake.dir;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		write_bytes("facts.env", bad[i].bytes, bad[i].len);
		assert_int_equal(facts_env(&fake.ctl), CTL_BAD);
	}
	fake_words(&fake);
	assert_string_equal(fake.out, "");
	assert_non_null(strstr(fake.err, "facts.env: a line is not an assignment"));
	write_bytes("facts.env", good, strlen(good));
	assert_int_equal(facts_env(&fake.ctl), CTL_OK);
	fake_words(&fake);
	assert_string_equal(fake.out, good);
	write_bytes("facts.env", "", 0);
	assert_int_equal(facts_env(&fake.ctl), CTL_OK);
}

static void bad_files(void **state)
{
	char path[128];

	(void)state;
	fake.ctl.run_dir = fake.dir;
	expect("region", CTL_UNREACHABLE, "");
	assert_int_equal(facts_env(&fake.ctl), CTL_UNREACHABLE);
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
		cmocka_unit_test_setup_teardown(env_is_assignments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
