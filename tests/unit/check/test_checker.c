/* The checks together: rhythm, reports, and what a stall does to the others. */
#include "checker.c"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "server.h"

enum { HTTP, TCP, FILE_, COUNT };

static struct event_base *base;
static struct checker checker;
static struct conf_checks conf;
static struct server server, other;
static struct check_env env = { .mountinfo = "/proc/self/mountinfo", .mount_path = "" };
static struct check_result last[COUNT];
static int reports[COUNT];
static int64_t found[COUNT];

static void on_report(int i, const struct check_result *result, int64_t found_ms, void *arg)
{
	assert_ptr_equal(arg, &checker);
	assert_in_range(i, 0, COUNT - 1);
	last[i] = *result;
	found[i] = found_ms;
	reports[i]++;
}

static int make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	memset(reports, 0, sizeof reports);
	memset(&server, 0, sizeof server);
	server.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	base = event_base_new();
	memset(&other, 0, sizeof other);
	other.way = SERVER_SILENT;
	server_start(&server, base, AF_INET);
	server_start(&other, base, AF_INET);
	conf = (struct conf_checks){ .count = COUNT };
	for (int i = 0; i < COUNT; i++) {
		conf.item[i].interval_ms = 60000;
		conf.item[i].timeout_ms = 20000;
		conf.item[i].max_age_ms = 90000;
	}
	conf.item[HTTP].type = CHECK_HTTP;
	conf.item[HTTP].status_min = 200;
	conf.item[HTTP].status_max = 299;
	snprintf(conf.item[HTTP].url, sizeof conf.item[HTTP].url, "http://127.0.0.1:%u/",
	         server.port);
	conf.item[TCP].type = CHECK_TCP;
	conf.item[TCP].address.port = other.port;
	net_addr_parse("127.0.0.1", &conf.item[TCP].address.addr);
	conf.item[FILE_].type = CHECK_FILE;
	snprintf(conf.item[FILE_].path, sizeof conf.item[FILE_].path, "/nonexistent/file");
	return checker_init(&checker, &conf, &env, base, on_report, &checker);
}

static int unmake(void **state)
{
	(void)state;
	for (int i = 0; i < COUNT; i++) {
		run_cancel(&checker.slot[i].run);
		event_free(checker.slot[i].run.timer);
	}
	event_free(checker.turn);
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
	checker_refresh(&checker, clock_ms()); /* nothing known: nothing said */
	assert_int_equal(reports[HTTP] + reports[TCP] + reports[FILE_], 0);
	turn_until(HTTP, 1);
	turn_until(TCP, 1);
	turn_until(FILE_, 1);
	assert_true(last[HTTP].value >= 0);
	assert_string_equal(last[HTTP].text, "status 200");
	assert_true(last[TCP].value >= 0);
	assert_int_equal(last[FILE_].value, -ENOENT);
	/* The failed one comes again within half a second, the good ones do not. */
	turn_until(FILE_, 2);
	assert_int_equal(reports[HTTP], 1);
	assert_int_equal(reports[TCP], 1);
}

static void refresh_repeats_what_is_young(void **state)
{
	int64_t now;

	(void)state;
	turn_until(HTTP, 1);
	now = found[HTTP];
	assert_in_range(now, clock_ms() - 1000, clock_ms());
	found[HTTP] = 0;
	memset(last, 0, sizeof last);
	checker_refresh(&checker, now + 90000);
	assert_int_equal(reports[HTTP], 2);
	assert_string_equal(last[HTTP].text, "status 200");
	assert_int_equal(found[HTTP], now); /* the same finding, and as old */
	checker_refresh(&checker, now + 90001);
	assert_int_equal(reports[HTTP], 2);
}

/* By its number each is told apart, even within a millisecond. */
static void every_result_has_a_number_of_its_own(void **state)
{
	struct check_result bad;
	int64_t before = 0;

	(void)state;
	check_bad(&bad, ENOENT, "gone");
	for (int i = 0; i < 100; i++) {
		sched_start(&checker.sched, FILE_, clock_ms());
		checker_done(&checker.slot[FILE_].run, &bad, &checker);
		assert_true(found[FILE_] > before);
		before = found[FILE_];
	}
}

static void a_late_end_is_not_a_result(void **state)
{
	struct check_result bad;
	int64_t now = clock_ms();

	(void)state;
	check_bad(&bad, ETIMEDOUT, "too late");
	sched_start(&checker.sched, HTTP, now - 20000 - SCHED_LATE_MS - 10);
	checker_done(&checker.slot[HTTP].run, &bad, &checker);
	assert_int_equal(reports[HTTP], 0);
	assert_true(sched_due(&checker.sched, clock_ms()) >= 0);
	/* The twin: late, but not as late as that. */
	sched_start(&checker.sched, TCP, now - 20000);
	checker_done(&checker.slot[TCP].run, &bad, &checker);
	assert_int_equal(reports[TCP], 1);
	/* A disk that takes long has said so itself. */
	sched_start(&checker.sched, FILE_, now - 20000 - SCHED_LATE_MS - 10);
	checker_done(&checker.slot[FILE_].run, &bad, &checker);
	assert_int_equal(reports[FILE_], 1);
}

static void a_stall_voids_those_who_waited(void **state)
{
	(void)state;
	server.way = SERVER_SILENT;
	turn_until(TCP, 1);
	while (!run_waits(&checker.slot[HTTP].run))
		event_base_loop(base, EVLOOP_ONCE);
	checker_void_waiting(&checker, clock_ms());
	assert_false(run_waits(&checker.slot[HTTP].run));
	assert_int_equal(reports[HTTP], 0);
	assert_int_equal(reports[TCP], 1);
	/* It is asked again at once, and this time heard. */
	server.way = SERVER_ANSWER;
	turn_until(HTTP, 1);
	assert_true(last[HTTP].value >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_reports, make, unmake),
		cmocka_unit_test_setup_teardown(refresh_repeats_what_is_young, make, unmake),
		cmocka_unit_test_setup_teardown(every_result_has_a_number_of_its_own, make, unmake),
		cmocka_unit_test_setup_teardown(a_late_end_is_not_a_result, make, unmake),
		cmocka_unit_test_setup_teardown(a_stall_voids_those_who_waited, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
