#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud_metric.h"

#define NL "\ncpu0 1 2 3\n"

static void test_parse(void **state)
{
	struct cpu_times t;

	(void)state;
	/* Taken from a kernel 6.1. */
	assert_true(cpu_parse("cpu  10132153 290696 3084719 46828483 16683 0 25195 7 3 2" NL, &t));
	assert_int_equal(t.busy, 10132153 + 290696 + 3084719 + 25195 + 7);
	assert_int_equal(t.idle, 46828483 + 16683);
	/* A kernel without guest times, and one of the future. */
	assert_true(cpu_parse("cpu  1 2 3 4 5 6 7 8\n", &t));
	assert_true(cpu_parse("cpu  1 2 3 4 5 6 7 8 9 10 11 12\n", &t));
	assert_true(cpu_parse("cpu  0 0 0 4 5 0 0 18446744073709551615\n", &t));
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"cpu",
		"cpu \n",
		"cpu0 1 2 3 4 5 6 7 8\n",
		"cpu  1 2 3 4 5 6 7\n",
		"cpu  1 2 3 4 5 6 7 x\n",
		"cpu  1.5 2 3 4 5 6 7 8\n",
		"<html>",
	};
	struct cpu_times t = { .busy = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (cpu_parse(bad[i], &t))
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(t.busy, 77);
}

static int busy(const char *before, const char *after)
{
	struct cpu_times a, b;
	unsigned permille;

	assert_true(cpu_parse(before, &a));
	assert_true(cpu_parse(after, &b));
	return cpu_busy(&a, &b, &permille) ? (int)permille : -1;
}

static void test_busy(void **state)
{
	(void)state;
	/*               user nice sys idle iow irq sirq steal guest */
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 0 0 0\n", "cpu  10 0 0 90 0 0 0 0 0 0\n"), 100);
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 0 0 0\n", "cpu  0 0 0 0 100 0 0 0 0 0\n"), 0);
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 0 0 0\n", "cpu  0 0 0 50 0 0 0 50 0 0\n"), 500);
	/* Guest time is in user already. */
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 0 0 0\n", "cpu  50 0 0 50 0 0 0 0 50 0\n"), 500);
	assert_int_equal(busy("cpu  5 5 5 5 5 5 5 5 0 0\n", "cpu  6 6 6 5 5 6 6 6 0 0\n"), 1000);
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 0\n", "cpu  1 0 0 1999 0 0 0 0\n"), 1);
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 0\n", "cpu  1 0 0 2001 0 0 0 0\n"), 0);
}

static void test_backwards(void **state)
{
	(void)state;
	/* iowait alone may run backwards; the sum with idle grows. */
	assert_int_equal(busy("cpu  0 0 0 100 50 0 0 0\n", "cpu  25 0 0 190 35 0 0 0\n"), 250);
	/* These give no information. */
	assert_int_equal(busy("cpu  0 0 0 100 50 0 0 0\n", "cpu  25 0 0 100 35 0 0 0\n"), -1);
	assert_int_equal(busy("cpu  9 0 0 0 0 0 0 0\n", "cpu  8 0 0 100 0 0 0 0\n"), -1);
	assert_int_equal(busy("cpu  0 0 0 0 0 0 0 9\n", "cpu  5 0 0 100 0 0 0 0\n"), -1);
	assert_int_equal(busy("cpu  5 5 5 5 5 5 5 5\n", "cpu  5 5 5 5 5 5 5 5\n"), -1);
	assert_int_equal(
	        busy("cpu  0 0 0 0 0 0 0 0\n", "cpu  18446744073709551615 0 0 1 0 0 0 0\n"), -1);
}

static char path[64];
static int fd;

static void put(unsigned user, unsigned idle)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "cpu  %u 0 0 %u 0 0 0 0 0 0\n", user, idle);

	assert_int_equal(pwrite(fd, text, (size_t)n, 0), n);
}

static int make_file(void **state)
{
	(void)state;
	strcpy(path, "/tmp/wna-stat-XXXXXX");
	fd = mkstemp(path);
	return fd < 0;
}

static int remove_file(void **state)
{
	(void)state;
	close(fd);
	unlink(path);
	return 0;
}

static void test_schedule(void **state)
{
	struct cpu cpu;
	struct cpu_sample sample;
	int64_t now = 10300;

	(void)state;
	put(0, 0);
	cpu_init(&cpu, path, now);
	assert_int_equal(cpu_deadline(&cpu), 11000);
	/* Whole seconds, without drift, however late each one is. */
	for (unsigned i = 1; i <= 600; i++) {
		now = cpu_deadline(&cpu) + i % 7;
		assert_int_equal(now / 1000, 10 + i);
		put(i * 30, i * 70);
		assert_int_equal(cpu_sample(&cpu, now, &sample), 0);
		assert_int_equal(sample.permille, 300);
	}
	/* Late by nearly a second: the next sample is not due after a few ticks only. */
	now = cpu_deadline(&cpu) + 900;
	put(601 * 30, 601 * 70);
	assert_int_equal(cpu_sample(&cpu, now, &sample), 0);
	assert_in_range(sample.span_ms, 1890, 1910);
	assert_int_equal(cpu_deadline(&cpu), now + 1100);
	cpu_fini(&cpu);
}

static void test_no_information(void **state)
{
	struct cpu cpu;
	struct cpu_sample sample = { .permille = 5 };

	(void)state;
	put(100, 100);
	cpu_init(&cpu, path, 0);
	put(50, 150); /* user ran backwards */
	assert_int_equal(cpu_sample(&cpu, 1000, &sample), -EAGAIN);
	assert_int_equal(sample.permille, 5);
	put(60, 240); /* started anew from there */
	assert_int_equal(cpu_sample(&cpu, 2000, &sample), 0);
	assert_int_equal(sample.permille, 100);
	assert_int_equal(sample.span_ms, 1000);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(cpu_sample(&cpu, 3000, &sample), -EBADMSG);
	put(60, 300);
	assert_int_equal(cpu_sample(&cpu, 4000, &sample), -EAGAIN);
	put(160, 300);
	assert_int_equal(cpu_sample(&cpu, 5000, &sample), 0);
	assert_int_equal(sample.permille, 1000);
	cpu_fini(&cpu);
	cpu_init(&cpu, "/nonexistent/stat", 0);
	assert_int_equal(cpu_sample(&cpu, 1000, &sample), -ENOENT);
	cpu_fini(&cpu);
}

/* The kernel's own file. */
static void test_real(void **state)
{
	struct cpu cpu;

	(void)state;
	cpu_init(&cpu, "/proc/stat", 0);
	assert_true(cpu.has_base);
	cpu_fini(&cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test_setup_teardown(test_schedule, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_no_information, make_file, remove_file),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
