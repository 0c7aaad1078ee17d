/* The chain and the life of credentials, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "cloud_creds.h"
#include "fake_http.h"
#include "fake_worker.h"
#include "log.h"
#include "str.h"

#define ROLES  "/latest/meta-data/iam/security-credentials/"
#define KEY    "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

enum { MINUTE = 60000, HOUR = 3600000 };

static const int64_t wall_start = INT64_C(1795400000000);

struct world {
	struct fake_worker worker;
	struct imds *imds;
	struct creds_store *store;
	int64_t now; /* wall time goes with it */
};

static struct {
	const char *name;
	char value[512];
} vars[6];

static char *env(const char *name)
{
	for (size_t i = 0; i < 6; i++)
		if (vars[i].name != NULL && strcmp(vars[i].name, name) == 0)
			return vars[i].value;
	return NULL;
}

static void env_set(int i, const char *name, const char *value)
{
	vars[i].name = name;
	str_copy(vars[i].value, sizeof(vars[i].value), value);
}

static void world_new(struct world *world)
{
	memset(world, 0, sizeof(*world));
	memset(vars, 0, sizeof(vars));
	fake_reset();
	fake_worker_init(&world->worker);
	world->worker.conf.metrics.enabled = true;
	world->now = 50000;
}

static void start(struct world *world)
{
	struct conf_imds conf = { .timeout_ms = 1000, .token_ttl_s = 21600 };
	struct imds_settings settings;

	imds_settings_read(&conf, env, &settings);
	world->imds = imds_new(NULL, &settings);
	world->store = creds_new(&world->worker.worker, world->imds, env, world->now);
	assert_non_null(world->store);
}

static void stop(struct world *world)
{
	creds_free(world->store);
	imds_free(world->imds);
	fake_worker_end(&world->worker);
}

static int64_t wall(const struct world *world)
{
	return wall_start + world->now;
}

static void pass(struct world *world, int64_t span_ms)
{
	int64_t end = world->now + span_ms, next;
	int still = 0;

	for (;;) {
		imds_turn(world->imds, world->now);
		next = creds_turn(world->store, world->now, wall(world));
		fake_worker_take(&world->worker);
		if (fake_deliver(world->now))
			continue;
		still = next > world->now ? 0 : still + 1;
		assert_true(still < 3);
		if (next > end)
			break;
		if (next > world->now)
			world->now = next;
	}
	world->now = end;
}

/* The role's answer: `key` and when it ends. */
static const char *role_json(const char *key, int64_t ends_wall_ms)
{
	static char json[2][1024];
	static int i;
	char iso[32];

	i = !i;
	clock_iso8601(ends_wall_ms, iso, sizeof(iso));
	snprintf(json[i], sizeof(json[i]),
	         "{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"" SECRET
	         "\",\"Token\":\"tok\",\"Expiration\":\"%s\"}",
	         key, iso);
	return json[i];
}

static void assert_state(struct world *world, enum cred_state state, const char *text,
                         const char *why)
{
	const struct msg *msg = &world->worker.last[FACT_CREDENTIALS];

	assert_int_equal(msg->value, state);
	assert_string_equal(msg->text, text);
	if (strstr(msg->why, why) == NULL || (why[0] == '\0' && msg->why[0] != '\0'))
		fail_msg("reason is '%s'", msg->why);
	assert_null(strstr(msg->why, SECRET));
}

static void test_role(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	fake_set(ROLES, 200, "web-node\n");
	fake_set(ROLES "web-node", 200, role_json("ASIAFIRSTFIRSTFIRST0", wall_start + 6 * HOUR));
	start(&world);
	assert_null(creds_get(world.store));
	pass(&world, 0);
	assert_non_null(creds_get(world.store));
	assert_string_equal(creds_get(world.store)->access_key, "ASIAFIRSTFIRSTFIRST0");
	assert_state(&world, CRED_OK, "instance role web-node", "");
	int gets = fake.gets;

	/* Looked up once a minute, and the next ones are used as soon as they are there. */
	pass(&world, HOUR);
	assert_in_range(fake.gets - gets, 2 * 50, 2 * 75);
	fake_set(ROLES "web-node", 200, role_json("ASIASECONDSECOND0000", wall_start + 12 * HOUR));
	pass(&world, 73000);
	assert_string_equal(creds_get(world.store)->access_key, "ASIASECONDSECOND0000");
	assert_state(&world, CRED_OK, "instance role web-node", "");
	stop(&world);
}

static void test_late_role(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	start(&world);
	pass(&world, HOUR);
	assert_null(creds_get(world.store));
	assert_state(&world, CRED_NONE, "", "none is attached");
	assert_in_range(fake.gets, 50, 140);
	fake_set(ROLES, 200, "web-node");
	/* First an error with status 200, as with a bad trust policy. */
	fake_set(ROLES "web-node", 200,
	         "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot\"}");
	pass(&world, 2 * MINUTE);
	assert_null(creds_get(world.store));
	assert_state(&world, CRED_NONE, "", "AssumeRoleUnauthorizedAccess: EC2 cannot");
	fake_set(ROLES "web-node", 200, role_json("ASIAFIRSTFIRSTFIRST0", wall(&world) + HOUR));
	pass(&world, 2 * MINUTE);
	assert_state(&world, CRED_OK, "instance role web-node", "");
	stop(&world);
}

static void test_bad_answers(void **state)
{
	static const char *const names[] = { "<html>", "two\nroles", "../x", "" };
	static const char *const bodies[] = { "", "<html></html>", "{}", "{\"Code\":\"Success\"" };

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct world world;

		world_new(&world);
		fake_set(ROLES, 200, i < 4 ? names[i] : "web-node");
		fake_set(ROLES "web-node", 200, i < 4 ? "" : bodies[i - 4]);
		start(&world);
		pass(&world, 5 * MINUTE);
		assert_null(creds_get(world.store));
		assert_state(&world, CRED_NONE, "", "instance role");
		assert_true(fake.gets < 60);
		stop(&world);
	}
}

static void file_write(const char *path, const char *profile, const char *key, mode_t mode)
{
	char next[96];
	FILE *file;

	snprintf(next, sizeof next, "%s.next", path);
	file = fopen(next, "we");
	assert_non_null(file);
	fprintf(file, "[%s]\naws_access_key_id=%s\naws_secret_access_key=s\n", profile, key);
	assert_int_equal(fchmod(fileno(file), mode), 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(next, path), 0);
}

/* A world with a shared file; it has to be root's. */
static void world_with_file(struct world *world, const char *path)
{
	if (geteuid() != 0) {
		unlink(path);
		skip();
	}
	world_new(world);
	str_copy(world->worker.conf.metrics.credentials_file, LIMIT_PATH, path);
	fake_set(ROLES, 200, "web-node");
	fake_set(ROLES "web-node", 200, role_json("ASIAROLEROLEROLE0000", wall(world) + 9 * HOUR));
}

static void test_chain(void **state)
{
	char path[] = "/tmp/wna-chain-XXXXXX";
	struct world world;

	(void)state;
	close(mkstemp(path));
	/* The environment before the file ... */
	world_with_file(&world, path);
	file_write(path, "web", "AKIAFILEFILEFILE0000", 0640);
	env_set(0, "AWS_ACCESS_KEY_ID", KEY);
	env_set(1, "AWS_SECRET_ACCESS_KEY", SECRET);
	env_set(2, "AWS_PROFILE", "web");
	start(&world);
	pass(&world, HOUR);
	assert_state(&world, CRED_OK, "environment", "");
	assert_string_equal(creds_get(world.store)->access_key, KEY);
	stop(&world);
	/* ... the file before the role ... */
	world_with_file(&world, path);
	env_set(0, "AWS_PROFILE", "web");
	start(&world);
	pass(&world, 0);
	assert_state(&world, CRED_OK, "shared file, profile web", "");
	assert_string_equal(creds_get(world.store)->access_key, "AKIAFILEFILEFILE0000");
	assert_int_equal(fake.puts, 0);
	stop(&world);
	/* ... the role, if the file does not have the profile "default" ... */
	world_with_file(&world, path);
	start(&world);
	pass(&world, MINUTE);
	assert_state(&world, CRED_OK, "instance role web-node", "");
	stop(&world);
	/* ... but not if another profile was named. */
	for (int by_env = 0; by_env < 2; by_env++) {
		world_with_file(&world, path);
		if (by_env)
			env_set(0, "AWS_PROFILE", "wbe");
		else
			str_copy(world.worker.conf.metrics.profile, LIMIT_NAME, "wbe");
		start(&world);
		pass(&world, 2 * MINUTE);
		assert_state(&world, CRED_NONE, "",
		             "shared file: profile wbe: not in the file, or without keys there");
		assert_null(creds_get(world.store));
		assert_int_equal(fake.puts, 0);
		stop(&world);
	}
	unlink(path);
}

/* A new file at the path is used; until it is valid, the keys in use are kept. */
static void test_file_replaced(void **state)
{
	char path[] = "/tmp/wna-chain-XXXXXX";
	struct world world;

	(void)state;
	close(mkstemp(path));
	world_with_file(&world, path);
	file_write(path, "default", KEY, 0644);
	start(&world);
	pass(&world, MINUTE);
	assert_state(&world, CRED_NONE, "", "open to others");
	assert_int_equal(fake.puts, 0);
	assert_int_equal(chmod(path, 0600), 0);
	pass(&world, MINUTE);
	assert_state(&world, CRED_OK, "shared file, profile default", "");
	assert_string_equal(creds_get(world.store)->access_key, KEY);
	file_write(path, "default", "AKIAOTHEROTHER000000", 0604);
	pass(&world, 3 * MINUTE);
	assert_state(&world, CRED_OK, "shared file, profile default", "open to others");
	unlink(path);
	pass(&world, 3 * MINUTE);
	assert_state(&world, CRED_OK, "shared file, profile default", "No such file");
	assert_string_equal(creds_get(world.store)->access_key, KEY);
	file_write(path, "default", "AKIAOTHEROTHER000000", 0640);
	pass(&world, 2 * MINUTE);
	assert_state(&world, CRED_OK, "shared file, profile default", "");
	assert_string_equal(creds_get(world.store)->access_key, "AKIAOTHEROTHER000000");
	/* A refusal is a reason to look at once. */
	file_write(path, "default", "AKIATHIRDTHIRD000000", 0640);
	creds_refused(world.store, world.now, "SignatureDoesNotMatch");
	pass(&world, 0);
	assert_string_equal(creds_get(world.store)->access_key, "AKIATHIRDTHIRD000000");
	stop(&world);
	unlink(path);
}

/* A question to the metadata service, which is silent, does not delay a reload's look at the file. */
static void test_retry(void **state)
{
	char path[] = "/tmp/wna-chain-XXXXXX";
	struct world world;

	(void)state;
	close(mkstemp(path));
	world_with_file(&world, path);
	fake.put_outcome = HTTP_TIMED_OUT;
	start(&world);
	pass(&world, 10 * MINUTE);
	assert_null(creds_get(world.store));
	file_write(path, "default", KEY, 0600);
	creds_retry(world.store, world.now);
	pass(&world, 0);
	assert_state(&world, CRED_OK, "shared file, profile default", "");
	stop(&world);
	unlink(path);
}

static int lines_of(FILE *log)
{
	int count = 0;

	rewind(log);
	for (int c = fgetc(log); c != EOF; c = fgetc(log))
		count += c == '\n';
	return count;
}

/* A reason that differs each time is one line, and the fact has the last one. */
static void test_failures_in_the_log(void **state)
{
	static const char *const whys[] = { "500", "501", "502" };
	int old = dup(STDERR_FILENO);
	FILE *log = tmpfile();
	struct world world;

	(void)state;
	world_new(&world);
	start(&world);
	assert_non_null(log);
	assert_true(dup2(fileno(log), STDERR_FILENO) >= 0);
	log_init("test", LOG_LEVEL_INFO);
	for (int i = 0; i < 3; i++) {
		fake_set(ROLES, 500 + i, "");
		pass(&world, 2 * MINUTE);
		assert_state(&world, CRED_NONE, "", whys[i]);
	}
	assert_int_equal(lines_of(log), 1);
	fake_set(ROLES, 404, "");
	pass(&world, 2 * MINUTE);
	dup2(old, STDERR_FILENO);
	log_init("test", LOG_LEVEL_ERROR);
	assert_int_equal(lines_of(log), 3); /* and one of the service, which answers */
	fclose(log);
	close(old);
	stop(&world);
}

static void test_refusal(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	fake_set(ROLES, 200, "web-node");
	fake_set(ROLES "web-node", 200, role_json("ASIAFIRSTFIRSTFIRST0", wall_start + 6 * HOUR));
	start(&world);
	pass(&world, 1000);
	int gets = fake.gets;

	/* Refused at every push, fetched anew far less often. */
	for (int i = 0; i < 60; i++) {
		creds_refused(world.store, world.now, "ExpiredToken\n: the token is expired");
		pass(&world, 1000);
	}
	assert_state(&world, CRED_REFUSED, "instance role web-node", "ExpiredToken : the token");
	assert_in_range(fake.gets - gets, 2, 6);
	assert_non_null(creds_get(world.store));
	fake_set(ROLES "web-node", 200, role_json("ASIASECONDSECOND0000", wall_start + 6 * HOUR));
	pass(&world, 2 * MINUTE);
	assert_state(&world, CRED_OK, "instance role web-node", "");
	/* AWS refuses the keys, and then accepts the same keys again. */
	creds_refused(world.store, world.now, "InvalidClientTokenId");
	pass(&world, 1000);
	assert_state(&world, CRED_REFUSED, "instance role web-node", "InvalidClientTokenId");
	creds_accepted(world.store);
	pass(&world, 1000);
	assert_state(&world, CRED_OK, "instance role web-node", "");
	stop(&world);
}

static void test_env_that_ends(void **state)
{
	struct world world;
	char iso[32];

	(void)state;
	world_new(&world);
	clock_iso8601(wall_start + HOUR, iso, sizeof(iso));
	env_set(0, "AWS_ACCESS_KEY_ID", KEY);
	env_set(1, "AWS_SECRET_ACCESS_KEY", SECRET);
	env_set(2, "AWS_CREDENTIAL_EXPIRATION", iso);
	start(&world);
	pass(&world, 30 * MINUTE);
	assert_state(&world, CRED_OK, "environment", "");
	pass(&world, HOUR);
	assert_state(&world, CRED_STALE, "environment", "");
	creds_refused(world.store, world.now, "ExpiredToken");
	pass(&world, HOUR);
	assert_state(&world, CRED_REFUSED, "environment", "ExpiredToken");
	stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_role),
		cmocka_unit_test(test_late_role),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_file_replaced),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_env_that_ends),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_failures_in_the_log),
	};

	log_init("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
