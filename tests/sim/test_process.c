/*
 * What only the whole wna-core shows: the filter, the hub with real credentials, and
 * that starts and ends lose no answer.
 */
#include "fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/* Sends, then reads to the end. False if there was none in time. */
static bool ask(int fd, const char *text)
{
	int64_t until_ms = clock_ms() + PATIENCE_MS;
	size_t got = 0;

	assert_true(fd >= 0);
	send(fd, text, strlen(text), MSG_NOSIGNAL);
	while (clock_ms() < until_ms) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&ready, 1, 100) <= 0)
			continue;
		n = recv(fd, reply + got, sizeof reply - 1 - got, 0);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	reply[got] = '\0';
	close(fd);
	return clock_ms() < until_ms;
}

static void expect_answer(const char *path_request, const char *start)
{
	assert_true(ask(harness_connect(&harness), path_request));
	assert_memory_equal(reply, start, strlen(start));
}

/* Facts from wna-cloud, the only job that is on. */
static void become_healthy(void)
{
	struct msg verdict = { .value = LEVEL_MAX };
	int fd = harness_join(&harness, ROLE_CTL, HUB_WANTS_VERDICT);

	harness_fact(&harness, ROLE_CLOUD, FACT_IMDS, IMDS_OK, "", "");
	harness_fact(&harness, ROLE_CLOUD, FACT_INSTANCE_ID, 1, "i-0abc", "");
	harness_spoken(&harness, ROLE_CLOUD);
	while (verdict.value != LEVEL_OK)
		assert_true(harness_hear(fd, HUB_VERDICT, PATIENCE_MS, &verdict));
	close(fd);
}

static void starts_judges_and_leaves(void **state)
{
	int status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	/* Without a word from its finders, after CORE_ACCEPT_LOCAL_MS. */
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	expect_answer(GET("/readyz"), "HTTP/1.1 503 ");
	become_healthy();
	expect_answer(GET("/readyz"), "HTTP/1.1 200 OK\r\n");
	expect_answer(GET("/healthz"), "HTTP/1.1 200 OK\r\n");
	expect_answer(GET("/status"), "HTTP/1.1 200 OK\r\n");
	assert_non_null(strstr(reply, "\"text\":\"i-0abc\""));
	assert_true(harness_told(&harness, "STATUS=healthz ok, readyz ok", PATIENCE_MS));
	assert_true(harness_told(&harness, "WATCHDOG=1", PATIENCE_MS));
	assert_true(harness_told(&harness, "WATCHDOG=1", PATIENCE_MS));
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The line of /proc/PID/status with this name, as a number. */
static long proc_status(const char *name)
{
	char path[64], line[256];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)harness.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), ":%ld", &value);
	}
	fclose(file);
	return value;
}

static void the_filter_is_on(void **state)
{
	int status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	assert_int_equal(proc_status("Seccomp"), 2);
	assert_int_equal(proc_status("NoNewPrivs"), 1);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* The same program, but for one openat after the start. */
	harness_start(&harness, CORE_OPENAT_EXE, &conf);
	assert_int_equal(waitpid(harness.pid, &status, 0), harness.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	close(harness.log);
	harness.log = -1;
}

/* A malformed message costs the connection, and nothing else. */
static void malformed_messages_are_refused(void **state)
{
	static const size_t sizes[] = { 5, sizeof(struct msg), sizeof(struct msg) + 1 };
	char bytes[sizeof(struct msg) + 1], byte;

	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	harness_start(&harness, CORE_EXE, &conf);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		int fd = harness_join(&harness, ROLE_CLOUD, 0);

		send(fd, bytes, sizes[i], 0);
		assert_int_equal(recv(fd, &byte, 1, 0), 0);
		close(fd);
	}
	harness_fact(&harness, ROLE_RDS, FACT_INSTANCE_ID, 1, "i-forged", "");
	become_healthy();
	expect_answer(GET("/status"), "HTTP/1.1 200 OK\r\n");
	assert_null(strstr(reply, "i-forged"));
	assert_non_null(strstr(reply, "\"refused_facts\":1,\"bad_messages\":3,"));
	harness_stop(&harness);
}

static void a_restart_refuses_no_connect(void **state)
{
	static const char start[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n";
	int half, waiting, status;
	char page[512];
	ssize_t n;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	become_healthy();
	half = harness_connect(&harness);
	send(half, start, sizeof start - 1, 0);
	/* Accepted by then, since it came before this one. */
	expect_answer(GET("/healthz"), "HTTP/1.1 200 OK\r\n");
	kill(harness.pid, SIGTERM);
	send(half, "\r\n", 2, MSG_NOSIGNAL);
	n = recv(half, page, sizeof page - 1, 0);
	assert_true(n > 0);
	page[n] = '\0';
	assert_non_null(strstr(page, "200 OK"));
	close(half);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* No core runs: this connect waits in the backlog. The first answer of the next
	 * core is the true one, since it waits for its finders. */
	waiting = harness_connect(&harness);
	harness_start(&harness, CORE_EXE, &conf);
	become_healthy();
	assert_true(ask(waiting, GET("/readyz")));
	assert_memory_equal(reply, "HTTP/1.1 200 OK", 15);
	harness_stop(&harness);
}

static void leaves_in_time_with_clients_that_do_not(void **state)
{
	int64_t began_ms;
	int half, mute, status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	half = harness_connect(&harness);
	mute = harness_connect(&harness);
	send(half, "GET", 3, 0);
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	began_ms = clock_ms();
	kill(harness.pid, SIGTERM);
	assert_true(ask(mute, ""));
	assert_int_equal(reply[0], '\0');
	assert_in_range(clock_ms() - began_ms, 0, 900);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_in_range(clock_ms() - began_ms, 0, 3000);
	close(half);
}

static void a_reload_is_a_planned_end(void **state)
{
	int status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	kill(harness.pid, SIGHUP);
	assert_int_equal(waitpid(harness.pid, &status, 0), harness.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(harness.log);
	harness.log = -1;
}

/* Without a valid configuration it answers all the same, and says why. */
static void no_valid_configuration(void **state)
{
	static struct snapshot snapshot = { .why = "agent.conf:3: mount.path: expected a path" };

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	harness_stop(&harness);
	snapshot.conf = conf;
	assert_int_equal(snapshot_write(harness.config, &snapshot), 0);
	harness_start_with(&harness, CORE_EXE);
	expect_answer(GET("/healthz"), "HTTP/1.1 503 ");
	assert_true(harness_ask(&harness, ASK_STATUS, reply, sizeof reply));
	assert_non_null(strstr(reply, "configuration: agent.conf:3: mount.path: expected"));
	harness_stop(&harness);
}

/* Thousands of silent connections, and the check is answered every time. */
static void many_idle_clients(void **state)
{
	enum { IDLE = 2000 };
	static int idle[IDLE];

	(void)state;
	harness_start(&harness, CORE_EXE, &conf);
	for (int i = 0; i < IDLE; i++) {
		idle[i] = harness_connect(&harness);
		if (i % 100 == 0)
			expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	}
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < IDLE; i++) {
		if (idle[i] >= 0)
			close(idle[i]);
	}
	harness_stop(&harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(starts_judges_and_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(the_filter_is_on, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_messages_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_refuses_no_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_in_time_with_clients_that_do_not, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_reload_is_a_planned_end, setup, teardown),
		cmocka_unit_test_setup_teardown(no_valid_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(many_idle_clients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
