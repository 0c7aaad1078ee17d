/* Whom the fact table believes, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "facts.h"

static struct facts facts;
static struct conf conf;

static int setup(void **state)
{
	(void)state;
	facts_init(&facts);
	memset(&conf, 0, sizeof conf);
	conf.checks.count = 2;
	conf.checks.item[1].max_age_ms = 1000;
	conf.imds.max_age_ms = 2000;
	return 0;
}

static struct envelope fact(enum role role, unsigned id, unsigned slot, int64_t value)
{
	struct envelope envelope = {
		.role = (uint16_t)role,
		.msg = { .type = MSG_FACT,
		         .id = (uint16_t)id,
		         .slot = (uint16_t)slot,
		         .value = value },
	};

	return envelope;
}

static int take(struct envelope envelope, int64_t now_ms)
{
	return facts_take(&facts, &conf, &envelope, now_ms, now_ms + 1000000);
}

/* Every fact from every role: taken from its owner, refused from all others. */
static void only_its_owner_may_tell_a_fact(void **state)
{
	uint64_t refused = 0;

	(void)state;
	for (uint16_t id = FACT_NONE + 1; id < FACT_MAX; id++) {
		for (int role = 0; role < ROLE_MAX; role++) {
			int rc = take(fact((enum role)role, id, 0, 1), 5);

			if (role == (int)fact_info(id)->owner) {
				assert_int_equal(rc, 0);
				assert_true(facts_get(&facts, id, 0)->seen);
			} else {
				assert_int_equal(rc, -EPERM);
				assert_int_equal(facts.refused, ++refused);
			}
		}
	}
}

static void what_is_no_fact_is_refused(void **state)
{
	struct envelope tell = fact(ROLE_CLOUD, FACT_CPU, 0, 1);

	(void)state;
	assert_int_equal(take(fact(ROLE_CLOUD, FACT_NONE, 0, 1), 5), -EINVAL);
	assert_int_equal(take(fact(ROLE_CLOUD, FACT_MAX, 0, 1), 5), -EINVAL);
	assert_int_equal(take(fact(ROLE_CLOUD, 65535, 0, 1), 5), -EINVAL);
	assert_int_equal(take(fact(ROLE_CLOUD, FACT_CPU, 1, 1), 5), -EINVAL);
	assert_int_equal(take(fact(ROLE_CHECK, FACT_CHECK, 2, 1), 5), -EINVAL);
	assert_int_equal(take(fact(ROLE_CHECK, FACT_CHECK, 1, 1), 5), 0);
	assert_int_equal(take(fact(ROLE_WNAD, FACT_CHILD, ROLE_MAX, 1), 5), -EINVAL);
	assert_int_equal(take(fact(ROLE_WNAD, FACT_CHILD, ROLE_MAX - 1, 1), 5), 0);
	tell.msg.type = MSG_TELL;
	assert_int_equal(take(tell, 5), -EINVAL);
	tell.msg.type = MSG_FACT;
	assert_int_equal(take(tell, 5), 0);
}

static void states_outside_their_enum_are_refused(void **state)
{
	static const struct {
		enum role role;
		enum fact_id id;
		int64_t max;
	} enums[] = {
		{ ROLE_WNAD, FACT_CHILD, CHILD_MAX },
		{ ROLE_CLOUD, FACT_IMDS, IMDS_STATE_MAX },
		{ ROLE_CLOUD, FACT_CREDENTIALS, CRED_STATE_MAX },
		{ ROLE_CLOUD, FACT_PUSH, PUSH_STATE_MAX },
		{ ROLE_RDS, FACT_RDS, RDS_STATE_MAX },
		{ ROLE_MOUNT, FACT_MOUNT, MOUNT_STATE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof enums / sizeof enums[0]; i++) {
		assert_int_equal(take(fact(enums[i].role, enums[i].id, 0, -1), 5), -EINVAL);
		assert_int_equal(take(fact(enums[i].role, enums[i].id, 0, enums[i].max), 5),
		                 -EINVAL);
		for (int64_t value = 0; value < enums[i].max; value++)
			assert_int_equal(take(fact(enums[i].role, enums[i].id, 0, value), 5), 0);
	}
}

static void age_makes_unknown(void **state)
{
	(void)state;
	assert_false(facts_fresh(&facts, &conf, FACT_CHECK, 1, 100));
	take(fact(ROLE_CHECK, FACT_CHECK, 1, 7), 100);
	assert_true(facts_fresh(&facts, &conf, FACT_CHECK, 1, 1100));
	assert_false(facts_fresh(&facts, &conf, FACT_CHECK, 1, 1101));
	assert_int_equal(facts_expiry_ms(&facts, &conf, FACT_CHECK, 1), 1101);
	take(fact(ROLE_CLOUD, FACT_INSTANCE_ID, 0, 1), 100);
	assert_true(facts_fresh(&facts, &conf, FACT_INSTANCE_ID, 0, 2100));
	assert_false(facts_fresh(&facts, &conf, FACT_INSTANCE_ID, 0, 2101));
	take(fact(ROLE_MOUNT, FACT_MOUNT, 0, MOUNT_RIGHT), 100);
	assert_true(facts_fresh(&facts, &conf, FACT_MOUNT, 0, INT64_MAX - 1));
	assert_int_equal(facts_expiry_ms(&facts, &conf, FACT_MOUNT, 0), INT64_MAX);
}

static void remembers_when_the_value_changed(void **state)
{
	const struct fact *check = facts_get(&facts, FACT_CHECK, 0);

	(void)state;
	take(fact(ROLE_CHECK, FACT_CHECK, 0, 7), 100);
	take(fact(ROLE_CHECK, FACT_CHECK, 0, 7), 200);
	assert_int_equal(check->changed_ms, 100);
	assert_int_equal(check->at_ms, 200);
	take(fact(ROLE_CHECK, FACT_CHECK, 0, 8), 300);
	assert_int_equal(check->changed_ms, 300);
	assert_int_equal(check->changed_wall_ms, 1000300);
}

static void texts_become_valid(void **state)
{
	struct envelope envelope = fact(ROLE_CLOUD, FACT_ASG, 0, 1);

	(void)state;
	strcpy(envelope.msg.text, "web\xff\xfe");
	assert_int_equal(take(envelope, 1), 0);
	assert_string_equal(facts_get(&facts, FACT_ASG, 0)->text, "web??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_its_owner_may_tell_a_fact, setup),
		cmocka_unit_test_setup(what_is_no_fact_is_refused, setup),
		cmocka_unit_test_setup(states_outside_their_enum_are_refused, setup),
		cmocka_unit_test_setup(age_makes_unknown, setup),
		cmocka_unit_test_setup(remembers_when_the_value_changed, setup),
		cmocka_unit_test_setup(texts_become_valid, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
