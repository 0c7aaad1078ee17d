/* Names of AWS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aws_name.h"

static void names_of_rds(void **state)
{
	static const struct {
		const char *host, *region; /* NULL: not a name of RDS */
	} table[] = {
		{ "web.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com", "ap-northeast-2" },
		{ "web.cluster-c9akciq32rrw.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1" },
		{ "web.c9akciq32rrw.rds.cn-north-1.amazonaws.com.cn", "cn-north-1" },
		{ "web.c9akciq32rrw.cn-north-1.rds.amazonaws.com.cn", "cn-north-1" },
		{ "db.example", NULL },
		{ "rds.amazonaws.com", NULL },
		{ "us-east-1.rds.amazonaws.com", NULL },
		{ "web.c9akciq32rrw.us-east-1.rds.amazonaws.com.example", NULL },
		{ "web.c9akciq32rrw.us-east-1.rds.example", NULL },
		{ "web.rds.us-east-1", NULL },
		{ "web.c9akciq32rrw.nowhere.rds.amazonaws.com", NULL },
		{ "", NULL },
	};
	char region[64];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		bool is = aws_is_database(table[i].host, region);

		assert_int_equal(is, table[i].region != NULL);
		if (is)
			assert_string_equal(region, table[i].region);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names_of_rds) };

	return cmocka_run_group_tests_name("base/aws_name", tests, NULL, NULL);
}
