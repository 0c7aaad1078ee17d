/* Files: their syntax, every kind of bad one, drop-ins, and how problems are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_load.h"
#include "files.h"
#include "load.h"

static void bad_files(void **state)
{
	static const struct bad table[] = {
		{ "[health]\n\n# c\nlisen = 1.2.3.4:1\n", CONF_UNKNOWN,
		  ":4: health.lisen: unknown key" },
		{ "[helth]\nlisten = 1.2.3.4:1\n", CONF_UNKNOWN, ":1: [helth]: unknown section" },
		{ "[check]\ntype = tcp\n", CONF_UNKNOWN, "[check]: unknown section" },
		{ "[check a b]\ntype = tcp\n", CONF_UNKNOWN, "[check a b]: expected a name" },
		{ "listen = 1.2.3.4:1\n", CONF_SYNTAX, ":1: listen: expected a [section]" },
		{ "[health]\nlisten\n", CONF_SYNTAX, ":2: expected [section], key = value" },
		{ "[health\nlisten = 1.2.3.4:1\n", CONF_SYNTAX, ":1: expected ]" },
		{ "[health]\nlisten = 1.2.3.4:1\n[imds]\n[health]\nmax_connections = 20\n",
		  CONF_SYNTAX, ":4: [health]: duplicate section, first opened at line 1" },
		{ "[health]\nlisten = 1.2.3.4:1\nlisten = 1.2.3.4:2\n", CONF_SYNTAX,
		  ":3: health.listen: duplicate key, first given at line 2" },
		{ "[check a]\ntype = tcp\n[check a]\ntype = tcp\n", CONF_SYNTAX,
		  ":3: [check a]: duplicate section" },
		{ "[agent] log_level = nonsense\n", CONF_SYNTAX,
		  ":1: expected nothing after [agent] but a comment, got \"log_level = "
		  "nonsense\"" },
		{ "[agent] x # y\n", CONF_SYNTAX, ":1: expected nothing after [agent]" },
		{ "\xef\xbb\xbf[agnt]\nlog_level = info\n", CONF_UNKNOWN,
		  ":1: [agnt]: unknown section" },
		{ "[agent]\n\xef\xbb\xbf[health]\n", CONF_SYNTAX, ":2: " },
		/* an indented line must not be glued to the one above */
		{ "[hooks]\nuser = nobody\n    x\n", CONF_SYNTAX, ":3: expected [section]" },
	};

	(void)state;
	expect_bad(table, sizeof table / sizeof table[0]);
}

static void comments_and_a_byte_order_mark(void **state)
{
	struct conf conf;
	char why[600];

	(void)state;
	assert_int_equal(load("\xef\xbb\xbf[health] # here\nmax_connections = 20\n"
	                      "[imds]  ; and here\ntimeout = 2s\n[hooks]#\n",
	                      &conf, why, sizeof why),
	                 CONF_OK);
	assert_int_equal(conf.health.max_connections, 20);
	assert_int_equal(conf.imds.timeout_ms, 2000);
}

static void long_lines(void **state)
{
	static const char nets[] = "[health]\nstatus_allow = 10.100.100.0/24 10.100.101.0/24 "
	                           "10.100.102.0/24 10.100.103.0/24 10.100.104.0/24 "
	                           "10.100.105.0/24 10.100.106.0/24 10.100.107.0/24 "
	                           "10.100.108.0/24 10.100.109.0/24 10.100.110.0/24 "
	                           "10.100.111.0/24 10.100.112.0/24 10.100.113.0/24 "
	                           "10.100.114.0/24 10.100.115.0/24\n";
	static const struct {
		const char *start;
		size_t len;
		enum conf_error error;
		const char *why;
	} table[] = {
		{ "[imds]\nendpoint = http://h/", 400, CONF_OK, "" },
		{ "[imds]\nendpoint = http://h/", 600, CONF_RANGE, ":2: imds.endpoint" },
		{ "[imds]\nendpoint = http://h/", 1500, CONF_SYNTAX, ":2: line longer than 1022" },
	};
	struct conf conf;
	char text[2000], why[600];

	(void)state;
	assert_int_equal(load(nets, &conf, why, sizeof why), CONF_OK);
	assert_int_equal(conf.health.status_allow.count, LIMIT_NETS);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t at = strlen(table[i].start);

		strcpy(text, table[i].start);
		memset(text + at, 'n', table[i].len);
		strcpy(text + at + table[i].len, "\n");
		assert_int_equal(load(text, &conf, why, sizeof why), table[i].error);
		if (table[i].error)
			assert_non_null(strstr(why, table[i].why));
	}
}

static void comments_behind_a_value(void **state)
{
	static const char *const table[] = {
		"[metrics]\nname = CPU ; busy\n",
		"[metrics]\nname = CPU # busy\n",
		"[metrics]\nname = ; none\n",
		"[mount]\noptions = a,b\t;c=d\n",
	};
	struct conf conf;
	char why[600];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(load(table[i], &conf, why, sizeof why), CONF_SYNTAX);
		assert_non_null(strstr(why, "a comment needs a line of its own"));
	}
	/* Inside of a word "#" and ";" are ordinary characters. */
	assert_int_equal(load("[mount]\noptions = a;b,c#d\n", &conf, why, sizeof why), CONF_OK);
	assert_string_equal(conf.mount.options, "a;b,c#d");
}

static void binary_files(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *why;
	} table[] = {
		{ "[health]\nlisten\0 = 1.2.3.4:1\n", 29, ":2: line longer than 1022 bytes, or" },
		{ "[hooks]\nuser = a\0b", 19, ":2: line longer than 1022 bytes, or" },
		{ "[hooks]\nuser = a\x01\n", 18, ":2: hooks.user: expected" },
		/* Control characters of the file do not reach the terminal. */
		{ "[hooks]\nu\x1b[2J = a\n", 19, ":2: hooks.u?[2J: unknown key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct conf_draft *draft;

		put("agent.conf", table[i].text, table[i].len);
		draft = conf_read(main_file);
		if (!strstr(draft->problems.item[0].text, table[i].why))
			fail_msg("case %zu: got \"%s\"", i, draft->problems.item[0].text);
		conf_draft_free(draft);
	}
}

static void drop_ins_come_later_and_replace(void **state)
{
	struct conf conf;
	char why[600];

	(void)state;
	put("agent.conf.d/20-b.conf", "[health]\nmax_connections = 200\n", 31);
	put("agent.conf.d/10-a.conf", "[health]\nmax_connections = 100\n[imds]\ntimeout = 2s\n",
	    51);
	put("agent.conf.d/30-ignored", "nonsense", 8);
	assert_int_equal(load("[health]\nmax_connections = 50\n", &conf, why, sizeof why), CONF_OK);
	assert_int_equal(conf.health.max_connections, 200);
	assert_int_equal(conf.imds.timeout_ms, 2000);
	put("agent.conf.d/20-b.conf", "[health]\nmax_connections = x\n", 29);
	assert_int_equal(load("", &conf, why, sizeof why), CONF_RANGE);
	assert_non_null(strstr(why, "agent.conf.d/20-b.conf:2: health.max_connections"));
	assert_int_equal(system("rm -f /tmp/wna-conf-*/agent.conf.d/*"), 0);
}

static void a_missing_file(void **state)
{
	struct conf_draft *draft = conf_read("/nowhere/agent.conf");

	(void)state;
	assert_int_equal(draft->problems.count, 1);
	assert_int_equal(draft->problems.item[0].error, CONF_UNREADABLE);
	assert_non_null(strstr(draft->problems.item[0].text,
	                       "/nowhere/agent.conf: cannot be read: No such file"));
	conf_draft_free(draft);
}

/* The problems of every file, each with its line; not those that follow from another problem. */
static void all_problems_at_once(void **state)
{
	static const char text[] = "[helth]\n"                  /* 1 */
	                           "listen = 1.2.3.4:1\n"       /* of no section */
	                           "[health\n"                  /* 3 */
	                           "max_connections = 1\n"      /* of no section */
	                           "[imds]\n"                   /* 5 */
	                           "timeout = 5 parsecs\n"      /* 6 */
	                           "timeout = 2s\n"             /* 7 */
	                           "nonsense\n"                 /* 8 */
	                           "refresh = 2s # fast\n"      /* 9 */
	                           "[mount]\n"                  /* 10 */
	                           "enabled = yes\n"            /* 11 */
	                           "filesystem = fs-12345678\n" /* 12 */
	                           "probe_interval = 10m\n"     /* 13 */
	                           "max_age = soon\n"           /* 14 */
	                           "[database]\n"               /* 15 */
	                           "enabled = yes\n";           /* 16 */
	static const char drop_in[] = "[check a b]\n[check w]\ntype = tcp\n";
	static const char *const wanted[] = {
		"agent.conf:1: [helth]: unknown section; did you mean [health]?",
		"agent.conf:3: expected ]",
		"agent.conf:6: imds.timeout: expected a duration",
		"agent.conf:7: imds.timeout: duplicate key, first given at line 6",
		"agent.conf:8: expected [section], key = value",
		"agent.conf:9: imds.refresh: a comment needs a line of its own, got \"# fast\"",
		"agent.conf:12: mount.filesystem: unknown key; did you mean file_system?",
		"agent.conf:14: mount.max_age: expected a duration",
		"10-a.conf:1: [check a b]: expected a name",
		"10-a.conf:2: check w.address: expected ADDRESS:PORT",
		"agent.conf:15: database.endpoint: expected",
		"agent.conf:15: database.password_file: expected",
		"agent.conf:15: database.tls_ca: expected",
	};
	const size_t count = sizeof wanted / sizeof wanted[0];
	struct conf_draft *draft;

	(void)state;
	put("agent.conf", text, strlen(text));
	put("agent.conf.d/10-a.conf", drop_in, strlen(drop_in));
	draft = conf_read(main_file);
	for (size_t i = 0; i < count; i++) {
		if (!strstr(draft->problems.item[i].text, wanted[i]))
			fail_msg("%zu: got \"%s\", wanted \"%s\"", i, draft->problems.item[i].text,
			         wanted[i]);
	}
	assert_int_equal(draft->problems.count, count);
	conf_draft_free(draft);
	assert_int_equal(system("rm -f /tmp/wna-conf-*/agent.conf.d/*"), 0);
}

static void more_problems_than_are_kept(void **state)
{
	struct conf_draft *draft;
	char text[1000] = "[health]\n";

	(void)state;
	for (int i = 0; i < CONF_PROBLEMS_MAX + 3; i++)
		strcat(text, "nonsense\n");
	put("agent.conf", text, strlen(text));
	draft = conf_read(main_file);
	assert_int_equal(draft->problems.count, CONF_PROBLEMS_MAX + 3);
	assert_non_null(strstr(draft->problems.item[CONF_PROBLEMS_MAX - 1].text, ":33: "));
	conf_draft_free(draft);
}

static void the_nearest_word(void **state)
{
	static const struct {
		const char *text, *wanted;
	} table[] = {
		{ "[check w]\npaht = /\n", "w.paht: unknown key; did you mean path?" },
		{ "[check w]\ntyp = tcp\n", "w.typ: unknown key; did you mean type?" },
		{ "[check w]\nintervall = 1s\n", "did you mean interval?" },
		{ "[check w]\nmin_free_inode_percents = 1\n",
		  "did you mean min_free_inodes_percent?" },
		{ "[mount]\nFile_System = fs-12345678\n", "did you mean file_system?" },
		/* a key of another section, a word that resembles no key, a very long word */
		{ "[mount]\nurl = x\n", "mount.url: unknown key; wnactl config --keys lists" },
		{ "[health]\ncolour = red\n", "unknown key; wnactl config --keys lists" },
		{ "[health]\n = red\n", "health.: unknown key; wnactl config --keys lists" },
		{ "[health]\nlistenlistenlistenlistenlistenlistenlistenlistenlistenlisten12345 = "
		  "1\n",
		  "unknown key; wnactl config --keys lists" },
		{ "[databse]\n", "[databse]: unknown section; did you mean [database]?" },
		{ "[chek web]\n", "[chek web]: unknown section; did you mean [check NAME]?" },
		{ "[check]\n", "[check]: unknown section; did you mean [check NAME]?" },
		{ "[rds]\n", "[rds]: unknown section, expected agent, health, imds, mount, check" },
	};
	struct conf conf;
	char why[600];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(load(table[i].text, &conf, why, sizeof why), CONF_UNKNOWN);
		if (!strstr(why, table[i].wanted))
			fail_msg("got \"%s\", wanted \"%s\"", why, table[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_files),
		cmocka_unit_test(comments_and_a_byte_order_mark),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(comments_behind_a_value),
		cmocka_unit_test(binary_files),
		cmocka_unit_test(drop_ins_come_later_and_replace),
		cmocka_unit_test(a_missing_file),
		cmocka_unit_test(all_problems_at_once),
		cmocka_unit_test(more_problems_than_are_kept),
		cmocka_unit_test(the_nearest_word),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
