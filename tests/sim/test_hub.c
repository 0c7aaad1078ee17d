/* The hub of a real wna-core: which peer may say what, and what each hears. */
#include "fixture.h"

enum { NOBODY = 65534 };

/* The core ends this connection, having said nothing on it. */
static bool is_ended(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char byte;

	return fd >= 0 && poll(&ready, 1, PATIENCE_MS) == 1 &&
	       recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void a_role_is_its_users_alone(void **state)
{
	struct msg msg;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	harness.strict = true;
	harness_start(&harness, CORE_EXE, &conf);
	fd = harness_join(&harness, ROLE_CLOUD, 0);
	assert_true(is_ended(fd));
	close(fd);
	fd = harness_join(&harness, ROLE_CORE, 0);
	assert_true(is_ended(fd));
	close(fd);
	/* Its positive twin: root's own roles, and a listener of any user. */
	fd = harness_join(&harness, ROLE_MOUNT, HUB_WANTS_VERDICT);
	assert_true(harness_hear(fd, HUB_SPOKEN, PATIENCE_MS, &msg));
	close(fd);
	fd = harness_join(&harness, ROLE_CTL, HUB_WANTS_VERDICT);
	assert_true(harness_hear(fd, HUB_SPOKEN, PATIENCE_MS, &msg));
	/* Which may not report. */
	msg = (struct msg){ .type = HUB_FACT, .id = FACT_ASG, .value = 1 };
	assert_int_equal(hub_send(fd, &msg), 0);
	assert_true(is_ended(fd));
	close(fd);
}

static void another_build_is_turned_away(void **state)
{
	struct msg hello = { .type = HUB_HELLO, .id = ROLE_CLOUD };
	int fd;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	fd = harness_join(&harness, ROLE_CTL, 0);
	snprintf(hello.text, sizeof hello.text, "web-node-agent contract of 1999");
	assert_int_equal(hub_send(fd, &hello), 0);
	assert_true(is_ended(fd));
	close(fd);
	assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
}

/* First the state of now, then each change; nothing else. */
static void a_listener_hears_what_it_wants(void **state)
{
	struct msg msg;
	int fd;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	harness_fact(&harness, ROLE_CLOUD, FACT_ASG, 1, "web", "");
	harness_fact(&harness, ROLE_CLOUD, FACT_REGION, 1, "eu-west-1", "");
	harness_spoken(&harness, ROLE_CLOUD);
	do {
		assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
	} while (!strstr(reply, "eu-west-1"));
	fd = harness_join(&harness, ROLE_HOOKS, HUB_WANTS(FACT_REGION) | HUB_WANTS_VERDICT);
	assert_true(harness_hear(fd, HUB_FACT, PATIENCE_MS, &msg));
	assert_int_equal(msg.id, FACT_REGION);
	assert_string_equal(msg.text, "eu-west-1");
	assert_true(harness_hear(fd, HUB_VERDICT, PATIENCE_MS, &msg));
	assert_int_equal(msg.value, LEVEL_DEGRADED);
	assert_true(harness_hear(fd, HUB_SPOKEN, PATIENCE_MS, &msg));
	harness_fact(&harness, ROLE_CLOUD, FACT_ASG, 1, "other", "");
	harness_fact(&harness, ROLE_CLOUD, FACT_REGION, 1, "eu-west-2", "");
	assert_true(harness_hear(fd, HUB_FACT, PATIENCE_MS, &msg));
	assert_string_equal(msg.text, "eu-west-2");
	harness_fact(&harness, ROLE_CLOUD, FACT_IMDS, IMDS_OK, "", "");
	harness_fact(&harness, ROLE_CLOUD, FACT_INSTANCE_ID, 1, "i-0abc", "");
	assert_true(harness_hear(fd, HUB_VERDICT, PATIENCE_MS, &msg));
	assert_int_equal(msg.value, LEVEL_OK);
	close(fd);
}

/* A finder that was restarted speaks; what is left of the one before does not. */
static void one_connection_per_finder(void **state)
{
	int first, second;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	first = harness_join(&harness, ROLE_RDS, 0);
	second = harness_join(&harness, ROLE_RDS, 0);
	assert_true(is_ended(first));
	harness.peer[ROLE_RDS] = second;
	harness_fact(&harness, ROLE_RDS, FACT_RDS_VERSION, 1, "8.4", "");
	do {
		assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
	} while (!strstr(reply, "\"8.4\""));
	close(first);
}

static void a_finder_that_says_too_much_is_cut_off(void **state)
{
	const struct msg msg = { .type = HUB_FACT, .id = FACT_RDS_RTT, .value = 5 };
	int64_t until_ms = clock_ms() + PATIENCE_MS;
	int fd, rc = 0;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	fd = harness_join(&harness, ROLE_RDS, 0);
	while ((rc == 0 || rc == -EAGAIN) && clock_ms() < until_ms)
		rc = hub_send(fd, &msg);
	assert_int_equal(rc, -EPIPE);
	close(fd);
	assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
}

/* In a child, which is another user: holds as many connections as it gets. */
static int hold_many(int go, int end)
{
	int fd;
	char byte;

	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 1;
	for (int i = 0; i < 3 * LIMIT_PEERS; i++) {
		fd = harness_join(&harness, ROLE_CTL, HUB_WANTS_VERDICT);
		if (fd < 0)
			return 2;
	}
	if (write(go, "", 1) != 1)
		return 3;
	return read(end, &byte, 1) == 0 ? 0 : 4;
}

static void no_user_can_hold_all_places(void **state)
{
	int go[2], end[2], status;
	pid_t pid;
	char byte;

	(void)state;
	if (geteuid() != 0)
		skip();
	harness_start(&harness, CORE_EXE, &conf);
	harness_fact(&harness, ROLE_CLOUD, FACT_ASG, 1, "web", "");
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(end), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		_exit(hold_many(go[1], end[0]));
	}
	close(go[1]);
	assert_int_equal(read(go[0], &byte, 1), 1);
	assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
	harness_fact(&harness, ROLE_CLOUD, FACT_ASG, 1, "still", "");
	do {
		assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
	} while (!strstr(reply, "\"still\""));
	close(end[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(go[0]);
	close(end[0]);
}

/* A listener that does not read is disconnected; the others go on hearing. */
static void a_listener_that_does_not_read_stops_nothing(void **state)
{
	struct msg msg;
	int mute, fd;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	mute = harness_join(&harness, ROLE_CTL, HUB_WANTS(FACT_CPU));
	fd = harness_join(&harness, ROLE_CTL, HUB_WANTS(FACT_CPU));
	for (int i = 0; i < 600; i++) {
		harness_fact(&harness, ROLE_CLOUD, FACT_CPU, i, "", "");
		do {
			assert_true(harness_hear(fd, HUB_FACT, PATIENCE_MS, &msg));
		} while (msg.value != i);
	}
	/* What it had not read, and then the end. */
	while (harness_hear(mute, HUB_FACT, 100, &msg))
		;
	assert_true(is_ended(mute));
	close(mute);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_role_is_its_users_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(another_build_is_turned_away, setup, teardown),
		cmocka_unit_test_setup_teardown(a_listener_hears_what_it_wants, setup, teardown),
		cmocka_unit_test_setup_teardown(one_connection_per_finder, setup, teardown),
		cmocka_unit_test_setup_teardown(a_finder_that_says_too_much_is_cut_off, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(no_user_can_hold_all_places, setup, teardown),
		cmocka_unit_test_setup_teardown(a_listener_that_does_not_read_stops_nothing, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
