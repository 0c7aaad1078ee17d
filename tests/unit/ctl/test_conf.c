/* wnactl check and config, beyond what the configuration's own tests have: exit codes,
 * what goes where, and files of certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conf_load.h"
#include "fake.h"

static struct fake fake;
static char dir[] = "/tmp/wna-ctl-conf-XXXXXX";
static char conf[64], ca[64];

static void put(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static int setup(void **state)
{
	(void)state;
	fake_prepare(&fake);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	return 0;
}

static int make(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	snprintf(conf, sizeof conf, "%s/agent.conf", dir);
	snprintf(ca, sizeof ca, "%s/ca.pem", dir);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	unlink(conf);
	unlink(ca);
	return rmdir(dir);
}

/* The command's exit code, with what it wrote in *ret_out and *ret_err. */
static int run(int (*command)(const struct ctl *, const char *), const char *text,
               const char **ret_out, const char **ret_err)
{
	int code;

	put(conf, text, strlen(text));
	rewind(fake.ctl.out);
	rewind(fake.ctl.err);
	code = command(&fake.ctl, conf);
	fputc('\0', fake.ctl.out);
	fputc('\0', fake.ctl.err);
	fflush(fake.ctl.out);
	fflush(fake.ctl.err);
	*ret_out = fake.out;
	*ret_err = fake.err;
	return code;
}

static void a_good_one(void **state)
{
	const char *out, *err;
	char wanted[128];

	(void)state;
	assert_int_equal(run(ctl_check, "[check w]\n", &out, &err), CTL_OK);
	snprintf(wanted, sizeof wanted, "%s: good\n", conf);
	assert_string_equal(out, wanted);
	assert_string_equal(err, "");
	/* A warning does not change the exit code. */
	assert_int_equal(run(ctl_check, "", &out, &err), CTL_OK);
	assert_string_equal(out, wanted);
	assert_non_null(strstr(err, ": warning: no local check"));
	assert_int_equal(run(ctl_config, "[check w]\n", &out, &err), CTL_OK);
	assert_non_null(strstr(out, "[check w]\n# default\ntype = http\n"));
}

static void the_first_problem_is_the_exit_code(void **state)
{
	static const char unknown_first[] = "[agent]\nx = 1\nlog_level = loud\n";
	static const char value_first[] = "[agent]\nlog_level = loud\nx = 1\n";
	const char *out, *err;

	(void)state;
	assert_int_equal(run(ctl_check, unknown_first, &out, &err), CONF_UNKNOWN);
	assert_string_equal(out, "");
	assert_non_null(strstr(strstr(err, ":2: agent.x: "), ":3: agent.log_level: expected"));
	assert_int_equal(run(ctl_check, value_first, &out, &err), CONF_RANGE);
	assert_int_equal(run(ctl_config, value_first, &out, &err), CONF_RANGE);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, ":3: agent.x: "));
}

static void more_problems_than_are_shown(void **state)
{
	char text[1000] = "[check w]\n";
	const char *out, *err, *line;
	int lines = 0;

	(void)state;
	for (int i = 0; i < CONF_PROBLEMS_MAX + 3; i++)
		strcat(text, "nonsense\n");
	assert_int_equal(run(ctl_check, text, &out, &err), CONF_SYNTAX);
	for (line = err; (line = strchr(line, '\n')) != NULL; line++)
		lines++;
	assert_int_equal(lines, CONF_PROBLEMS_MAX + 1);
	assert_non_null(strstr(err, "\n... and 3 more\n"));
}

static void an_answer_that_cannot_be_written(void **state)
{
	FILE *full = fopen("/dev/full", "we"), *out = fake.ctl.out;
	const char *ignored, *err;

	(void)state;
	assert_non_null(full);
	put(conf, "[check w]\n", 10);
	fake.ctl.out = full;
	assert_int_equal(ctl_check(&fake.ctl, conf), CTL_NO);
	assert_int_equal(ctl_config(&fake.ctl, conf), CTL_NO);
	assert_int_equal(ctl_config_keys(&fake.ctl, false), CTL_NO);
	fake.ctl.out = out;
	fclose(full);
	fflush(fake.ctl.err);
	assert_non_null(strstr(fake.err, "standard output: No space left"));
	assert_int_equal(run(ctl_check, "[check w]\n", &ignored, &err), CTL_OK);
}

static void certificates_are_parsed(void **state)
{
	char *good = fake_data("ca.pem"), *old = fake_data("expired.pem");
	char both[4096], half[2048], text[256], wrong_byte[2048];
	const struct {
		const char *file;
		int code;
		const char *said;
	} table[] = {
		{ good, CTL_OK, "" },
		{ both, CTL_OK, "" },
		{ old, CTL_OK, ": warning: metrics.ca_file: " },
		{ "<html>403</html>\n", CONF_UNREADABLE, "there is no PEM certificate in it" },
		{ "x", CONF_UNREADABLE, "there is no PEM certificate in it" },
		{ half, CONF_UNREADABLE, "a certificate in it cannot be parsed" },
		{ wrong_byte, CONF_UNREADABLE, "a certificate in it cannot be parsed" },
	};
	const char *out, *err;

	(void)state;
	snprintf(both, sizeof both, "# two\n%s%s", old, good);
	snprintf(half, sizeof half, "%s%.*s", good, (int)strlen(old) / 2, old);
	snprintf(wrong_byte, sizeof wrong_byte, "%s", good);
	wrong_byte[40] = '!';
	snprintf(text, sizeof text, "[check w]\n[metrics]\nca_file = %s\n", ca);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		put(ca, table[i].file, strlen(table[i].file));
		assert_int_equal(run(ctl_check, text, &out, &err), table[i].code);
		if (*table[i].said ? !strstr(err, table[i].said) : *err)
			fail_msg("case %zu: got \"%s\"", i, err);
	}
	free(good);
	free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_good_one, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_problem_is_the_exit_code, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(more_problems_than_are_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(certificates_are_parsed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
