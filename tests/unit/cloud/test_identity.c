/* Rounds of questions in virtual time against a scripted metadata service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud_identity.h"
#include "fake_http.h"
#include "fake_worker.h"
#include "log.h"

#define META  "/latest/meta-data/"
#define TAGS  META "tags/instance"
#define GROUP TAGS "/aws:autoscaling:groupName"
#define STATE META "autoscaling/target-lifecycle-state"

struct world {
	struct fake_worker worker;
	struct imds *imds;
	struct identity_job *job;
	char dir[64];
	int64_t now;
};

static char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

static void node(void)
{
	fake_reset();
	fake_set(META "instance-id", 200, "i-0123456789abcdef0");
	fake_set(META "instance-type", 200, "m5.large");
	fake_set(META "ami-id", 200, "ami-0123456789abcdef0");
	fake_set(META "local-ipv4", 200, "10.16.3.7");
	fake_set(META "placement/availability-zone", 200, "ap-northeast-2a");
	fake_set(META "placement/availability-zone-id", 200, "apne2-az1");
	fake_set(META "placement/region", 200, "ap-northeast-2");
	fake_set(META "services/partition", 200, "aws");
	fake_set(META "services/domain", 200, "amazonaws.com");
	fake_set(META "mac", 200, "0e:49:61:0f:c3:11");
	fake_set(META "network/interfaces/macs/0e:49:61:0f:c3:11/vpc-id", 200,
	         "vpc-0123456789abcdef0");
	fake_set(META "network/interfaces/macs/0e:49:61:0f:c3:11/subnet-id", 200,
	         "subnet-0123456789abcdef0");
	fake_set(META "instance-life-cycle", 200, "on-demand");
	fake_set(STATE, 200, "InService");
	fake_set(TAGS, 200, "Name\naws:autoscaling:groupName");
	fake_set(TAGS "/Name", 200, "web 1");
	fake_set(GROUP, 200, "web");
}

static void start(struct world *world)
{
	struct imds_settings settings;

	imds_settings_read(&world->worker.conf.imds, no_env, &settings);
	world->imds = imds_new(NULL, &settings);
	world->job = identity_new(&world->worker.worker, world->imds, world->now);
	assert_non_null(world->job);
}

static void stop(struct world *world)
{
	identity_free(world->job);
	imds_free(world->imds);
}

static void world_new(struct world *world)
{
	memset(world, 0, sizeof(*world));
	str_copy(world->dir, sizeof(world->dir), "/tmp/wna-identity-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	fake_worker_init(&world->worker);
	world->worker.worker.run_dir = world->dir;
	world->worker.conf.imds = (struct conf_imds){ .timeout_ms = 1000,
		                                      .refresh_ms = 60000,
		                                      .state_ms = 5000,
		                                      .token_ttl_s = 21600,
		                                      .max_age_ms = 300000 };
	world->now = 100000;
	node();
}

static void world_free(struct world *world)
{
	char path[128];

	fake_worker_end(&world->worker);
	snprintf(path, sizeof(path), "%s/facts.json", world->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/facts.env", world->dir);
	unlink(path);
	rmdir(world->dir);
}

static bool has_file(struct world *world, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	return access(path, F_OK) == 0;
}

/* Lets time pass. Fails if the job asks for turn after turn without a wait. */
static void pass(struct world *world, int64_t span_ms)
{
	int64_t end = world->now + span_ms, next;
	int still = 0;

	for (;;) {
		next = identity_turn(world->job, world->now);
		fake_worker_take(&world->worker);
		/* A script that waited for the identity finds it in the file. */
		assert_true(world->worker.count[FACT_INSTANCE_ID] == 0 ||
		            has_file(world, "facts.env"));
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

static const struct msg *fact(struct world *world, enum fact_id id)
{
	return &world->worker.last[id];
}

static void assert_fact(struct world *world, enum fact_id id, const char *text)
{
	assert_int_equal(fact(world, id)->value, text[0] != '\0');
	assert_string_equal(fact(world, id)->text, text);
	assert_string_equal(fact(world, id)->why, "");
}

static void read_file(struct world *world, const char *name, char *ret, size_t size)
{
	char path[128];
	struct stat st;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	ret[fread(ret, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void test_first_round(void **state)
{
	struct world world;
	char text[1024];

	(void)state;
	world_new(&world);
	start(&world);
	pass(&world, 0);
	assert_true(identity_get(world.job)->known);
	assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_OK);
	assert_fact(&world, FACT_INSTANCE_ID, "i-0123456789abcdef0");
	assert_fact(&world, FACT_PUBLIC_IPV4, "");
	assert_int_equal(world.worker.count[FACT_PUBLIC_IPV4], 1);
	assert_fact(&world, FACT_REGION, "ap-northeast-2");
	assert_fact(&world, FACT_SUBNET_ID, "subnet-0123456789abcdef0");
	assert_fact(&world, FACT_ASG, "web");
	assert_fact(&world, FACT_TARGET_STATE, "InService");
	assert_int_equal(fact(&world, FACT_TAGS)->value, 2);
	assert_int_equal(fake.puts, 1);

	read_file(&world, "facts.env", text, sizeof text);
	assert_non_null(strstr(text, "WNA_VPC_ID=vpc-0123456789abcdef0\n"));
	assert_null(strstr(text, "PUBLIC"));
	stop(&world);
	world_free(&world);
}

/* The metric waits for the facts that it needs, but not for ever. */
static void test_one_bad_need(void **state)
{
	static const char *const needs[] = { META "placement/region", STATE, GROUP };

	(void)state;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		struct world world;

		world_new(&world);
		fake_set(needs[i], 500, "");
		start(&world);
		pass(&world, 1000);
		assert_false(identity_get(world.job)->known);
		pass(&world, 10000);
		assert_true(identity_get(world.job)->known);
		assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_BAD);
		stop(&world);
		world_free(&world);
	}
}

/* A path that is busy or silent for ever does not keep the node from being identified. */
static void test_one_need_without_answer(void **state)
{
	static const char *const needs[] = { META "placement/region", STATE, GROUP };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct world world;
		char text[1024];

		world_new(&world);
		fake_set(needs[i / 2], i % 2 ? FAKE_SILENT : 503, "");
		start(&world);
		pass(&world, 11000);
		assert_true(identity_get(world.job)->known);
		assert_fact(&world, FACT_INSTANCE_ID, "i-0123456789abcdef0");
		read_file(&world, "facts.env", text, sizeof text);
		assert_non_null(strstr(text, "WNA_VPC_ID=vpc-0123456789abcdef0\n"));
		/* For an hour: the service works in between, and neither it nor the log is flooded. */
		memset(world.worker.count, 0, sizeof(world.worker.count));
		fake.gets = 0;
		pass(&world, 3600000);
		assert_in_range(world.worker.count[FACT_IMDS], 360, 800);
		assert_in_range(fake.gets, 1000, 2500);
		fake_set(needs[i / 2], 404, "");
		pass(&world, 70000);
		assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_OK);
		stop(&world);
		world_free(&world);
	}
}

/* facts.json cannot be written, and facts.env is there all the same. */
static void test_one_file_fails(void **state)
{
	struct world world;
	char path[128];

	(void)state;
	world_new(&world);
	snprintf(path, sizeof(path), "%s/facts.json", world.dir);
	assert_int_equal(mkdir(path, 0700), 0); /* cannot be replaced by a file */
	start(&world);
	pass(&world, 0);
	assert_fact(&world, FACT_INSTANCE_ID, "i-0123456789abcdef0");
	assert_true(world.job->save_failed);
	assert_int_equal(rmdir(path), 0);
	pass(&world, 11000); /* tried again */
	assert_true(has_file(&world, "facts.json"));
	assert_false(world.job->save_failed);
	stop(&world);
	world_free(&world);
}

/* Ten minutes of a healthy node: how often it asks, and that the facts that age are sent again. */
static void test_pace(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	start(&world);
	pass(&world, 0);
	int gets = fake.gets;
	int told = world.worker.count[FACT_INSTANCE_ID], state_told = world.worker.count[FACT_IMDS];

	pass(&world, 600000);
	/* 15 items and 3 of the tags a minute, the state 12 times, all jittered. */
	assert_in_range(fake.gets - gets, 240, 370);
	assert_in_range(world.worker.count[FACT_INSTANCE_ID] - told, 58, 61);
	assert_in_range(world.worker.count[FACT_IMDS] - state_told, 58, 61);
	assert_int_equal(fake.puts, 1);
	stop(&world);
	world_free(&world);
}

static void test_tags_change(void **state)
{
	struct world world;
	char text[4096];

	(void)state;
	world_new(&world);
	start(&world);
	pass(&world, 0);
	fake_set(STATE, 404, "");
	fake_set(TAGS, 200, "Name\nColour\naws:autoscaling:groupName\n");
	fake_set(TAGS "/Colour", 200, "blue");
	pass(&world, 75000);
	assert_int_equal(fact(&world, FACT_TAGS)->value, 3);
	read_file(&world, "facts.json", text, sizeof text);
	assert_non_null(strstr(text, "\"Colour\": \"blue\""));
	assert_non_null(strstr(text, "\"target-state\": null"));
	stop(&world);
	world_free(&world);
}

static void test_bad_bodies(void **state)
{
	static const char *const bodies[] = { "", "<html></html>", "i-0123456789abcdef0\ni-1" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world world;
		const char *body = bodies[i];

		world_new(&world);
		fake_set(META "instance-id", 200, body);
		start(&world);
		pass(&world, 20000);
		assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_BAD);
		assert_non_null(strstr(fact(&world, FACT_IMDS)->why, "instance-id"));
		assert_non_null(strstr(fact(&world, FACT_IMDS)->why, "in a row"));
		assert_int_equal(world.worker.count[FACT_INSTANCE_ID], 0);
		assert_null(identity_get(world.job)->instance_id);
		assert_false(identity_get(world.job)->known);
		/* The others are not held up, and it is asked again. */
		assert_fact(&world, FACT_SUBNET_ID, "subnet-0123456789abcdef0");
		fake_set(META "instance-id", 200, "i-0123456789abcdef0");
		pass(&world, 70000);
		assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_OK);
		assert_true(identity_get(world.job)->known);

		/* What was known stays when the answer goes bad. */
		fake_set(META "instance-id", 200, body);
		pass(&world, 80000);
		assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_BAD);
		assert_string_equal(identity_get(world.job)->instance_id, "i-0123456789abcdef0");
		stop(&world);
		world_free(&world);
	}
}

/* CloudWatch takes no such dimension: an operator must be told which name it is about. */
static void test_a_group_outside_ascii(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	fake_set(GROUP, 200, "\354\233\271");
	start(&world);
	pass(&world, 11000);
	assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_BAD);
	assert_non_null(strstr(fact(&world, FACT_IMDS)->why, "the group's name is outside ASCII"));
	stop(&world);
	world_free(&world);
}

static void test_outage_keeps_what_is_known(void **state)
{
	struct world world;
	char text[1024];

	(void)state;
	world_new(&world);
	start(&world);
	pass(&world, 0);
	fake.get_outcome = HTTP_TIMED_OUT;
	fake.put_outcome = HTTP_TIMED_OUT;
	pass(&world, 3600000);
	assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_SILENT);
	assert_int_equal(fact(&world, FACT_IMDS)->more[RETRY_AT_MS], imds_retry_ms(world.imds));
	assert_in_range(fact(&world, FACT_IMDS)->more[RETRY_AT_MS], world.now, world.now + 60000);
	assert_fact(&world, FACT_ASG, "web");
	assert_string_equal(identity_get(world.job)->target_state, "InService");
	/* A process that starts during the outage knows nothing, and leaves the files alone. */
	stop(&world);
	memset(world.worker.count, 0, sizeof(world.worker.count));
	start(&world);
	pass(&world, 60000);
	assert_false(identity_get(world.job)->known);
	assert_int_equal(world.worker.count[FACT_ASG], 0);
	read_file(&world, "facts.env", text, sizeof text);
	assert_non_null(strstr(text, "WNA_ASG=web\n"));

	fake.get_outcome = fake.put_outcome = HTTP_ANSWERED;
	imds_retry(world.imds);
	identity_retry(world.job, world.now);
	pass(&world, 0);
	assert_fact(&world, FACT_ASG, "web");
	assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_OK);
	stop(&world);
	world_free(&world);
}

/* If the group's tag disappears, the target state shows whether the node is still in the group. */
static void test_tag_goes(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	start(&world);
	pass(&world, 0);
	fake_set(TAGS, 404, "");
	fake_set(GROUP, 404, "");
	pass(&world, 100000);
	assert_string_equal(identity_get(world.job)->asg, "web");
	assert_int_equal(fact(&world, FACT_ASG)->value, 1);
	assert_string_equal(fact(&world, FACT_ASG)->text, "web");
	assert_non_null(strstr(fact(&world, FACT_ASG)->why, "gone"));
	/* Taken out of the group. */
	fake_set(STATE, 404, "");
	pass(&world, 80000);
	assert_string_equal(identity_get(world.job)->asg, "");
	assert_fact(&world, FACT_ASG, "");
	/* Put into another. */
	fake_set(STATE, 200, "InService");
	fake_set(GROUP, 200, "other");
	pass(&world, 80000);
	assert_fact(&world, FACT_ASG, "other");
	stop(&world);
	world_free(&world);
}

static void test_configured_group(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	str_copy(world.worker.conf.imds.asg, sizeof(world.worker.conf.imds.asg), "mine");
	start(&world);
	assert_string_equal(identity_get(world.job)->asg, "mine");
	pass(&world, 200000);
	assert_string_equal(identity_get(world.job)->asg, "mine");
	assert_string_equal(fact(&world, FACT_ASG)->text, "mine");
	assert_string_equal(fact(&world, FACT_ASG)->why, "configured");
	stop(&world);
	world_free(&world);
}

static void test_bad_tags(void **state)
{
	struct world world;

	(void)state;
	world_new(&world);
	/* A page in place of the list: the old tags stay, and the state is bad. */
	start(&world);
	pass(&world, 0);
	fake_set(TAGS, 200, "<html>\n<body>what is this</body>\n");
	pass(&world, 80000);
	assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_BAD);
	assert_non_null(strstr(fact(&world, FACT_IMDS)->why, "tags"));
	assert_int_equal(fact(&world, FACT_TAGS)->value, 2);
	/* Keys that are not valid are left out, and so is a key without a value. */
	fake_set(TAGS, 200, "Name\n../../user-data\ngone\naws:autoscaling:groupName");
	pass(&world, 70000);
	assert_int_equal(fact(&world, FACT_IMDS)->value, IMDS_OK);
	assert_int_equal(fact(&world, FACT_TAGS)->value, 2);
	stop(&world);
	world_free(&world);
}

/* On-demand instances are never asked about them. */
static void test_notices(void **state)
{
	static const char events[] =
	        "[{\"NotBefore\":\"20 Jan 2027 09:00:43 GMT\",\"Code\":\"instance-stop\","
	        "\"State\":\"completed\"},{\"NotBefore\":\"21 Jan 2027 09:00:43 GMT\","
	        "\"Code\":\"system-reboot\",\"EventId\":\"instance-event-0d59937288b749b32\","
	        "\"State\":\"active\"}]";
	struct world world;

	(void)state;
	world_new(&world);
	fake_set(META "spot/instance-action", 200,
	         "{\"action\": \"terminate\", \"time\": \"2026-11-30T08:22:00Z\"}");
	start(&world);
	pass(&world, 70 * 1000);
	assert_int_equal(world.worker.count[FACT_SPOT_ACTION], 0);
	assert_int_equal(world.worker.count[FACT_SCHEDULED], 0);
	fake_set(META "instance-life-cycle", 200, "spot");
	pass(&world, 90 * 1000);
	assert_fact(&world, FACT_SPOT_ACTION, "terminate at 2026-11-30T08:22:00Z");
	assert_string_equal(world.job->identity.spot_action, "terminate at 2026-11-30T08:22:00Z");
	assert_fact(&world, FACT_REBALANCE, "");
	fake_set(META "events/recommendations/rebalance", 200,
	         "{\"noticeTime\": \"2026-11-30T08:20:00Z\"}");
	fake_set(META "spot/instance-action", 200, "<html>");
	pass(&world, 10 * 1000);
	assert_fact(&world, FACT_REBALANCE, "noticed at 2026-11-30T08:20:00Z");
	/* A bad answer changes nothing. */
	assert_fact(&world, FACT_SPOT_ACTION, "terminate at 2026-11-30T08:22:00Z");
	stop(&world);
	/* With a hook. */
	str_copy(world.worker.conf.life.terminate_hook, 8, "goes");
	fake_set(META "events/maintenance/scheduled", 200, events);
	start(&world);
	pass(&world, 10 * 1000);
	assert_fact(&world, FACT_SCHEDULED, "system-reboot from 21 Jan 2027 09:00:43 GMT");
	fake_set(META "events/maintenance/scheduled", 200, "[]");
	pass(&world, 90 * 1000);
	assert_fact(&world, FACT_SCHEDULED, "");
	stop(&world);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_round),
		cmocka_unit_test(test_one_bad_need),
		cmocka_unit_test(test_one_need_without_answer),
		cmocka_unit_test(test_one_file_fails),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_tags_change),
		cmocka_unit_test(test_bad_bodies),
		cmocka_unit_test(test_a_group_outside_ascii),
		cmocka_unit_test(test_outage_keeps_what_is_known),
		cmocka_unit_test(test_tag_goes),
		cmocka_unit_test(test_configured_group),
		cmocka_unit_test(test_bad_tags),
		cmocka_unit_test(test_notices),
	};

	log_init("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
