/* A configuration against the machine: secrets, certificates, paths, users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf_load.h"
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

/* Reads the configuration and looks at the machine, as `wnactl check` does. */
static enum conf_error look(const char *text)
{
	struct conf_draft *draft;

	put_text("agent.conf", text);
	draft = conf_read(main_file);
	if (draft->problems.count)
		fail_msg("%s", draft->problems.item[0].text);
	conf_check_machine(draft, mountinfo, NULL);
	problem = draft->problems.item[0];
	conf_draft_free(draft);
	return problem.error;
}

/* The problem's text begins with this line of agent.conf, and contains `what`. */
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
	} table[] = { { 0600, CONF_OK },     { 0400, CONF_OK },     { 0640, CONF_OK },
		      { 0660, CONF_SECRET }, { 0604, CONF_SECRET }, { 0666, CONF_SECRET } };
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
	says(4,
	     "database.password_file: expected a regular file root:wna-rds with mode 0640, got ");
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

/* The file exists and is good: if it is refused, mountinfo is the reason. */
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
	says(5, "may not enter a folder above it");
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(look("[metrics]\nca_file = @\n"), CONF_UNREADABLE);
	says(2, "not a regular file");
}

#define DISK(path) "[check d]\ntype = disk\npath = " path "\n"

static void checks_must_be_local(void **state)
{
	(void)state;
	put_mounts("27 26 0:9 / /data rw - nfs4 s:/ rw\n");
	assert_int_equal(look(DISK("/data/x")), CONF_RANGE);
	says(3, "check d.path: expected a path on a local file system, got /data/x: not touched");
	assert_int_equal(look(DISK("/database")), CONF_OK);
	/* A local link that leads to the network file system. */
	assert_int_equal(symlink("/data", in_dir("@/data")), 0);
	assert_int_equal(look(DISK("@/data/x")), CONF_RANGE);
	says(3, "/data is on a network file system (nfs4)");
	assert_int_equal(look("[check d]\ntype = process\nprocess = x\npath = @/data/x\n"),
	                 CONF_OK);
	/* Where the shared file system will be, mounted or not. */
	assert_int_equal(symlink("/srv/shared", in_dir("@/shared")), 0);
	assert_int_equal(look(DISK("@/shared/x")), CONF_OK);
	assert_int_equal(look(DISK("@/shared/x") "[mount]\nenabled = yes\npath = /srv/shared\n"
	                                         "type = tmpfs\nsource = none\n"),
	                 CONF_RANGE);
	says(3, "/srv/shared is on the shared file system");
	/* A missing file is no problem: it may be made later. */
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
	assert_int_equal(look(DISK("/")), CONF_RANGE);
	assert_non_null(strstr(problem.text, "/agent.conf.d/10-a.conf:4: check d.path: "));
	assert_int_equal(unlink(in_dir("@/agent.conf.d/10-a.conf")), 0);
	put_mounts("");
}

#define MOUNT "[mount]\nenabled = yes\nfile_system = fs-01234567\ntype = nfs4\ntls = no\n"

/* AWS's tutorial makes /var/www writable for the web server's group. */
static void the_way_to_the_mount_is_roots(void **state)
{
	char path[128], link[160];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof path, "%s/www", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(look(MOUNT "path = @/www/html/efs\n"), CONF_OK);
	assert_int_equal(chmod(path, 02775), 0);
	assert_int_equal(chown(path, 0, 1), 0);
	assert_int_equal(look(MOUNT "path = @/www/html/efs\n"), CONF_RANGE);
	says(6, "/www is of user root, group daemon, mode 2775: it must be root's and writable by "
	        "nobody else");
	assert_int_equal(look(MOUNT "path = @/www\n"), CONF_OK);
	/* A network file system is not looked at, nor is the path if the mount is switched off. */
	put_mounts(in_dir("27 26 0:9 / @/www rw - nfs4 s:/ rw\n"));
	assert_int_equal(look(MOUNT "path = @/www/html/efs\n"), CONF_OK);
	put_mounts("");
	assert_int_equal(look("[mount]\nenabled = no\npath = @/www/html/efs\n"), CONF_OK);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(look(MOUNT "path = @/www/html/efs\n"), CONF_RANGE);
	assert_int_equal(chown(path, 0, 0), 0);
	snprintf(link, sizeof link, "%s/site", dir);
	assert_int_equal(symlink("www", link), 0);
	assert_int_equal(look(MOUNT "path = @/site/efs\n"), CONF_RANGE);
	says(6, "/site is or is below a symbolic link");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(path), 0);
}

static void hooks_need_their_user(void **state)
{
	(void)state;
	assert_int_equal(look("[hooks]\nenabled = yes\nuser = no-such-user\n"), CONF_RANGE);
	says(3, "hooks.user: expected a user of this machine, got no-such-user: it does not exist");
	assert_int_equal(look("[hooks]\nenabled = no\nuser = no-such-user\n"), CONF_OK);
	assert_int_equal(look("[hooks]\nenabled = yes\nuser = root\n"), CONF_OK);
}

static void what_is_hardly_meant(void **state)
{
	static const struct {
		const char *text;
		const char *remarks[3];
	} table[] = {
		{ "[check w]\n", { NULL } },
		{ "", { "agent.conf: warning: no local check is configured" } },
		{ "[check w]\nscope = shared\n", { "agent.conf: warning: no local check" } },
		{ "[check w]\nstatus = 200-399\n",
		  { ":2: warning: check w.status: a redirect, wherever it leads, counts as "
		    "healthy" } },
		{ "[check w]\nstatus = 404\n",
		  { ":2: warning: check w.status: an error of the web server counts as healthy" } },
		{ "[check w]\ntype = tcp\naddress = 127.0.0.1:80\nstatus = 200-204\nhost = x\n",
		  { ":5: warning: check w.host: it has no effect: the check's type is tcp",
		    ":4: warning: check w.status: it has no effect" } },
		{ "[check d]\npath = /var\nmin_free = 1G\n",
		  { ":2: warning: check d.path: it has no effect: the check's type is http",
		    ":3: warning: check d.min_free: it has no effect" } },
		{ "[check d]\ntype = disk\npath = /\nmin_free = 1G\n", { NULL } },
		{ "[check w]\n[mount]\nenabled = no\nfile_system = fs-01234567\n",
		  { ":4: warning: mount.file_system: it has no effect: mount.enabled is no" } },
		{ "[check w]\n[database]\nendpoint = db\n",
		  { ":3: warning: database.endpoint: it has no effect: database.enabled is no" } },
		{ "[check w]\n[database]\nenabled = yes\nendpoint = db\npassword_file = /p\n"
		  "tls_ca = /ca\ntls = required\n",
		  { ":6: warning: database.tls_ca: it has no effect: database.tls is not "
		    "verify" } },
		{ "[check w]\n[database]\nenabled = yes\nendpoint = db\npassword_file = /p\n"
		  "tls_ca = /ca\nauth = iam\n",
		  { ":5: warning: database.password_file: it has no effect: database.auth is "
		    "iam" } },
	};

	FILE *file;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct conf_draft *draft;
		int n = 0;

		put_text("agent.conf", table[i].text);
		draft = conf_read(main_file);
		assert_int_equal(draft->problems.count, 0);
		conf_check_meaning(draft);
		for (; n < 3 && table[i].remarks[n]; n++) {
			if (!strstr(draft->remarks.item[n].text, table[i].remarks[n]))
				fail_msg("case %zu: got \"%s\", wanted \"%s\"", i,
				         draft->remarks.item[n].text, table[i].remarks[n]);
		}
		assert_int_equal(draft->remarks.count, n);
		assert_int_equal(draft->problems.count, 0);
		/* A printed configuration gives all keys; this causes no further remarks. */
		file = fopen(main_file, "w");
		assert_int_equal(conf_print(draft, file), 0);
		fclose(file);
		conf_draft_free(draft);
		draft = conf_read(main_file);
		conf_check_meaning(draft);
		assert_int_equal(draft->remarks.count, n);
		conf_draft_free(draft);
	}
}

/* The warnings depend on whether this machine has the helper. */
static void tls_needs_the_helper(void **state)
{
	static const char mount[] =
	        "[check w]\n[mount]\nenabled = yes\nfile_system = fs-01234567\n";
	static const struct {
		const char *more, *wanted;
	} table[] = {
		{ "tls = yes\n", ":5: warning: mount.tls: tls = yes needs amazon-efs-utils" },
		{ "type = efs\ntls = no\n", ":5: warning: mount.type: efs needs amazon-efs-utils" },
		{ "", ":2: warning: mount.tls: tls = yes needs amazon-efs-utils" },
		{ "tls = no\n", NULL },
		{ "type = nfs4\n", NULL },
	};
	bool installed = access("/sbin/mount.efs", X_OK) == 0;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct conf_draft *draft;
		char text[200];

		snprintf(text, sizeof text, "%s%s", mount, table[i].more);
		put_text("agent.conf", text);
		draft = conf_read(main_file);
		conf_check_meaning(draft);
		assert_int_equal(draft->remarks.count, table[i].wanted && !installed);
		if (draft->remarks.count)
			assert_non_null(strstr(draft->remarks.item[0].text, table[i].wanted));
		conf_draft_free(draft);
	}
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
		cmocka_unit_test(the_way_to_the_mount_is_roots),
		cmocka_unit_test(hooks_need_their_user),
		cmocka_unit_test(what_is_hardly_meant),
		cmocka_unit_test(tls_needs_the_helper),
	};

	return cmocka_run_group_tests(tests, make, remove_dir);
}
