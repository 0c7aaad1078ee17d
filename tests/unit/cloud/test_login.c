/* The login token of the database, in virtual time; its signature is in test_sigv4.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud_push.h"
#include "fake_http.h"
#include "fake_worker.h"
#include "file.h"
#include "str.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const int64_t aws_start = INT64_C(1795400000000);

static struct fake_worker worker;
static struct identity identity;
static struct imds *imds;
static struct creds_store *creds;
static struct login *login;
static char dir[64], key[64], secret[64], token[LIMIT_LOGIN_TOKEN];

static char *env(const char *name)
{
	if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
		return key[0] ? key : NULL;
	return strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 && secret[0] ? secret : NULL;
}

static void use_key(const char *id, int64_t now_ms)
{
	struct conf_imds conf = { .timeout_ms = 1000, .token_ttl_s = 21600 };
	struct imds_settings settings;

	creds_free(creds);
	imds_free(imds);
	imds_settings_read(&conf, env, &settings);
	imds = imds_new(NULL, &settings);
	str_copy(key, sizeof key, id);
	str_copy(secret, sizeof secret, id[0] ? SECRET : "");
	creds = creds_new(&worker.worker, imds, env, now_ms);
	creds_turn(creds, now_ms, aws_start + now_ms);
}

static void begin(const char *endpoint, const char *region, const char *id)
{
	fake_reset();
	fake_worker_init(&worker);
	worker.conf.rds.enabled = true;
	worker.conf.rds.auth = DB_AUTH_IAM;
	worker.conf.rds.port = 3306;
	strcpy(worker.conf.rds.endpoint, endpoint);
	strcpy(worker.conf.rds.user, "wna");
	identity = (struct identity){ .region = region };
	strcpy(dir, "/tmp/wna-login-XXXXXX");
	assert_non_null(mkdtemp(dir));
	creds = NULL;
	imds = NULL;
	use_key(id, 0);
	login = login_new(&worker.worker, creds, &identity, dir);
	login_host(login, endpoint);
}

static void end(void)
{
	char path[96];

	snprintf(path, sizeof path, "%s/" LOGIN_FILE, dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	login_free(login);
	creds_free(creds);
	imds_free(imds);
	fake_worker_end(&worker);
}

/* The token after a turn; empty if there is none. */
static const char *turn(int64_t now_ms, int64_t aws_ms)
{
	char path[96];

	login_turn(login, now_ms, aws_ms);
	snprintf(path, sizeof path, "%s/" LOGIN_FILE, dir);
	file_load(AT_FDCWD, path, FILE_OF_ANYBODY, token, sizeof token);
	return token;
}

static const char *at(int64_t now_ms)
{
	return turn(now_ms, aws_start + now_ms);
}

static void is_for_the_endpoint(void **state)
{
	static const char start[] =
	        "web.c9akciq32.eu-west-1.rds.amazonaws.com:3306/?Action=connect&"
	        "DBUser=wna&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
	        "AKIAIOSFODNN7EXAMPLE%2F20261123%2Feu-west-1%2Frds-db%2Faws4_request&"
	        "X-Amz-Date=20261123T";

	(void)state;
	begin("Web.c9akciq32.EU-west-1.rds.amazonaws.com.", "us-east-1", "AKIAIOSFODNN7EXAMPLE");
	assert_memory_equal(at(0), start, sizeof start - 1);
	end();
}

/* An endpoint that is no name of RDS has the node's region. */
static void waits_for_region_and_credentials(void **state)
{
	(void)state;
	begin("db.example", NULL, "");
	assert_string_equal(at(0), "");
	identity.region = "us-east-1";
	assert_string_equal(at(SECOND), "");
	login_free(login);
	use_key("AKIAIOSFODNN7EXAMPLE", 2 * SECOND);
	login = login_new(&worker.worker, creds, &identity, dir);
	assert_string_equal(at(2 * SECOND), "");
	login_host(login, "db.example");
	assert_non_null(strstr(at(2 * SECOND), "%2Fus-east-1%2Frds-db%2F"));
	end();
}

/* RDS accepts no token for an alias. wna-rds, which tells the name, may have been taken over. */
static void an_alias_is_followed(void **state)
{
	static const char real[] = "web.c9akciq32.eu-west-1.rds.amazonaws.com";

	(void)state;
	begin("db.example", "us-east-1", "AKIAIOSFODNN7EXAMPLE");
	assert_memory_equal(at(0), "db.example:3306/", 16);
	login_host(login, "WEB.c9akciq32.eu-west-1.rds.amazonaws.com.");
	assert_memory_equal(at(SECOND), real, sizeof real - 1);
	assert_non_null(strstr(token, "%2Feu-west-1%2Frds-db%2F"));
	login_host(login, "evil.example");
	login_host(login, "web.eu-west-1.rds.amazonaws.com.example");
	login_host(login, "rds.amazonaws.com");
	assert_memory_equal(at(LOGIN_PERIOD_MS + SECOND), real, sizeof real - 1);
	end();
	begin(real, "us-east-1", "AKIAIOSFODNN7EXAMPLE");
	login_host(login, "other.c9akciq32.eu-west-1.rds.amazonaws.com");
	assert_memory_equal(at(0), real, sizeof real - 1);
	end();
}

static void is_renewed(void **state)
{
	char first[LIMIT_LOGIN_TOKEN];

	(void)state;
	begin("db.example", "us-east-1", "AKIAIOSFODNN7EXAMPLE");
	strcpy(first, at(0));
	assert_int_equal(login_turn(login, SECOND, aws_start + SECOND), LOGIN_PERIOD_MS);
	assert_string_equal(at(LOGIN_PERIOD_MS - SECOND), first);
	assert_string_not_equal(at(LOGIN_PERIOD_MS), first);
	/* AWS's clock became known, or the machine's was set. */
	strcpy(first, token);
	assert_string_equal(turn(11 * MINUTE, aws_start + 11 * MINUTE + 59 * SECOND), first);
	assert_string_not_equal(turn(11 * MINUTE, aws_start + 13 * MINUTE), first);
	end();
}

static void a_folder_that_is_missing(void **state)
{
	(void)state;
	begin("db.example", "us-east-1", "AKIAIOSFODNN7EXAMPLE");
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(login_turn(login, 0, aws_start), SECOND);
	assert_non_null(mkdtemp(strcpy(dir, "/tmp/wna-login-XXXXXX")));
	assert_string_not_equal(at(SECOND), "");
	end();
}

static void only_if_it_is_configured(void **state)
{
	(void)state;
	begin("db.example", "us-east-1", "AKIAIOSFODNN7EXAMPLE");
	login_free(login);
	worker.conf.rds.auth = DB_AUTH_PASSWORD;
	login = login_new(&worker.worker, creds, &identity, dir);
	assert_string_equal(at(0), "");
	assert_true(login_turn(login, 0, aws_start) == INT64_MAX);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_for_the_endpoint),
		cmocka_unit_test(waits_for_region_and_credentials),
		cmocka_unit_test(an_alias_is_followed),
		cmocka_unit_test(is_renewed),
		cmocka_unit_test(a_folder_that_is_missing),
		cmocka_unit_test(only_if_it_is_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
