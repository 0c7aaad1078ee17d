/* Values: defaults, limits, the rules between them, and printed back. */
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

static void defaults(void **state)
{
	struct conf conf, plain;
	char why[600];

	(void)state;
	conf_defaults(&plain);
	assert_int_equal(load("", &conf, why, sizeof why), CONF_OK);
	assert_memory_equal(&conf, &plain, sizeof conf);
	assert_int_equal(conf.health.listen.port, 8099);
	assert_int_equal(conf.imds.token_ttl_s, 21600);
	assert_string_equal(conf.mount.path, "/var/www/html/efs");
	assert_false(conf.mount.enabled);
	assert_true(conf.metrics.enabled);
	assert_int_equal(conf.metrics.push_ms, 10000);
}

static const char full[] = "# a comment\n"
                           "[health]\n"
                           "  listen = [::]:9000   \n"
                           "status_allow = 10.16.0.0/16 127.0.0.0/8\n"
                           "\n"
                           "[check web]\n"
                           "type = http\n"
                           "url = http://127.0.0.1:8080/health.html\n"
                           "status = 200-204\n"
                           "interval = 1500ms\n"
                           "[check disk]\n"
                           "type = disk\n"
                           "path = /var\n"
                           "min_free = 500M\n"
                           "scope = local\n"
                           "[mount]\n"
                           "enabled = yes\n"
                           "file_system = fs-0123456789abcdef0\n"
                           "hang = fail\n"
                           "[database]\n"
                           "enabled = true\n"
                           "endpoint = db.example.ap-northeast-2.rds.amazonaws.com\n"
                           "password_file = /etc/web-node-agent/db.password\n"
                           "tls_ca = /etc/web-node-agent/ca.pem\n"
                           "; another comment\n"
                           "[metrics]\n"
                           "push_interval = 1m\n"
                           "resolution = 60\n";

static void a_full_file(void **state)
{
	struct conf conf;
	char why[600];

	(void)state;
	if (load(full, &conf, why, sizeof why))
		fail_msg("%s", why);
	assert_int_equal(conf.health.listen.port, 9000);
	assert_int_equal(conf.health.status_allow.count, 2);
	assert_int_equal(conf.checks.count, 2);
	assert_string_equal(conf.checks.item[0].name, "web");
	assert_int_equal(conf.checks.item[0].status_max, 204);
	assert_int_equal(conf.checks.item[0].interval_ms, 1500);
	assert_int_equal(conf.checks.item[1].type, CHECK_DISK);
	assert_int_equal(conf.checks.item[1].min_free_bytes, 500 * 1024 * 1024);
	assert_int_equal(conf.mount.hang, HANG_FAIL);
	assert_int_equal(conf.metrics.push_ms, 60000);
}

static char *print(struct conf_draft *draft)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(conf_print(draft, f), 0);
	fclose(f);
	return text;
}

static void what_is_printed_reads_back_the_same(void **state)
{
	struct conf_draft *draft;
	struct conf again;
	char why[600], *text;

	(void)state;
	put("agent.conf", full, strlen(full));
	draft = conf_read(main_file);
	assert_int_equal(draft->problems.count, 0);
	text = print(draft);
	if (load(text, &again, why, sizeof why))
		fail_msg("%s", why);
	assert_memory_equal(&draft->conf, &again, sizeof again);
	conf_draft_free(draft);
	free(text);
}

static void a_printed_value_names_its_line(void **state)
{
	static const char main_text[] = "[health]\nmax_connections = 50\n\nidle_timeout = 9s\n";
	static const char drop_in[] = "# c\n[check w]\nrise = 1\n[health]\nmax_connections = 60\n";
	struct conf_draft *draft;
	char wanted[512], *text;

	(void)state;
	put("agent.conf", main_text, strlen(main_text));
	put("agent.conf.d/10-a.conf", drop_in, strlen(drop_in));
	draft = conf_read(main_file);
	text = print(draft);
	snprintf(wanted, sizeof wanted,
	         "[health]\n# default\nlisten = 0.0.0.0:8099\nstatus_allow = \n# %s/10-a.conf:5\n"
	         "max_connections = 60\n# default\nrequest_timeout = 5s\n# %s:4\n"
	         "idle_timeout = 9s\n\n[imds]\n# default\n",
	         drop_dir, main_file);
	assert_non_null(strstr(text, wanted));
	snprintf(wanted, sizeof wanted, "\n# %s/10-a.conf:3\nrise = 1\n# default\nfall = 3\n",
	         drop_dir);
	assert_non_null(strstr(strstr(text, "\n[check w]\n"), wanted));
	conf_draft_free(draft);
	free(text);
	assert_int_equal(system("rm -f /tmp/wna-conf-*/agent.conf.d/*"), 0);
}

#define DATABASE "[database]\nenabled = yes\nendpoint = db\npassword_file = /p\ntls_ca = /ca\n"

/* agent.conf(5) shows each key with its default: a file copied from there must be valid. */
static void keys_as_the_man_page_shows_them(void **state)
{
	char why[600], *text, *file, *rest;
	struct conf conf, initial;
	size_t len, file_len;
	bool check = false;
	FILE *f, *to;
	int shown = 0;

	(void)state;
	f = open_memstream(&text, &len);
	assert_int_equal(conf_print_keys(f, true), 0);
	fclose(f);
	to = open_memstream(&file, &file_len);
	rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		char name[64], value[256] = "", section[64];

		if (sscanf(line, ".Ss [%63[^]]]", section) == 1) {
			/* Left out: a check may have only the keys of its own type. */
			check = strcmp(section, "check NAME") == 0;
			if (!check)
				fprintf(to, "[%s]\n", section);
		} else if (sscanf(line, ".It Cm %63s No = Ar %255[^\n]", name, value) >= 1) {
			shown++;
			if (!check)
				fprintf(to, "%s = %s\n", name, value);
		}
	}
	fclose(to);
	assert_true(shown > 50);
	if (load(file, &conf, why, sizeof why))
		fail_msg("%s", why);
	conf_defaults(&initial);
	assert_memory_equal(&conf, &initial, sizeof conf);
	free(file);
	free(text);
}

#define DATABASE "[database]\nenabled = yes\nendpoint = db\npassword_file = /p\ntls_ca = /ca\n"

static void values_that_are_refused(void **state)
{
	static const struct bad table[] = {
		{ "[health]\nlisten = 8099\n", CONF_RANGE,
		  ":2: health.listen: expected ADDRESS:PORT" },
		{ "[health]\nmax_connections = 0\n", CONF_RANGE, "a whole number from 16 to 4096" },
		{ "[health]\nmax_connections = 20x\n", CONF_RANGE, "got \"20x\"" },
		{ "[imds]\ntimeout = 1d\n", CONF_RANGE, "imds.timeout: expected a duration" },
		{ "[imds]\ntoken_ttl = 21601\n", CONF_RANGE, "1 to 21600" },
		{ "[imds]\nendpoint = 169.254.169.254\n", CONF_RANGE, ":2: imds.endpoint" },
		{ "[imds]\nendpoint = http://user:pw@169.254.169.254/\n", CONF_RANGE,
		  ":2: imds.endpoint" },
		{ "[imds]\nauto_scaling_group = :web\n", CONF_RANGE,
		  ":2: imds.auto_scaling_group" },
		{ "[metrics]\nregion = Seoul\n", CONF_RANGE,
		  ":2: metrics.region: expected a region such as" },
		{ "[agent]\nlog_level = loud\n", CONF_RANGE, "one of error, warning, info, debug" },
		{ "[mount]\npath = var/www\n", CONF_RANGE, "an absolute path" },
		{ "[mount]\npath = /var/../etc\n", CONF_RANGE, "an absolute path" },
		{ "[mount]\nenabled = maybe\n", CONF_RANGE, "yes or no" },
		{ "[mount]\nenabled = yes\n", CONF_MISSING, "mount.file_system: expected fs-" },
		{ "[mount]\nenabled = yes\nfile_system = fs-zz\n", CONF_RANGE,
		  ":3: mount.file_system" },
		{ "[mount]\nenabled = yes\ntype = tmpfs\n", CONF_MISSING, "mount.source" },
		{ "[mount]\nenabled = yes\nfile_system = fs-01234567\niam = yes\ntls = no\n",
		  CONF_MISSING, ":5: mount.tls" },
		{ "[check w]\ntype = http\nurl =\n", CONF_RANGE,
		  ":3: check w.url: expected http://" },
		{ "[check w]\nurl = http://web.local/h\n", CONF_RANGE,
		  ":2: check w.url: expected http://ADDRESS[:PORT]/PATH: the host must be" },
		{ "[check w]\ntype = tcp\n", CONF_MISSING, "check w.address" },
		{ "[check w]\ntype = file\npath = /a\nmax_age = 1s\n", CONF_MISSING,
		  ":4: check w.max_age: expected at least" },
		/* a tenth more than the interval, for the jitter, and what a result takes */
		{ "[check w]\ninterval = 3s\ntimeout = 50ms\nmax_age = 3599ms\n", CONF_MISSING,
		  ":4: check w.max_age: expected at least 3600ms (interval, a tenth" },
		{ "[mount]\nenabled = yes\nfile_system = fs-01234567\nprobe_interval = 10s\n"
		  "probe_timeout = 1s\nmax_age = 12249ms\n",
		  CONF_MISSING, ":6: mount.max_age: expected at least 12250ms" },
		{ DATABASE "interval = 1h\nmax_age = 20s\n", CONF_MISSING,
		  ":7: database.max_age: expected at least 3965250ms" },
		{ DATABASE "interval = 2s\ndns_timeout = 1s\ntimeout = 2s\nmax_age = 5449ms\n",
		  CONF_MISSING, ":9: database.max_age: expected at least 5450ms" },
		/* is told every 10 s */
		{ "[imds]\nmax_age = 10s\n", CONF_RANGE, ":2: imds.max_age: " },
		{ "[mount]\nenabled = yes\nfile_system = fs-01234567\n"
		  "[check d]\ntype = disk\npath = /var/www/html/efs/x\n",
		  CONF_MISSING,
		  ":6: check d.path: expected a path that is not on the shared file system" },
		{ "[database]\nenabled = yes\n", CONF_MISSING, "database.endpoint" },
		{ "[database]\nenabled = yes\nendpoint = db\n", CONF_MISSING,
		  "database.password_file" },
		{ "[database]\nenabled = yes\nendpoint = db\nauth = iam\ntls = required\n",
		  CONF_MISSING, ":5: database.tls: expected verify, which auth = iam needs" },
		{ "[database]\nenabled = yes\nendpoint = db\nauth = iam\n", CONF_MISSING,
		  "database.tls_ca" },
		{ "[database]\nenabled = yes\nendpoint = db:3306\n", CONF_RANGE,
		  ":3: database.endpoint: expected a DNS name without port" },
		{ "[metrics]\npush_interval = 20s\n", CONF_RANGE, ":2: metrics.push_interval" },
		{ "[metrics]\nnamespace = AWS/EC2\n", CONF_RANGE, ":2: metrics.namespace" },
		{ "[metrics]\nresolution = 30\n", CONF_RANGE, "1 or 60" },
		{ "[metrics]\nendpoint = https://cw.example/path\n", CONF_RANGE,
		  ":2: metrics.endpoint: expected https://HOST[:PORT]" },
		{ "[metrics]\nendpoint = http://cw.example\n", CONF_RANGE,
		  ":2: metrics.endpoint: expected https://, since plain" },
		{ "[metrics]\nendpoint = https://cw.example\nfips = yes\n", CONF_MISSING,
		  ":2: metrics.endpoint: expected nothing" },
		{ "[metrics]\nfips = yes\n[lifecycle]\nendpoint = https://as.example\n",
		  CONF_MISSING, ":4: lifecycle.endpoint: expected nothing" },
		{ "[check w]\ntype = http\nurl = http://127.0.0.1/\nstatus = 300-200\n", CONF_RANGE,
		  ":4: check w.status" },
	};

	(void)state;
	expect_bad(table, sizeof table / sizeof table[0]);
}

static void values_that_are_taken(void **state)
{
	static const char *const table[] = {
		"[metrics]\nendpoint = https://cw.example:8443/\n",
		"[metrics]\nendpoint = http://127.0.0.1:5000\n",
		"[metrics]\nendpoint = http://cw.example\nallow_http = yes\n",
		"[metrics]\nfips = yes\ndual_stack = yes\n",
		/* the defaults, and the smallest max_age that is accepted */
		"[check w]\n",
		"[mount]\nenabled = yes\nfile_system = fs-01234567\n",
		DATABASE,
		"[check w]\ninterval = 3s\ntimeout = 50ms\nmax_age = 3600ms\n",
		"[mount]\nenabled = yes\nfile_system = fs-01234567\nprobe_interval = 10s\n"
		"probe_timeout = 1s\nmax_age = 12250ms\n",
		DATABASE "interval = 2s\ndns_timeout = 1s\ntimeout = 2s\nmax_age = 5450ms\n",
		DATABASE "interval = 1h\nmax_age = 2h\n",
		"[imds]\nrefresh = 1h\nmax_age = 15s\n",
		"[imds]\nendpoint = http://[fd00:ec2::254]/\nauto_scaling_group = a web\n",
		"[imds]\nendpoint = https://mock.example:8443/base/\n",
		"[metrics]\nregion = us-gov-west-1\n",
	};
	struct conf conf;
	char why[600];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_int_equal(load(table[i], &conf, why, sizeof why), CONF_OK);
}

static void a_check_is_the_local_web_server(void **state)
{
	struct conf conf;
	char why[600];

	(void)state;
	assert_int_equal(load("[check web]\n", &conf, why, sizeof why), CONF_OK);
	assert_int_equal(conf.checks.item[0].type, CHECK_HTTP);
	assert_int_equal(conf.checks.item[0].scope, SCOPE_LOCAL);
	assert_string_equal(conf.checks.item[0].url, "http://127.0.0.1/health.html");
	assert_int_equal(conf.checks.item[0].status_min, 200);
	assert_int_equal(conf.checks.item[0].status_max, 299);
}

static void too_many_checks(void **state)
{
	char text[4000] = "", why[600];
	struct conf conf;

	(void)state;
	for (int i = 0; i < LIMIT_CHECKS + 1; i++)
		sprintf(text + strlen(text), "[check c%d]\ntype = tcp\naddress = 127.0.0.1:%d\n", i,
		        i + 1);
	assert_int_equal(load(text, &conf, why, sizeof why), CONF_RANGE);
	*strstr(text, "[check c16]") = '\0';
	assert_int_equal(load(text, &conf, why, sizeof why), CONF_OK);
	assert_int_equal(conf.checks.count, LIMIT_CHECKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(a_full_file),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(a_printed_value_names_its_line),
		cmocka_unit_test(keys_as_the_man_page_shows_them),
		cmocka_unit_test(values_that_are_refused),
		cmocka_unit_test(values_that_are_taken),
		cmocka_unit_test(a_check_is_the_local_web_server),
		cmocka_unit_test(too_many_checks),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
