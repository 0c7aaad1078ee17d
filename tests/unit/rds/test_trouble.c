/* Error numbers to kinds, kinds to back-off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rds_watch.h"

static void numbers(void **state)
{
	static const struct {
		unsigned number;
		enum rds_trouble connecting, asking;
	} rows[] = {
		{ 1040, TROUBLE_FULL, TROUBLE_FULL },
		{ 1041, TROUBLE_FULL, TROUBLE_FULL },
		{ 1045, TROUBLE_DENIED, TROUBLE_DENIED },
		{ 1049, TROUBLE_CONFIG, TROUBLE_CONFIG },
		{ 1053, TROUBLE_LOST, TROUBLE_LOST },
		{ 1129, TROUBLE_BLOCKED, TROUBLE_BLOCKED },
		{ 1130, TROUBLE_FORBIDDEN, TROUBLE_FORBIDDEN },
		{ 1135, TROUBLE_FULL, TROUBLE_FULL },
		{ 1290, TROUBLE_CLOSED, TROUBLE_CLOSED },
		{ 1836, TROUBLE_CLOSED, TROUBLE_CLOSED },
		{ 2002, TROUBLE_NETWORK, TROUBLE_NETWORK },
		{ 2003, TROUBLE_NETWORK, TROUBLE_NETWORK },
		/* before the login: the server counts a broken handshake */
		{ 2006, TROUBLE_STALLED, TROUBLE_LOST },
		{ 2013, TROUBLE_STALLED, TROUBLE_LOST },
		{ 2055, TROUBLE_STALLED, TROUBLE_LOST },
		/* the end of an encrypted session is reported as a TLS error */
		{ 2026, TROUBLE_TLS, TROUBLE_LOST },
		/* before the login: nothing proves which server sent it */
		{ 1251, TROUBLE_CONFIG, TROUBLE_CONFIG },
		{ 2059, TROUBLE_CONFIG, TROUBLE_CONFIG },
		{ 2061, TROUBLE_CONFIG, TROUBLE_CONFIG },
		{ 3032, TROUBLE_CLOSED, TROUBLE_CLOSED },
		{ 3159, TROUBLE_CONFIG, TROUBLE_CONFIG },
		{ 3169, TROUBLE_LOST, TROUBLE_LOST },
		{ 5013, TROUBLE_STALLED, TROUBLE_LOST },
		{ 5010, TROUBLE_CONFIG, TROUBLE_CONFIG },
		{ 1, TROUBLE_OTHER, TROUBLE_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(trouble_from_error(rows[i].number, true), rows[i].connecting);
		assert_int_equal(trouble_from_error(rows[i].number, false), rows[i].asking);
	}
}

static void every_kind_has_words(void **state)
{
	(void)state;
	for (int i = 0; i < TROUBLE_MAX; i++) {
		assert_non_null(trouble_name((enum rds_trouble)i));
		assert_non_null(trouble_text((enum rds_trouble)i));
	}
}

/* The shortest wait: the random half is 0. */
static void refused_logins_are_rare(void **state)
{
	static const enum rds_trouble slow[] = { TROUBLE_DENIED, TROUBLE_SECRET, TROUBLE_BLOCKED,
		                                 TROUBLE_FORBIDDEN, TROUBLE_CONFIG };

	(void)state;
	for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
		assert_true(trouble_backoff(slow[i], 0, 0) >= 30000);
		assert_true(trouble_backoff(slow[i], 3, 0) > trouble_backoff(slow[i], 0, 0));
	}
}

/* A hundred broken handshakes in a row block a host: they need more than twenty minutes. */
static void broken_handshakes_stay_under_the_limit(void **state)
{
	static const enum rds_trouble counted[] = { TROUBLE_STALLED, TROUBLE_TLS };

	(void)state;
	for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
		int64_t total = 0;

		for (unsigned attempt = 0; attempt < 99; attempt++)
			total += trouble_backoff(counted[i], attempt, 0);
		assert_true(total > 20 * 60 * 1000);
	}
}

static void a_failover_is_seen_at_once(void **state)
{
	static const uint32_t worst = UINT32_MAX;

	(void)state;
	assert_true(trouble_backoff(TROUBLE_LOST, 0, worst) <= 250);
	assert_true(trouble_backoff(TROUBLE_NETWORK, 0, worst) <= 250);
	assert_true(trouble_backoff(TROUBLE_NETWORK, 50, worst) <= 4000);
	assert_true(trouble_backoff(TROUBLE_CLOSED, 50, worst) <= 4000);
	assert_true(trouble_is_secret(TROUBLE_DENIED));
	assert_true(trouble_is_secret(TROUBLE_SECRET));
	assert_false(trouble_is_secret(TROUBLE_FULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(every_kind_has_words),
		cmocka_unit_test(refused_logins_are_rare),
		cmocka_unit_test(broken_handshakes_stay_under_the_limit),
		cmocka_unit_test(a_failover_is_seen_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
