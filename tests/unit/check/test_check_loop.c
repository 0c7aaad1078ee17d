/* The checks together: rhythm, reports, and what a stall does to the others. */
#include "check_loop.c"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "server.h"

enum { HTTP, TCP, FILE_, COUNT };

static struct event_base *base;
static struct check_loop loop;
static struct conf_checks conf;
static struct server server, other;
static struct check_env env = { .mountinfo = "/proc/self/mountinfo", .mount_path = "" };
static struct msg said[COUNT]; /* after the newest result */
static int reports[COUNT];
static int64_t start_ms;

static void on_report(const struct check_slot *slot, int64_t found_ms, void *arg)
{
	int i = (int)(slot - loop.slot);

	assert_ptr_equal(arg, &loop);
	assert_in_range(i, 0, COUNT - 1);
	assert_in_range(found_ms, start_ms, clock_ms());
	reports[i]++;
	check_fact(slot, found_ms, &said[i]);
}

static int make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	memset(reports, 0, sizeof reports);
	memset(&server, 0, sizeof server);
	server.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	base = event_base_new();
	start_ms = clock_ms();
	memset(&other, 0, sizeof other);
	other.way = SERVER_SILENT;
	server_start(&server, base, AF_INET);
	server_start(&other, base, AF_INET);
	conf = (struct conf_checks){ .count = COUNT };
	for (int i = 0; i < COUNT; i++) {
		conf.item[i].interval_ms = 60000;
		conf.item[i].timeout_ms = 20000;
		conf.item[i].rise = conf.item[i].fall = 2;
	}
	conf.item[HTTP].type = CHECK_HTTP;
	snprintf(conf.item[HTTP].name, sizeof conf.item[HTTP].name, "web");
	conf.item[HTTP].status_min = 200;
	conf.item[HTTP].status_max = 299;
	snprintf(conf.item[HTTP].url, sizeof conf.item[HTTP].url, "http://127.0.0.1:%u/",
	         server.port);
	conf.item[TCP].type = CHECK_TCP;
	conf.item[TCP].address.port = other.port;
	net_addr_parse("127.0.0.1", &conf.item[TCP].address.addr);
	conf.item[FILE_].type = CHECK_FILE;
	snprintf(conf.item[FILE_].path, sizeof conf.item[FILE_].path, "/nonexistent/file");
	return check_loop_init(&loop, &conf, &env, base, on_report, &loop);
}

static int unmake(void **state)
{
	(void)state;
	for (int i = 0; i < COUNT; i++) {
		check_run_cancel(&loop.slot[i].run);
		event_free(loop.slot[i].run.timer);
	}
	event_free(loop.turn);
	server_stop(&server);
	server_stop(&other);
	event_base_free(base);
	return 0;
}

static void turn_until(int i, int count)
{
	while (reports[i] < count)
		event_base_loop(base, EVLOOP_ONCE);
}

static void each_reports(void **state)
{
	(void)state;
	assert_int_equal(loop.silent, COUNT);
	turn_until(HTTP, 1);
	turn_until(TCP, 1);
	turn_until(FILE_, 1);
	assert_int_equal(loop.silent, 0);
	assert_int_equal(said[HTTP].value, CHECK_GOOD);
	assert_string_equal(said[HTTP].text, "web");
	assert_string_equal(said[HTTP].why, "");
	assert_true(said[HTTP].more[CHECK_LAST] >= 0);
	assert_int_equal(said[TCP].value, CHECK_GOOD);
	/* `fall` is 2: after one failure the core keeps what an earlier process has reported. */
	assert_int_equal(said[FILE_].value, CHECK_UNDECIDED);
	/* The failed one comes again within half a second, the good ones do not. */
	turn_until(FILE_, 2);
	assert_int_equal(said[FILE_].id, FACT_CHECK);
	assert_int_equal(said[FILE_].value, CHECK_BAD);
	assert_int_equal(said[FILE_].more[CHECK_LAST], -ENOENT);
	assert_int_equal(said[FILE_].more[CHECK_RUN], 2);
	assert_string_equal(said[FILE_].why, "/nonexistent/file: no such file or directory");
	assert_int_equal(reports[HTTP], 1);
	assert_int_equal(reports[TCP], 1);
}

/* Before `fall` failures a check stays good, but the reason is reported. */
static void one_failure_is_within_the_window(void **state)
{
	struct check_result bad;

	(void)state;
	turn_until(HTTP, 1);
	check_bad(&bad, ECONNREFUSED, "connection refused");
	check_sched_start(&loop.sched, HTTP, clock_ms());
	on_done(&loop.slot[HTTP].run, &bad, &loop);
	assert_int_equal(said[HTTP].value, CHECK_GOOD);
	assert_int_equal(said[HTTP].more[CHECK_LAST], -ECONNREFUSED);
	assert_int_equal(said[HTTP].more[CHECK_RUN], 1);
	assert_string_equal(said[HTTP].why, "connection refused");
}

static void a_late_end_is_not_a_result(void **state)
{
	struct check_result bad;
	int64_t now = clock_ms();

	(void)state;
	check_bad(&bad, ETIMEDOUT, "too late");
	check_sched_start(&loop.sched, HTTP, now - 20000 - CHECK_LATE_MS - 10);
	on_done(&loop.slot[HTTP].run, &bad, &loop);
	assert_int_equal(reports[HTTP], 0);
	assert_true(check_sched_due(&loop.sched, clock_ms()) >= 0);
	/* In contrast: a result that is late by less. */
	check_sched_start(&loop.sched, TCP, now - 20000);
	on_done(&loop.slot[TCP].run, &bad, &loop);
	assert_int_equal(reports[TCP], 1);
	/* A slow disk is a result. */
	check_sched_start(&loop.sched, FILE_, now - 20000 - CHECK_LATE_MS - 10);
	on_done(&loop.slot[FILE_].run, &bad, &loop);
	assert_int_equal(reports[FILE_], 1);
}

static void a_stall_voids_those_who_waited(void **state)
{
	(void)state;
	server.way = SERVER_SILENT;
	turn_until(TCP, 1);
	while (!check_run_waits(&loop.slot[HTTP].run))
		event_base_loop(base, EVLOOP_ONCE);
	void_waiting(&loop, clock_ms());
	assert_false(check_run_waits(&loop.slot[HTTP].run));
	assert_int_equal(reports[HTTP], 0);
	assert_int_equal(reports[TCP], 1);
	/* The check is repeated at once, and this result counts. */
	server.way = SERVER_ANSWER;
	turn_until(HTTP, 1);
	assert_int_equal(said[HTTP].value, CHECK_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_reports, make, unmake),
		cmocka_unit_test_setup_teardown(one_failure_is_within_the_window, make, unmake),
		cmocka_unit_test_setup_teardown(a_late_end_is_not_a_result, make, unmake),
		cmocka_unit_test_setup_teardown(a_stall_voids_those_who_waited, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
