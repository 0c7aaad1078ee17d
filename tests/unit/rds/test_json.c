/* When rds.json is written: each time wakes the path unit of the database's one-shot. */
#include "watch_lab.h"

#include "rds.h"

static struct report report;
static char written[4096];
static int writes, fault;

/* Replaces the one in agent/base. */
int worker_write_file(const char *dir, const char *name, const char *data, size_t len)
{
	assert_string_equal(dir, RDS_DIR);
	assert_string_equal(name, "rds.json");
	assert_true(len < sizeof written);
	writes++;
	if (fault < 0)
		return fault;
	memcpy(written, data, len);
	written[len] = '\0';
	return 0;
}

static int begin(void **state)
{
	setup(state);
	memset(&report, 0, sizeof report);
	report.watch = &watch;
	writes = fault = 0;
	start_at(&a);
	report_write_json(&report);
	assert_int_equal(writes, 1);
	assert_non_null(strstr(written, "\"ttl_s\":5}"));
	return 0;
}

static void a_ttl_alone_is_not_written(void **state)
{
	(void)state;
	report_write_json(&report);
	watch.answer.ttl_s = 3;
	report_write_json(&report);
	assert_int_equal(writes, 1);
}

static void any_other_change_is_written(void **state)
{
	(void)state;
	watch.answer.ttl_s = 3;
	watch.answer.addr[0] = b;
	report_write_json(&report);
	assert_int_equal(writes, 2);
	assert_non_null(strstr(written, "10.16.5.149"));
	/* with the TTL of now */
	assert_non_null(strstr(written, "\"ttl_s\":3}"));
	watch.backoff.trouble = TROUBLE_DENIED;
	report_write_json(&report);
	assert_int_equal(writes, 3);
	watch.name_ok = false;
	str_copy(watch.name_why, sizeof watch.name_why, "no answer");
	report_write_json(&report);
	assert_int_equal(writes, 4);
	assert_non_null(strstr(written, "\"ttl_s\":-1}"));
}

static void a_failed_write_is_repeated(void **state)
{
	(void)state;
	watch.backoff.trouble = TROUBLE_DENIED;
	fault = -28;
	report_write_json(&report);
	report_write_json(&report);
	assert_int_equal(writes, 3);
	fault = 0;
	report_write_json(&report);
	report_write_json(&report);
	assert_int_equal(writes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_ttl_alone_is_not_written, begin),
		cmocka_unit_test_setup(any_other_change_is_written, begin),
		cmocka_unit_test_setup(a_failed_write_is_repeated, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
