/* What the machine says of a configuration: secrets, certificates, paths, users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf.h"
#include "files.h"

static char mountinfo[128];
static struct conf_problem problem;

/* "@" is the test's folder. Returns static storage. */
static const char *in_dir(const char *text)
{
	static char out[4000];
	size_t len = 0;

	for (; *text; text++) {
		if (*text == '@')
			len += (size_t)snprintf(out + len, sizeof out - len, "%s", dir);
		else
			out[len++] = *text;
	}
	out[len] = '\0';
	return out;
}

static void put_text(const char *name, const char *text)
{
	text = in_dir(text);
	put(name, text, strlen(text));
}

static void put_mounts(const char *lines)
{
	char text[1000];

	snprintf(text, sizeof text, "26 1 8:1 / / rw - ext4 a rw\n%s", lines);
	put_text("mountinfo", text);
}

/* Reads the configuration and looks at the machine, as `wnad -t` does. */
static enum conf_error look(const char *text)
{
	struct conf_origins *origins = NULL;
	struct conf conf;
	enum conf_error error;

	put_text("agent.conf", text);
	if (conf_load(main_file, &conf, &origins, &problem) != CONF_OK)
		fail_msg("%s", problem.text);
	error = conf_check_machine(&conf, origins, mountinfo, &problem);
	if (!error)
		error = conf_check_users(&conf, origins, &problem);
	assert_int_equal(error, problem.error);
	conf_origins_free(origins);
	return error;
}

/* The problem is blamed on that line of agent.conf, and says so. */
static void says(int line, const char *what)
{
	char start[160];

	if (line > 0)
		snprintf(start, sizeof start, "%s:%d: ", main_file, line);
	else
		snprintf(start, sizeof start, "%s: ", main_file);
	if (strncmp(problem.text, start, strlen(start)) != 0 || !strstr(problem.text, what))
		fail_msg("got \"%s\", wanted \"%s...%s\"", problem.text, start, what);
}

#define DATABASE                                                                                   \
	"[database]\nenabled = yes\nendpoint = db\npassword_file = @/password\n"                   \
	"tls_ca = @/ca.pem\n"

static void secrets_must_be_closed(void **state)
{
	static const struct {
		mode_t mode;
		enum conf_error error;
	} table[] = { { 0600, CONF_OK },
		      { 0400, CONF_OK },
		      { 0640, CONF_SECRET },
		      { 0604, CONF_SECRET },
		      { 0666, CONF_SECRET } };
	char path[128];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof path, "%s/password", dir);
	put_text("ca.pem", "a certificate\n");
	assert_int_equal(look(DATABASE), CONF_SECRET);
	says(4, "/password: no such file");
	put_text("password", "secret\n");
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(chmod(path, table[i].mode), 0);
		assert_int_equal(look(DATABASE), table[i].error);
	}
	says(4, "database.password_file: expected a regular file of root's with mode 0600, got ");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chown(path, 65534, 0), 0);
	assert_int_equal(look(DATABASE), CONF_SECRET);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(look(DATABASE), CONF_OK);
	put_text("password", "");
	assert_int_equal(look(DATABASE), CONF_SECRET);
	says(4, "it is empty");
	put_text("password", "secret\n");
	assert_int_equal(symlink("password", in_dir("@/link")), 0);
	assert_int_equal(look("[metrics]\ncredentials_file = @/link\n"), CONF_SECRET);
	says(2, "metrics.credentials_file: ");
	assert_int_equal(look("[metrics]\ncredentials_file = @/password\n"), CONF_OK);
	assert_int_equal(look("[metrics]\nenabled = no\ncredentials_file = @/link\n"), CONF_OK);
}

/* The file is there, so only mountinfo can have kept it from being looked at. */
static void secrets_must_be_local(void **state)
{
	char password[128];

	(void)state;
	if (geteuid() != 0)
		skip();
	put_text("password", "secret\n");
	put_text("ca.pem", "a certificate\n");
	assert_int_equal(chmod(in_dir("@/password"), 0600), 0);
	assert_int_equal(look(DATABASE), CONF_OK);
	put_mounts("27 26 0:9 / @/password rw - fuse x rw\n");
	assert_int_equal(look(DATABASE), CONF_SECRET);
	says(4, "not touched");
	/* A link on the way to it, and the folder it leads to. */
	assert_int_equal(mkdir(in_dir("@/far"), 0755), 0);
	snprintf(password, sizeof password, "%s/password", dir);
	assert_int_equal(rename(password, in_dir("@/near")), 0);
	assert_int_equal(symlink("far", in_dir("@/way")), 0);
	put_text("far/password", "secret\n");
	assert_int_equal(chmod(in_dir("@/far/password"), 0600), 0);
	put_mounts("");
	assert_int_equal(look("[metrics]\ncredentials_file = @/way/password\n"), CONF_OK);
	put_mounts("27 26 0:9 / @/far rw - fuse.x x rw\n");
	assert_int_equal(look("[metrics]\ncredentials_file = @/way/password\n"), CONF_SECRET);
	says(2, "/far is on a network file system (fuse.x)");
	put_mounts("");
}

static void certificates_must_be_readable(void **state)
{
	char ca[128];

	(void)state;
	if (geteuid() != 0)
		skip();
	put_text("password", "secret\n");
	assert_int_equal(chmod(in_dir("@/password"), 0600), 0);
	snprintf(ca, sizeof ca, "%s/ca.pem", dir);
	unlink(ca);
	assert_int_equal(look(DATABASE), CONF_UNREADABLE);
	says(5, "database.tls_ca: expected a file of certificates that user wna-rds can read");
	assert_int_equal(look(DATABASE "tls = required\n"), CONF_OK);
	put_text("ca.pem", "");
	assert_int_equal(look(DATABASE), CONF_UNREADABLE);
	says(5, "it is empty");
	put_text("ca.pem", "a certificate\n");
	assert_int_equal(look(DATABASE), CONF_OK);
	assert_int_equal(chmod(ca, 0600), 0);
	assert_int_equal(look(DATABASE), CONF_UNREADABLE);
	says(5, "its mode forbids it");
	assert_int_equal(look("[metrics]\nca_file = @/ca.pem\n"), CONF_UNREADABLE);
	says(2, "metrics.ca_file: expected a file of certificates that user wna-cloud can read");
	assert_int_equal(chmod(ca, 0644), 0);
	assert_int_equal(look("[metrics]\nca_file = @/ca.pem\n"), CONF_OK);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(look(DATABASE), CONF_UNREADABLE);
	says(5, "a folder on the way");
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(look("[metrics]\nca_file = @\n"), CONF_UNREADABLE);
	says(2, "not a regular file");
}

#define DISK(path) "[check d]\ntype = disk\npath = " path "\n"

static void checks_must_be_local(void **state)
{
	(void)state;
	put_mounts("27 26 0:9 / /data rw - nfs4 s:/ rw\n");
	assert_int_equal(look(DISK("/data/x")), CONF_VALUE);
	says(3, "check d.path: expected a path on a local file system, got /data/x: not touched");
	assert_int_equal(look(DISK("/database")), CONF_OK);
	/* By a link, which is a local thing itself. */
	assert_int_equal(symlink("/data", in_dir("@/data")), 0);
	assert_int_equal(look(DISK("@/data/x")), CONF_VALUE);
	says(3, "/data is on a network file system (nfs4)");
	assert_int_equal(look("[check d]\ntype = process\nprocess = x\npath = @/data/x\n"),
	                 CONF_OK);
	/* Where the shared file system will be, mounted or not. */
	assert_int_equal(symlink("/srv/shared", in_dir("@/shared")), 0);
	assert_int_equal(look(DISK("@/shared/x")), CONF_OK);
	assert_int_equal(look(DISK("@/shared/x") "[mount]\nenabled = yes\npath = /srv/shared\n"
	                                         "type = tmpfs\nsource = none\n"),
	                 CONF_VALUE);
	says(3, "/srv/shared is on the shared file system");
	/* What is not there may come. */
	assert_int_equal(look(DISK("@/not/yet")), CONF_OK);
	put_text("mountinfo", "nonsense\n");
	assert_int_not_equal(look(DISK("@")), CONF_OK);
	put_mounts("");
}

static void the_origin_is_the_last_file(void **state)
{
	(void)state;
	put_text("agent.conf.d/10-a.conf", "\n[check d]\n\npath = /data\n");
	put_mounts("27 26 0:9 / /data rw - nfs4 s:/ rw\n");
	assert_int_equal(look(DISK("/")), CONF_VALUE);
	assert_non_null(strstr(problem.text, "/agent.conf.d/10-a.conf:4: check d.path: "));
	assert_int_equal(unlink(in_dir("@/agent.conf.d/10-a.conf")), 0);
	put_mounts("");
}

static void hooks_need_their_user(void **state)
{
	(void)state;
	assert_int_equal(look("[hooks]\nenabled = yes\nuser = no-such-user\n"), CONF_VALUE);
	says(3, "hooks.user: expected a user of this machine, got no-such-user: it does not exist");
	assert_int_equal(look("[hooks]\nenabled = no\nuser = no-such-user\n"), CONF_OK);
	assert_int_equal(look("[hooks]\nenabled = yes\nuser = root\n"), CONF_OK);
}

static void a_node_without_checks_is_remarked(void **state)
{
	struct conf conf;

	(void)state;
	conf_defaults(&conf);
	assert_non_null(strstr(conf_remark(&conf), "no local check"));
	conf.checks.count = 1;
	conf.checks.item[0].scope = SCOPE_SHARED;
	assert_non_null(conf_remark(&conf));
	conf.checks.item[0].scope = SCOPE_LOCAL;
	assert_null(conf_remark(&conf));
}

static int make(void **state)
{
	if (make_dir(state) < 0)
		return -1;
	snprintf(mountinfo, sizeof mountinfo, "%s/mountinfo", dir);
	put_mounts("");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_must_be_closed),
		cmocka_unit_test(secrets_must_be_local),
		cmocka_unit_test(certificates_must_be_readable),
		cmocka_unit_test(checks_must_be_local),
		cmocka_unit_test(the_origin_is_the_last_file),
		cmocka_unit_test(hooks_need_their_user),
		cmocka_unit_test(a_node_without_checks_is_remarked),
	};

	return cmocka_run_group_tests(tests, make, remove_dir);
}
