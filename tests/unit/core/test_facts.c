/* Which roles' facts the table accepts, and for how long they count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "core.h"

static struct facts facts;
static struct conf conf;

static int setup(void **state)
{
	(void)state;
	memset(&facts, 0, sizeof facts);
	memset(&conf, 0, sizeof conf);
	conf.checks.count = 2;
	strcpy(conf.checks.item[0].name, "web");
	strcpy(conf.checks.item[1].name, "disk");
	conf.checks.item[1].max_age_ms = 1000;
	conf.imds.max_age_ms = 2000;
	return 0;
}

static struct msg fact(unsigned id, int64_t value)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };

	if (id == FACT_CHECK)
		strcpy(msg.text, "disk");
	return msg;
}

static int take(enum role role, struct msg msg, int64_t now_ms)
{
	unsigned slot;

	return facts_take(&facts, &conf, role, &msg, now_ms, now_ms + 1000000, &slot);
}

/* Every fact from every role: taken from its owner, refused from all others. */
static void only_its_owner_may_tell_a_fact(void **state)
{
	uint64_t refused = 0;

	(void)state;
	for (uint16_t id = FACT_NONE + 1; id < FACT_MAX; id++) {
		for (int role = 0; role < ROLE_MAX; role++) {
			int rc = take((enum role)role, fact(id, 1), 5);

			if (role == (int)fact_info(id)->owner) {
				assert_int_equal(rc, 0);
				assert_true(facts_get(&facts, id, id == FACT_CHECK)->seen);
			} else {
				assert_int_equal(rc, -EPERM);
				assert_int_equal(facts.refused, ++refused);
			}
		}
	}
}

static void what_is_no_fact_is_refused(void **state)
{
	struct msg check = fact(FACT_CHECK, CHECK_GOOD), hello = fact(FACT_CPU, 1);

	(void)state;
	assert_int_equal(take(ROLE_CLOUD, fact(FACT_NONE, 1), 5), -EINVAL);
	assert_int_equal(take(ROLE_CLOUD, fact(FACT_MAX, 1), 5), -EINVAL);
	assert_int_equal(take(ROLE_CLOUD, fact(65535, 1), 5), -EINVAL);
	assert_int_equal(take(ROLE_CHECK, check, 5), 0);
	strcpy(check.text, "another configuration's");
	assert_int_equal(take(ROLE_CHECK, check, 5), -EINVAL);
	hello.type = HUB_HELLO;
	assert_int_equal(take(ROLE_CLOUD, hello, 5), -EINVAL);
	hello.type = HUB_FACT;
	assert_int_equal(take(ROLE_CLOUD, hello, 5), 0);
}

static void states_outside_their_enum_are_refused(void **state)
{
	static const struct {
		enum role role;
		enum fact_id id;
		int64_t max;
	} enums[] = {
		{ ROLE_CLOUD, FACT_IMDS, IMDS_STATE_MAX },
		{ ROLE_CLOUD, FACT_CREDENTIALS, CRED_STATE_MAX },
		{ ROLE_CLOUD, FACT_PUSH, PUSH_STATE_MAX },
		{ ROLE_RDS, FACT_RDS, RDS_STATE_MAX },
		{ ROLE_MOUNT, FACT_MOUNT, MOUNT_STATE_MAX },
		{ ROLE_CHECK, FACT_CHECK, CHECK_STATE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof enums / sizeof enums[0]; i++) {
		assert_int_equal(take(enums[i].role, fact(enums[i].id, -1), 5), -EINVAL);
		assert_int_equal(take(enums[i].role, fact(enums[i].id, enums[i].max), 5), -EINVAL);
		for (int64_t value = 0; value < enums[i].max; value++)
			assert_int_equal(take(enums[i].role, fact(enums[i].id, value), 5), 0);
	}
}

static void age_makes_unknown(void **state)
{
	(void)state;
	assert_int_equal(facts_expiry_ms(&facts, &conf, FACT_CHECK, 1), INT64_MAX);
	take(ROLE_CHECK, fact(FACT_CHECK, CHECK_GOOD), 100);
	assert_int_equal(facts_expiry_ms(&facts, &conf, FACT_CHECK, 1), 1101);
	take(ROLE_CLOUD, fact(FACT_INSTANCE_ID, 1), 100);
	assert_int_equal(facts_expiry_ms(&facts, &conf, FACT_INSTANCE_ID, 0), 2101);
	take(ROLE_RDS, fact(FACT_RDS_CHANGE, 1), 100);
	assert_int_equal(facts_expiry_ms(&facts, &conf, FACT_RDS_CHANGE, 0), INT64_MAX);
}

/* A finder sends an unchanged fact again only if it ages. */
static void the_table_says_what_ages(void **state)
{
	(void)state;
	for (int id = FACT_NONE + 1; id < FACT_MAX; id++) {
		const struct fact_info *info = fact_info((uint16_t)id);

		take(info->owner, fact(id, 1), 100);
		assert_int_equal(facts_expiry_ms(&facts, &conf, id, id == FACT_CHECK) != INT64_MAX,
		                 info->ages);
	}
}

/* A fact that is sent again after a reconnect keeps its age. A time after the arrival is
 * replaced by that of the arrival. */
static void age_is_its_owners(void **state)
{
	const struct fact *check = facts_get(&facts, FACT_CHECK, 1);
	struct msg msg = fact(FACT_CHECK, CHECK_GOOD);

	(void)state;
	msg.found_ms = 700;
	msg.since_ms = 200;
	take(ROLE_CHECK, msg, 1000);
	assert_int_equal(check->at_ms, 700);
	assert_int_equal(check->since_ms, 200);
	assert_int_equal(check->since_wall_ms, 1000200);
	msg.found_ms = 5000;
	msg.since_ms = 6000;
	take(ROLE_CHECK, msg, 1000);
	assert_int_equal(check->at_ms, 1000);
	assert_int_equal(check->since_ms, 1000);
}

/* A wna-check that has just started knows less than the one before it. */
static void undecided_is_no_news(void **state)
{
	const struct fact *check = facts_get(&facts, FACT_CHECK, 1);

	(void)state;
	take(ROLE_CHECK, fact(FACT_CHECK, CHECK_UNDECIDED), 100);
	assert_int_equal(check->value, CHECK_UNDECIDED);
	take(ROLE_CHECK, fact(FACT_CHECK, CHECK_GOOD), 200);
	take(ROLE_CHECK, fact(FACT_CHECK, CHECK_UNDECIDED), 1200);
	assert_int_equal(check->value, CHECK_GOOD);
	assert_int_equal(check->at_ms, 200);
	take(ROLE_CHECK, fact(FACT_CHECK, CHECK_UNDECIDED), 1201);
	assert_int_equal(check->value, CHECK_UNDECIDED);
}

static void texts_become_valid(void **state)
{
	struct msg msg = fact(FACT_ASG, 1);

	(void)state;
	strcpy(msg.text, "web\xff\xfe");
	assert_int_equal(take(ROLE_CLOUD, msg, 1), 0);
	assert_string_equal(facts_get(&facts, FACT_ASG, 0)->text, "web??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_its_owner_may_tell_a_fact, setup),
		cmocka_unit_test_setup(what_is_no_fact_is_refused, setup),
		cmocka_unit_test_setup(states_outside_their_enum_are_refused, setup),
		cmocka_unit_test_setup(age_makes_unknown, setup),
		cmocka_unit_test_setup(the_table_says_what_ages, setup),
		cmocka_unit_test_setup(age_is_its_owners, setup),
		cmocka_unit_test_setup(undecided_is_no_news, setup),
		cmocka_unit_test_setup(texts_become_valid, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
