/* The metadata session in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cloud_identity.h"
#include "fake_http.h"
#include "log.h"
#include "str.h"

#define ID_PATH    "/latest/meta-data/instance-id"
#define OTHER_PATH "/latest/meta-data/ami-id"

static char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

static const struct conf_imds conf = { .timeout_ms = 1000, .token_ttl_s = 21600 };

/* One asker, and the replies to it. */
struct asker {
	struct imds_ask ask;
	int values, absences, failures; /* `own`: of its path alone */
	int own;
	char body[256];
};

static void on_reply(void *arg, enum imds_reply reply, const char *body, size_t len, int64_t now_ms)
{
	struct asker *asker = arg;

	(void)now_ms;
	assert_int_equal(strlen(body), len);
	str_copy(asker->body, sizeof(asker->body), body);
	asker->values += reply == IMDS_REPLY_VALUE;
	asker->absences += reply == IMDS_REPLY_ABSENT;
	asker->failures += reply == IMDS_REPLY_FAILED || reply == IMDS_REPLY_BAD;
	asker->own += reply == IMDS_REPLY_BAD;
}

static void ask(struct imds *imds, struct asker *asker, const char *path)
{
	asker->ask.done = on_reply;
	asker->ask.arg = asker;
	str_copy(asker->ask.path, sizeof(asker->ask.path), path);
	imds_ask(imds, &asker->ask);
}

static struct imds *session_of(struct asker *asker, int64_t ttl_s)
{
	struct imds_settings settings;
	struct imds *imds;

	fake_reset();
	fake_set(ID_PATH, 200, "i-0123456789abcdef0");
	memset(asker, 0, sizeof(*asker));
	imds_settings_read(&conf, no_env, &settings);
	settings.token_ttl_s = ttl_s;
	imds = imds_new(NULL, &settings);
	assert_non_null(imds);
	return imds;
}

static struct imds *session(struct asker *asker)
{
	return session_of(asker, 21600);
}

static enum imds_state state_of(const struct imds *imds)
{
	const char *why;

	return imds_state(imds, &why);
}

/* Asks and lets time pass from *now until there is a reply or `end` is reached. */
static void ask_until(struct imds *imds, struct asker *asker, const char *path, int64_t *now,
                      int64_t end)
{
	int heard = asker->values + asker->absences + asker->failures;

	ask(imds, asker, path);
	while (*now <= end && asker->values + asker->absences + asker->failures == heard) {
		imds_turn(imds, *now);
		if (!fake_deliver(*now))
			*now = imds_deadline(imds);
	}
}

static void test_token_then_question(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);
	int64_t now = 1000;

	(void)state;
	assert_int_equal(state_of(imds), IMDS_STARTING);
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.values, 1);
	assert_int_equal(fake.puts, 1);
	assert_int_equal(state_of(imds), IMDS_OK);
	/* The next question uses the same token; 404 means absent. */
	ask_until(imds, &asker, "/latest/meta-data/public-ipv4", &now, now);
	assert_int_equal(asker.absences, 1);
	assert_int_equal(fake.puts, 1);
	assert_int_equal(state_of(imds), IMDS_OK);
	imds_free(imds);
}

static void test_token_request(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);

	(void)state;
	ask(imds, &asker, ID_PATH);
	imds_turn(imds, 0);
	assert_string_equal(fake.call->method, "PUT");
	assert_string_equal(fake.call->url, "http://169.254.169.254/latest/api/token");
	assert_string_equal(fake.call->ttl, "21600");
	assert_string_equal(fake.call->token, "");
	fake_deliver(0);
	assert_string_equal(fake.call->method, "GET");
	assert_string_equal(fake.call->token, "TOKEN-1==");
	assert_string_equal(fake.call->ttl, "");
	imds_free(imds); /* with a request under way and an ask that waits */
	assert_null(fake.call);
	assert_false(asker.ask.waiting);
}

static void test_renewed_before_it_ends(void **state)
{
	struct asker asker;
	struct imds *imds = session_of(&asker, 60);
	int64_t now = 0, renewed = 0;

	(void)state;
	for (; now < 60000; now += 1000) {
		int64_t at = now;

		ask_until(imds, &asker, ID_PATH, &at, at);
		if (fake.puts == 2 && renewed == 0)
			renewed = now;
	}
	assert_in_range(renewed, 45000, 55000);
	assert_int_equal(asker.values, 60);
	assert_int_equal(asker.failures, 0);
	imds_free(imds);
}

static void test_renewal_that_fails(void **state)
{
	struct asker asker;
	struct imds *imds = session_of(&asker, 100);
	int64_t now = 0;

	(void)state;
	ask_until(imds, &asker, ID_PATH, &now, now);
	fake.put_status = 503;
	/* The old token is good until 100 s, and the questions go on. */
	for (now = 75000; now < 100000; now += 1000) {
		int64_t at = now;

		ask_until(imds, &asker, ID_PATH, &at, at);
	}
	assert_int_equal(asker.failures, 0);
	assert_int_equal(asker.values, 26);
	assert_int_equal(state_of(imds), IMDS_OK);
	assert_true(fake.puts > 1);
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.failures, 1);
	assert_int_equal(state_of(imds), IMDS_BUSY);
	imds_free(imds);
}

static void test_401(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);
	int64_t now = 0;

	(void)state;
	ask_until(imds, &asker, ID_PATH, &now, now);
	fake.token = 2; /* the instance was stopped and started: the old one is void */
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.values, 2);
	assert_int_equal(fake.puts, 2);
	assert_int_equal(fake.gets, 3);
	/* A service that takes no token is not asked in a loop. */
	fake.get_status = 401;
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.failures, 1);
	assert_int_equal(fake.puts, 3);
	assert_int_equal(fake.gets, 5);
	fake.get_status = 0;
	now += 60000;
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.values, 3);
	imds_free(imds);
}

/* Asks for ten minutes; returns how many requests that took. */
static int outage(struct imds *imds, struct asker *asker, int64_t *now)
{
	int before = fake.puts + fake.gets;
	int64_t end = *now + 600000;

	/* Two paths: a failure of one path alone is not a failure of the service. */
	for (int i = 0; *now < end; i++)
		ask_until(imds, asker, i % 2 == 0 ? ID_PATH : OTHER_PATH, now, end);
	return fake.puts + fake.gets - before;
}

static void test_outages(void **state)
{
	static const struct {
		enum http_outcome put_outcome, get_outcome;
		long put_status, get_status;
		enum imds_state state;
	} ills[] = {
		{ HTTP_TIMED_OUT, HTTP_TIMED_OUT, 0, 0, IMDS_SILENT },
		{ HTTP_UNREACHED, HTTP_UNREACHED, 0, 0, IMDS_SILENT },
		{ HTTP_ANSWERED, HTTP_TIMED_OUT, 0, 0, IMDS_SILENT },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 503, 503, IMDS_BUSY },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 429, 429, IMDS_BUSY },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 0, 429, IMDS_BUSY },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 403, 403, IMDS_DISABLED },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 405, 0, IMDS_DISABLED },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 400, 0, IMDS_BAD },
		{ HTTP_ANSWERED, HTTP_ANSWERED, 500, 500, IMDS_BAD },
		{ HTTP_BROKEN, HTTP_BROKEN, 0, 0, IMDS_BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ills) / sizeof(ills[0]); i++) {
		struct asker asker;
		struct imds *imds = session(&asker);
		int64_t now = 5000;

		fake.put_outcome = ills[i].put_outcome;
		fake.get_outcome = ills[i].get_outcome;
		fake.put_status = ills[i].put_status;
		fake.get_status = ills[i].get_status;
		int requests = outage(imds, &asker, &now);

		assert_int_equal(state_of(imds), ills[i].state);
		assert_int_equal(asker.values, 0);
		/* It never stops asking, and asks no more than the back-off allows. */
		assert_in_range(requests, 8, 60);
		fake.put_outcome = fake.get_outcome = HTTP_ANSWERED;
		fake.put_status = fake.get_status = 0;
		int64_t end = now + 80000;

		while (asker.values == 0 && now < end)
			ask_until(imds, &asker, ID_PATH, &now, end);
		assert_int_equal(asker.values, 1);
		assert_int_equal(state_of(imds), IMDS_OK);
		imds_free(imds);
	}
}

static void test_one_lost_packet(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);
	int64_t now = 0;

	(void)state;
	fake.put_outcome = HTTP_TIMED_OUT;
	fake.ill_for = 1;
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.values, 1);
	assert_int_equal(fake.puts, 2);
	imds_free(imds);
}

static void test_bad_tokens(void **state)
{
	static const char *const bodies[] = { "",          "<html>sign in</html>",
		                              "two words", "\x01\x02",
		                              "\xff\xfe",  "a\r\nX: y" };
	static char endless[2000];

	(void)state;
	memset(endless, 'A', sizeof(endless) - 1);
	for (size_t i = 0; i < 7; i++) {
		struct asker asker;
		struct imds *imds = session(&asker);
		int64_t now = 0;

		fake.token_body = i < 6 ? bodies[i] : endless;
		ask_until(imds, &asker, ID_PATH, &now, now);
		assert_int_equal(asker.failures, 1);
		assert_int_equal(fake.gets, 0);
		assert_int_equal(state_of(imds), IMDS_BAD);
		imds_free(imds);
	}
}

/* A failure of one path, while others are good, is not a failure of the service. */
static void test_one_bad_path(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);
	int64_t now = 0;

	(void)state;
	fake_set("/latest/meta-data/ami-id", 500, "x");
	ask_until(imds, &asker, ID_PATH, &now, now);
	ask_until(imds, &asker, "/latest/meta-data/ami-id", &now, now);
	assert_int_equal(asker.failures, 1);
	assert_non_null(strstr(asker.body, "500"));
	assert_int_equal(state_of(imds), IMDS_OK);
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.values, 2);
	assert_int_equal(now, 0);
	imds_free(imds);
}

/* 403 may be meant for one path. If two paths have it, a token request shows whether it is for all. */
static void test_one_forbidden_path(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);
	int64_t now = 0;

	(void)state;
	fake_set(OTHER_PATH, 403, "x");
	ask_until(imds, &asker, ID_PATH, &now, now);
	for (int i = 1; i <= 5; i++) {
		ask_until(imds, &asker, OTHER_PATH, &now, now);
		assert_int_equal(asker.own, i);
		ask_until(imds, &asker, ID_PATH, &now, now);
		assert_int_equal(asker.values, 1 + i);
	}
	assert_int_equal(asker.own, asker.failures);
	assert_int_equal(fake.puts, 1);
	assert_int_equal(state_of(imds), IMDS_OK);
	assert_int_equal(now, 0);
	/* Switched off while running: seen with the second request. */
	fake.get_status = fake.put_status = 403;
	ask_until(imds, &asker, ID_PATH, &now, now);
	ask_until(imds, &asker, OTHER_PATH, &now, now);
	assert_int_equal(state_of(imds), IMDS_DISABLED);
	imds_free(imds);
}

static void test_retry(void **state)
{
	struct asker asker;
	struct imds *imds = session(&asker);
	int64_t now = 5000;

	(void)state;
	fake.put_outcome = HTTP_TIMED_OUT;
	while (asker.failures < 8)
		ask_until(imds, &asker, ID_PATH, &now, INT64_MAX - 1);
	fake.put_outcome = HTTP_ANSWERED;
	ask(imds, &asker, ID_PATH);
	assert_true(imds_deadline(imds) > now);
	imds_retry(imds);
	ask_until(imds, &asker, ID_PATH, &now, now);
	assert_int_equal(asker.values, 1);
	imds_free(imds);
}

static void test_queue(void **state)
{
	struct asker a, b, c;
	struct imds *imds = session(&a);

	(void)state;
	memset(&b, 0, sizeof(b));
	memset(&c, 0, sizeof(c));
	ask(imds, &a, ID_PATH);
	ask(imds, &b, "/latest/meta-data/none");
	ask(imds, &c, ID_PATH);
	ask(imds, &a, ID_PATH); /* waits already */
	imds_turn(imds, 0);
	imds_withdraw(imds, &b.ask);
	while (fake_deliver(0))
		;
	assert_int_equal(a.values, 1);
	assert_int_equal(b.absences, 0);
	assert_int_equal(c.values, 1);
	assert_int_equal(imds_deadline(imds), INT64_MAX);
	/* Withdrawn under way. */
	ask(imds, &a, ID_PATH);
	imds_turn(imds, 0);
	assert_non_null(fake.call);
	imds_withdraw(imds, &a.ask);
	assert_null(fake.call);
	imds_withdraw(imds, &a.ask);
	imds_free(imds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_then_question),
		cmocka_unit_test(test_token_request),
		cmocka_unit_test(test_renewed_before_it_ends),
		cmocka_unit_test(test_renewal_that_fails),
		cmocka_unit_test(test_401),
		cmocka_unit_test(test_outages),
		cmocka_unit_test(test_one_lost_packet),
		cmocka_unit_test(test_bad_tokens),
		cmocka_unit_test(test_one_bad_path),
		cmocka_unit_test(test_one_forbidden_path),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_queue),
	};

	log_init("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
