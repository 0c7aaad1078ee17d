/* The status screen: its texts, its width, and no control characters from outside. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake.h"

static struct view view;

static void load(const char *name)
{
	char *text = fake_data(name);
	char why[256];

	if (view_parse(text, strlen(text), &view, why, sizeof why) != 0)
		fail_msg("%s: %s", name, why);
	free(text);
}

static char *show_detail(int width, bool colour, bool utf8, enum screen_detail detail)
{
	struct page page;
	char *ret = NULL;
	size_t len;
	FILE *file = open_memstream(&ret, &len);

	page_init(&page, file, width, colour, utf8);
	screen_show(&page, &view, detail);
	fclose(file);
	return ret;
}

static char *show(int width, bool colour, bool utf8, bool verbose)
{
	return show_detail(width, colour, utf8, verbose ? SCREEN_VERBOSE : SCREEN_NORMAL);
}

static void has(const char *screen, const char *line)
{
	if (strstr(screen, line) == NULL)
		fail_msg("\"%s\" is not on the screen:\n%s", line, screen);
}

static void has_not(const char *screen, const char *line)
{
	if (strstr(screen, line) != NULL)
		fail_msg("\"%s\" is on the screen:\n%s", line, screen);
}

static void all_is_well(void **state)
{
	char *screen;

	(void)state;
	load("healthy.json");
	screen = show(140, false, true, false);
	has(screen, "web-node-agent 0.1.0, up 3 h 12 min\n");
	has(screen, "healthz     200 ok        3 h 12 min   05:03:20Z\n");
	has(screen,
	    "database    ok            3 h 12 min   05:03:20Z     writer 10.16.6.137, 1.1 ms\n");
	has(screen, "next: asks every 2.0 s\n");
	has(screen, "web         ok            3 h 12 min   05:03:20Z     http local, 0.8 ms\n");
	has_not(screen, "PROCESS"); /* all processes run */
	has_not(screen, "COUNTERS");
	has(screen, "\n05:03:24Z    3 h 12 min ago   readyz: waiting -> ok\n"
	            "05:03:20Z    3 h 12 min ago   healthz: waiting -> ok\n"
	            "11-22 23:59Z 8 h 15 min ago   agent: started\n");
	free(screen);
}

static void what_is_wrong_is_said(void **state)
{
	char *screen;

	(void)state;
	load("failover.json");
	screen = show(140, false, true, false);
	has(screen,
	    "readyz      503 degraded  25 s         08:15:05Z     database: 10.16.6.137 does "
	    "not answer: no answer within 2.0 s\n");
	has(screen,
	    "lifecycle   draining      25 s         08:15:05Z     ordered by wnactl drain\n");
	has(screen, "next: clients connected: 3; drained in 4 min 35 s at the latest\n");
	has(screen,
	    "database    degraded      25 s         08:15:05Z     was writer 10.16.6.137\n");
	has(screen, "  10.16.6.137 does not answer: no answer within 2.0 s\n");
	has(screen, "next: resolves and asks again in 1.0 s\n");
	has(screen, "configuration no valid one has been loaded since the boot:\n");
	has(screen, "agent.conf:12: health.listen: expected ADDRESS:PORT");
	has(screen, "rds         not connected 1.0 s        08:15:29Z     pid 814\n");
	has(screen, "runs with another configuration\n");
	has_not(screen, "pid 813"); /* of a process without a failure */
	free(screen);
	screen = show(140, false, true, true);
	has(screen, "pid 813");
	has(screen, "requests                  1153\n");
	free(screen);
}

/* The line, from 1, that `what` is on. */
static int row_of(const char *screen, const char *what)
{
	const char *at = strstr(screen, what);
	int row = 1;

	if (at == NULL)
		fail_msg("\"%s\" is not on the screen:\n%s", what, screen);
	for (; screen < at; screen++)
		row += *screen == '\n';
	return row;
}

/* 24 rows of 80 columns have room for the changes, and for every failure in full. */
static void a_low_terminal(void **state)
{
	char *screen;

	(void)state;
	load("healthy.json");
	screen = show(80, false, true, false);
	assert_true(row_of(screen, "11-22 23:59Z") > 24);
	free(screen);
	screen = show_detail(80, false, true, SCREEN_SHORT);
	assert_true(row_of(screen, "11-22 23:59Z") <= 24);
	has(screen, "database    ok            3 h 12 min   writer 10.16.6.137, 1.1 ms\n");
	has(screen, "checks      ok            3 h 12 min   3 of 3 good\n");
	has_not(screen, "next: asks every 2.0 s");
	free(screen);
	/* Even with the database away, a process down and a configuration refused. */
	load("failover.json");
	screen = show_detail(80, false, true, SCREEN_SHORT);
	assert_true(row_of(screen, "database: 10.16.6.137 stopped answering") < 23);
	has(screen, "10.16.6.137 does not answer: no answer\n");
	has(screen, "  within 2.0 s\n");
	has(screen, "next: resolves and asks again in 1.0 s\n");
	free(screen);
}

static void just_started(void **state)
{
	char *screen;

	(void)state;
	load("starting.json");
	screen = show(100, false, true, false);
	has(screen, "metrics     off\n");
	has(screen, "http local\n");
	has_not(screen, "LAST CHANGES");
	free(screen);
}

static void check_page(const char *screen, int width)
{
	while (*screen != '\0') {
		size_t len = strcspn(screen, "\n");
		char line[8192];

		snprintf(line, sizeof line, "%.*s", (int)len, screen);
		if (text_cells(line, true) > width)
			fail_msg("%d of %d columns: %s", text_cells(line, true), width, line);
		screen += len + (screen[len] == '\n');
	}
}

static void never_wider_than_the_terminal(void **state)
{
	static const char *const files[] = { "healthy.json", "failover.json", "starting.json" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		load(files[i]);
		for (int width = 20; width <= 200; width++) {
			for (int detail = 0; detail < SCREEN_VERBOSE + 1; detail++) {
				char *screen = show_detail(width, false, width % 2 == 0,
				                           (enum screen_detail)detail);

				check_page(screen, width);
				free(screen);
			}
		}
	}
}

/* Narrow or wide, nothing that matters is cut away. */
static void reasons_are_whole_at_any_width(void **state)
{
	(void)state;
	load("failover.json");
	for (int width = 24; width <= 200; width += 4) {
		char *screen = show(width, false, true, false);
		char *to = screen;

		/* The words of the page without its line breaks. */
		for (const char *from = screen; *from != '\0'; from++)
			if (*from != '\n' && *from != ' ')
				*to++ = *from;
		*to = '\0';
		has(screen, "10.16.6.137doesnotanswer:noanswerwithin2.0s");
		has(screen, "runswithanotherconfiguration");
		free(screen);
	}
}

static void colours_only_if_wanted(void **state)
{
	char *screen;

	(void)state;
	load("failover.json");
	screen = show(100, false, true, true);
	assert_null(strchr(screen, '\033'));
	free(screen);
	screen = show(100, true, true, true);
	has(screen, "\033[33mdegraded\033[0m");
	has(screen, "\033[1;31m503 degraded\033[0m");
	free(screen);
}

static void nothing_steers_the_terminal(void **state)
{
	static const char evil[] = "a\\u001b[2J\\u0007\\u009b1m\\u202e\\r\\n\302\233x";
	char *text = fake_data("failover.json");
	char *step = fake_change(text, "runs with another", evil);
	char *both = fake_change(step, "i-0abcdef0123456789 in", evil);
	char why[256];
	char *screen;

	(void)state;
	assert_int_equal(view_parse(both, strlen(both), &view, why, sizeof why), 0);
	screen = show(100, false, true, true);
	for (const char *p = screen; *p != '\0'; p++)
		assert_true(*p == '\n' || (unsigned char)*p >= ' ');
	has_not(screen, "\302\233");
	has_not(screen, "\342\200\256");
	has(screen, "a?[2J");
	free(screen);
	free(both);
	free(step);
	free(text);
}

static void shape_knows_changes_from_time(void **state)
{
	uint64_t before;

	(void)state;
	load("failover.json");
	before = screen_shape(&view);
	view.now_ms += 1000;
	view.push_sent++;
	assert_true(screen_shape(&view) == before);
	view.job[3].level = LEVEL_OK;
	assert_true(screen_shape(&view) != before);
	load("failover.json");
	view.event[view.events - 1].at_ms++;
	assert_true(screen_shape(&view) != before);
	load("failover.json");
	view.error[0] = '\0';
	assert_true(screen_shape(&view) != before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_well),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_low_terminal),
		cmocka_unit_test(just_started),
		cmocka_unit_test(never_wider_than_the_terminal),
		cmocka_unit_test(reasons_are_whole_at_any_width),
		cmocka_unit_test(colours_only_if_wanted),
		cmocka_unit_test(nothing_steers_the_terminal),
		cmocka_unit_test(shape_knows_changes_from_time),
	};

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
