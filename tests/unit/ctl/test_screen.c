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

static char *show_how(int width, bool colour, bool utf8, const struct screen_how *how)
{
	struct page page;
	char *ret = NULL;
	size_t len;
	FILE *file = open_memstream(&ret, &len);

	page_init(&page, file, width, colour, utf8);
	screen_show(&page, &view, how);
	fclose(file);
	return ret;
}

static char *show(int width, bool colour, bool utf8, bool verbose)
{
	return show_how(width, colour, utf8,
	                &(struct screen_how){ .verbose = verbose, .events = 8 });
}

static char *fit(int width, int rows)
{
	struct page page;
	char *ret;

	page_init(&page, NULL, width, false, true);
	ret = screen_fit(&page, &view, false, rows);
	assert_non_null(ret);
	return ret;
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
	has(screen, "IN SERVICE for 3 h 12 min\n"
	            "/healthz 200 ok for 3 h 12 min, /readyz 200 ok for 3 h 12 min\n"
	            "web-node-agent 0.1.0, up 3 h 12 min\n"
	            "JOB         STATE");
	has(screen,
	    "database    ok            3 h 12 min   05:03:20Z     writer 10.16.6.137, 1.1 ms\n");
	has_not(screen, "next: ");
	has_not(screen, "do: ");
	has_not(screen, "  web  "); /* of three good ones */
	has_not(screen, "PROCESS");
	has_not(screen, "COUNTERS");
	has(screen, "\n05:03:24Z    3 h 12 min ago   readyz: waiting → ok\n"
	            "05:03:20Z    3 h 12 min ago   healthz: waiting → ok\n"
	            "11-22 23:59Z 8 h 15 min ago   agent: started\n");
	free(screen);
	screen = show(140, false, false, true);
	has(screen, "next: asks every 2.0 s\n");
	has(screen, "  web       ok            3 h 12 min   05:03:20Z     "
	            "GET http://127.0.0.1/health.html, 0.8 ms\n");
	has(screen, "healthz: waiting -> ok\n");
	free(screen);
}

static int count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void what_is_wrong_is_said(void **state)
{
	char *screen;

	(void)state;
	load("failover.json");
	screen = show(140, false, true, false);
	has(screen, "IN SERVICE, DEGRADED for 25 s: the node serves and is not replaced\n");
	has(screen, "/healthz 200 degraded for 3 h 12 min, /readyz 503 fail for 25 s\n");
	has(screen, "lifecycle   draining      25 s         08:15:05Z\n"
	            "    ordered by wnactl drain\n"
	            "    next: clients connected: 3; drained in 4 min 35 s at the latest\n");
	has(screen, "database    degraded      25 s         08:15:05Z     db-network\n"
	            "    db.example.com: no answer within 2.0 s\n"
	            "    next: tries again in 1.0 s or at a reload\n"
	            "    do:   Wait a minute for a failover.\n");
	assert_int_equal(count(screen, "no answer within 2.0 s"), 1);
	has(screen, "configuration: no valid one has been loaded since the boot\n"
	            "    /etc/web-node-agent/agent.conf:12: health.listen: expected ADDRESS:PORT, "
	            "got 8099\n"
	            "    do:   Run sudo wnactl check.\n");
	has(screen, "rds         not connected 1.0 s        08:15:29Z     process-old\n"
	            "    pid 814\n"
	            "    runs with another configuration\n"
	            "    do:   Wait some seconds");
	has_not(screen, "pid 813"); /* of a process without a failure */
	free(screen);
	screen = show(140, false, true, true);
	has(screen, "pid 813");
	has(screen, "requests                  1153\n");
	free(screen);
}

static void the_verdict_in_words(void **state)
{
	static const struct {
		int health, ready;
		enum verdict_level level;
		const char *words;
	} table[] = {
		{ 200, 200, LEVEL_OK, "IN SERVICE for " },
		{ 200, 503, LEVEL_DEGRADED, "IN SERVICE, DEGRADED for 25 s: " },
		{ 503, 503, LEVEL_FAIL, "OUT OF SERVICE for 3 h 12 min: " },
		{ 503, 503, LEVEL_WAITING, "NOT IN SERVICE YET for " },
		{ 503, 503, LEVEL_DRAINING, "OUT OF SERVICE, DRAINING for " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char *screen;

		load("failover.json");
		view.healthz.code = table[i].health;
		view.healthz.level = table[i].level;
		view.readyz.code = table[i].ready;
		screen = show(80, false, false, false);
		assert_int_equal(strncmp(screen, table[i].words, strlen(table[i].words)), 0);
		free(screen);
	}
}

/* A state that several jobs have is one thing to do; the events' lines do not repeat its reason. */
static void each_thing_is_said_once(void **state)
{
	char *screen;

	(void)state;
	load("starting.json");
	screen = show(100, false, true, false);
	assert_int_equal(count(screen, "do:   Wait some seconds.\n"), 1);
	assert_int_equal(count(screen, "no result yet"), 3); /* of three checks */
	free(screen);
	load("failover.json");
	snprintf(view.event[3].what, VIEW_TEXT,
	         "database: ok -> degraded after 2 h 3 min: db.example.com: no answer");
	view.event[4] = view.event[3];
	snprintf(view.event[4].what, VIEW_TEXT, "readyz: ok -> fail after 2 h 3 min: database");
	view.events = 5;
	screen = show(100, false, true, false);
	has(screen, "ago         database: ok → degraded\n");
	has_not(screen, "readyz: ok → fail");
	free(screen);
	screen = show(100, false, true, true);
	has(screen, "readyz: ok → fail after 2 h 3 min: database\n");
	free(screen);
}

/* 24 rows of 80 columns have room for the verdict and for every failure. */
static void it_fits(void **state)
{
	static const char *const files[] = { "healthy.json", "failover.json", "starting.json" };
	char *screen;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		load(files[i]);
		screen = fit(80, 24);
		assert_in_range(screen_lines(screen), 5, 24);
		has(screen, "IN SERVICE");
		free(screen);
	}
	load("healthy.json");
	screen = fit(80, 24);
	has(screen, "11-22 23:59Z");
	has(screen, "database    ok            3 h 12 min   writer 10.16.6.137, 1.1 ms\n");
	has(screen, "checks      ok            3 h 12 min   3 of 3 good\n");
	free(screen);
	/* Five jobs that fail, with long reasons. */
	load("starting.json");
	for (int i = 0; i < view.jobs; i++) {
		view.job[i].level = LEVEL_FAIL;
		memset(view.job[i].why, 'x', VIEW_TEXT - 1);
		snprintf(view.job[i].todo, VIEW_TEXT, "Mend %d", i);
	}
	view.checks = 1;
	screen = fit(80, 24);
	assert_in_range(screen_lines(screen), 20, 24);
	has(screen, "do:   Mend 4\n");
	free(screen);
}

/* Of 80 columns, beside its label. */
static void an_instruction_takes_two_lines_at_most(void **state)
{
	(void)state;
	for (int i = REASON_NONE + 1; i < REASON_MAX; i++) {
		char *screen;

		load("starting.json");
		view.jobs = 1;
		view.checks = 0;
		snprintf(view.job[0].todo, VIEW_TEXT, "%s", reason_info(i)->todo);
		screen = show(80, false, true, false);
		if (screen_lines(screen) > 8)
			fail_msg("more than two lines:\n%s", screen);
		free(screen);
	}
}

static void just_started(void **state)
{
	char *screen;

	(void)state;
	load("starting.json");
	screen = show(100, false, true, false);
	has(screen, "metrics     off\n");
	has(screen, "  web       waiting");
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
			for (int how = 0; how < 4; how++) {
				const struct screen_how shown = { how & 1, how & 2, 8 };
				char *screen = show_how(width, false, width % 2 == 0, &shown);

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
		has(screen, "db.example.com:noanswerwithin2.0s");
		has(screen, "runswithanotherconfiguration");
		has(screen, "Waitaminuteforafailover.");
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
	has(screen, "\033[33mIN SERVICE, DEGRADED\033[0m");
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
		cmocka_unit_test(the_verdict_in_words),
		cmocka_unit_test(each_thing_is_said_once),
		cmocka_unit_test(it_fits),
		cmocka_unit_test(an_instruction_takes_two_lines_at_most),
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
