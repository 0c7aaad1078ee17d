/*
 * What only the whole wna-core shows: the filter, the control socket with real
 * credentials, and that starts and ends lose no answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "conf_load.h"
#include "harness.h"
#include "verdict.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

enum { PATIENCE_MS = 10000, NOBODY = 65534 };

static struct harness harness;
static struct conf conf;
static char reply[256 * 1024];

static int setup(void **state)
{
	(void)state;
	conf_defaults(&conf);
	conf.metrics.enabled = false;
	conf.health.max_connections = 32;
	harness_open(&harness, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_close(&harness);
	return 0;
}

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

static void become_healthy(void)
{
	struct order order;

	harness_fact(&harness, ROLE_CLOUD, FACT_IMDS, 0, IMDS_OK, "", "");
	harness_fact(&harness, ROLE_CLOUD, FACT_INSTANCE_ID, 0, 1, "i-0abc", "");
	do {
		assert_true(harness_order(&harness, ORDER_VERDICT, PATIENCE_MS, &order));
	} while (order.arg != LEVEL_OK);
}

static void starts_judges_and_leaves(void **state)
{
	struct order order;
	int status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	assert_true(harness_order(&harness, ORDER_REFRESH, PATIENCE_MS, &order));
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	expect_answer(GET("/readyz"), "HTTP/1.1 503 ");
	become_healthy();
	expect_answer(GET("/readyz"), "HTTP/1.1 200 OK\r\n");
	expect_answer(GET("/healthz"), "HTTP/1.1 200 OK\r\n");
	expect_answer(GET("/status"), "HTTP/1.1 200 OK\r\n");
	assert_non_null(strstr(reply, "\"text\":\"i-0abc\""));
	assert_true(harness_order(&harness, ORDER_TELL, PATIENCE_MS, &order));
	assert_int_equal(order.arg, ROLE_CLOUD);
	assert_int_equal(order.key, TELL_HEALTHY);
	assert_true(harness_order(&harness, ORDER_BEAT, PATIENCE_MS, &order));
	assert_true(harness_order(&harness, ORDER_BEAT, PATIENCE_MS, &order));
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
	struct order order;
	int status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	assert_int_equal(proc_status("Seccomp"), 2);
	assert_int_equal(proc_status("NoNewPrivs"), 1);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* The same program, but for one openat after the start. */
	harness_start(&harness, CORE_OPENAT_EXE, &conf, 0);
	while (harness_order(&harness, ORDER_BEAT, PATIENCE_MS, &order))
		;
	status = harness_stop(&harness);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void malformed_messages_are_dropped(void **state)
{
	struct envelope envelope;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	memset(&envelope, 0xff, sizeof envelope);
	send(harness.wnad, &envelope, sizeof envelope, 0);
	send(harness.wnad, "short", 5, 0);
	harness_fact(&harness, ROLE_RDS, FACT_INSTANCE_ID, 0, 1, "i-forged", "");
	become_healthy();
	expect_answer(GET("/status"), "HTTP/1.1 200 OK\r\n");
	assert_null(strstr(reply, "i-forged"));
	assert_non_null(strstr(reply, "\"refused_facts\":1,\"bad_messages\":2,"));
	harness_stop(&harness);
}

static void a_planned_restart_refuses_nobody(void **state)
{
	static const char start[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n";
	int half, waiting, status;
	char page[512];
	ssize_t n;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	become_healthy();
	half = harness_connect(&harness);
	send(half, start, sizeof start - 1, 0);
	/* Held by then, since it came before this one. */
	expect_answer(GET("/healthz"), "HTTP/1.1 200 OK\r\n");
	shutdown(harness.wnad, SHUT_WR);
	/* Its stopping to accept is seen by connecting until nobody answers. */
	send(half, "\r\n", 2, MSG_NOSIGNAL);
	n = recv(half, page, sizeof page - 1, 0);
	assert_true(n > 0);
	page[n] = '\0';
	assert_non_null(strstr(page, "200 OK"));
	close(half);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* Nobody is there: this one waits in the backlog, and the next core, which
	 * is told that all was well, answers it so before any fact has come. */
	waiting = harness_connect(&harness);
	harness_start(&harness, CORE_EXE, &conf, 1 + LEVEL_OK);
	assert_true(ask(waiting, GET("/healthz")));
	assert_memory_equal(reply, "HTTP/1.1 200 OK", 15);
	harness_stop(&harness);
}

static void close_line(void)
{
	close(harness.wnad);
	harness.wnad = -1;
}

/* Whoever was accepted before the handover and has had no answer gets it from the
 * one that leaves, though it comes a while later. */
static void the_one_that_leaves_answers_who_has_connected(void **state)
{
	static const char head[] = "GET /livez HTTP/1.1\r\n";
	static const char whole[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
	int late, half, kept, status;
	char byte;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	late = harness_connect(&harness);
	half = harness_connect(&harness);
	send(half, head, strlen(head), 0);
	kept = harness_connect(&harness);
	send(kept, whole, strlen(whole), 0);
	assert_true(recv(kept, reply, sizeof reply, 0) > 0);
	close_line();
	/* Closed at once: so the end has begun. */
	assert_int_equal(recv(kept, &byte, 1, 0), 0);
	close(kept);
	assert_true(ask(half, "Host: a\r\n\r\n"));
	assert_memory_equal(reply, "HTTP/1.1 200 OK", 15);
	assert_true(ask(late, GET("/livez")));
	assert_memory_equal(reply, "HTTP/1.1 200 OK", 15);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void leaves_in_time_with_clients_that_do_not(void **state)
{
	int64_t began_ms;
	int half, mute, status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	half = harness_connect(&harness);
	mute = harness_connect(&harness);
	send(half, "GET", 3, 0);
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	began_ms = clock_ms();
	close_line();
	/* What wnad does when it has waited for long enough. */
	kill(harness.pid, SIGTERM);
	assert_true(ask(mute, ""));
	assert_int_equal(reply[0], '\0');
	assert_in_range(clock_ms() - began_ms, 0, 900);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_in_range(clock_ms() - began_ms, 0, 3000);
	close(half);
}

static void sigterm_is_a_planned_end(void **state)
{
	int status;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	expect_answer(GET("/livez"), "HTTP/1.1 200 OK\r\n");
	kill(harness.pid, SIGTERM);
	status = harness_stop(&harness);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void control_answers_and_orders(void **state)
{
	struct order order;

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
	harness_fact(&harness, ROLE_WNAD, FACT_CONF, 0, 3, "agent.conf", "");
	harness_fact(&harness, ROLE_WNAD, FACT_TRIES, 0, 4, "", "");
	become_healthy();
	assert_true(ask(harness_connect_control(&harness), "status\n"));
	assert_memory_equal(reply, "{\"version\":", 11);
	assert_non_null(strstr(reply, "\"tries\":4,\"loads\":3"));
	assert_true(ask(harness_connect_control(&harness), "format the disk\n"));
	assert_memory_equal(reply, "{\"ok\":false", 11);
	if (geteuid() == 0) {
		assert_true(ask(harness_connect_control(&harness), "reload\n"));
		assert_string_equal(reply, "{\"ok\":true,\"tries\":4}\n");
		assert_true(harness_order(&harness, ORDER_RELOAD, PATIENCE_MS, &order));
	}
	harness_stop(&harness);
}

/* In a child, which is another user: may look, may not change. */
static int as_nobody(void)
{
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 1;
	if (!ask(harness_connect_control(&harness), "reload\n") ||
	    strcmp(reply, "{\"ok\":false,\"error\":\"only root may reload\"}\n") != 0)
		return 2;
	if (!ask(harness_connect_control(&harness), "status\n") ||
	    strncmp(reply, "{\"version\":", 11) != 0)
		return 3;
	return 0;
}

static void only_root_reloads(void **state)
{
	struct order order;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	harness_start(&harness, CORE_EXE, &conf, 0);
	harness_fact(&harness, ROLE_WNAD, FACT_TRIES, 0, 1, "", "");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* Everything it was going to order before this one has been passed over. */
	assert_true(ask(harness_connect_control(&harness), "reload\n"));
	assert_true(harness_order(&harness, ORDER_RELOAD, PATIENCE_MS, &order));
	assert_false(harness_order(&harness, ORDER_RELOAD, 200, &order));
	harness_stop(&harness);
}

/* Thousands of silent connections, and the check is answered every time. */
static void many_idle_clients(void **state)
{
	enum { IDLE = 2000 };
	static int idle[IDLE];

	(void)state;
	harness_start(&harness, CORE_EXE, &conf, 0);
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
		cmocka_unit_test_setup_teardown(malformed_messages_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_planned_restart_refuses_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(the_one_that_leaves_answers_who_has_connected,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_in_time_with_clients_that_do_not, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(sigterm_is_a_planned_end, setup, teardown),
		cmocka_unit_test_setup_teardown(control_answers_and_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(only_root_reloads, setup, teardown),
		cmocka_unit_test_setup_teardown(many_idle_clients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
