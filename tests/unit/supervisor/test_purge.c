/* wnad --purge: what goes, what stays. The whole is in tests/system/test_removal.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "purge.h"

#define PAGE                                                                                       \
	"host = \"db.example.com\"\nport = \"3306\"\nca = \"/etc/ca.pem\"\ndatabase = \"app\"\n"   \
	"user = \"page_0123abcd\"\npassword = \"Wn1-x_Y-z\"\n"
#define DROP_IN                                                                                    \
	"# By web-node-agent-database.service\n[database]\nuser = wna_0123abcd\n"                  \
	"password_file = /etc/web-node-agent/db.password.0123abcd\n"

static char dir[32];

static const char *at(const char *name)
{
	static char path[2][160];
	static unsigned turn;

	snprintf(path[++turn % 2], sizeof path[0], "%s/%s", dir, name);
	return path[turn % 2];
}

static void put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool there(const char *name)
{
	return faccessat(AT_FDCWD, at(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/wna-purge.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	/* Also of a test that failed between its mounts. */
	while (umount2(at("state/on"), MNT_DETACH) == 0 || umount2(at("state"), MNT_DETACH) == 0 ||
	       umount2(dir, MNT_DETACH) == 0)
		;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static void forms(void **state)
{
	(void)state;
	assert_true(purge_form("db.password.0123abcd", "db.password.%x"));
	assert_false(purge_form("db.password.0123abc", "db.password.%x"));
	assert_false(purge_form("db.password.0123abcde", "db.password.%x"));
	assert_false(purge_form("db.password.0123ABCD", "db.password.%x"));
	assert_true(purge_form("Wn1-a_b-9\n", "Wn1-%w\n"));
	assert_false(purge_form("Wn1-\n", "Wn1-%w\n"));
	assert_false(purge_form("Wn1-a b\n", "Wn1-%w\n"));
	assert_true(purge_form("a = \"x;y\"\n", "a = \"%s\"\n"));
	assert_false(purge_form("a = \"x\"\nb", "a = \"%s\"\n"));
	assert_false(purge_form("a = \"x\ny\"\n", "a = \"%s\"\n"));
	assert_false(purge_form("", "%x"));
	assert_true(purge_form("", ""));
}

static void generated_files_go_and_edited_ones_stay(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("agent.conf.d"), 0755), 0);
	put("page.ini", PAGE);
	put("db.password.0123abcd", "Wn1-x_Y-z\n");
	put("db.password.ffffffff", "Wn1-other\n");
	put("agent.conf.d/50-database.conf", DROP_IN);
	put("page.ini.new-812", "host = \"half");
	put("db.password.0123abcd.new-9", "");
	put("agent.conf.d/50-database.conf.new-77", "[data");
	/* The same names, and not the same files. */
	put("agent.conf", "[database]\n");
	put("stack.env", "WNA_REGION=x\n");
	put("db.password", "secret\n");
	put("page.ini.bak", PAGE);
	put("page.ini.new-", "");
	put("db.password.eeeeeeee", "my own\n");
	put("agent.conf.d/60-mine.conf", DROP_IN);
	assert_int_equal(symlink("/etc/passwd", at("db.password.dddddddd")), 0);
	assert_true(purge_files(dir));
	assert_false(there("page.ini") || there("page.ini.new-812"));
	assert_false(there("db.password.0123abcd") || there("db.password.ffffffff"));
	assert_false(there("db.password.0123abcd.new-9"));
	assert_false(there("agent.conf.d/50-database.conf"));
	assert_false(there("agent.conf.d/50-database.conf.new-77"));
	assert_true(there("agent.conf") && there("stack.env") && there("db.password"));
	assert_true(there("page.ini.bak") && there("page.ini.new-"));
	assert_true(there("db.password.eeeeeeee") && there("db.password.dddddddd"));
	assert_true(there("agent.conf.d/60-mine.conf"));
	assert_true(purge_files(dir));
	assert_true(purge_files("/nowhere"));
}

static void an_edited_one_is_told(void **state)
{
	static const char *const pages[] = {
		"",
		PAGE "; mine\n",
		"; mine\n" PAGE,
		"host = \"a\"\nport = \"3306\"\n",
	};

	(void)state;
	assert_int_equal(mkdir(at("agent.conf.d"), 0755), 0);
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		put("page.ini", pages[i]);
		assert_true(purge_files(dir));
		assert_true(there("page.ini"));
	}
	put("agent.conf.d/50-database.conf", DROP_IN "timeout = 9s\n");
	assert_true(purge_files(dir));
	assert_true(there("agent.conf.d/50-database.conf"));
	put("page.ini", PAGE);
	assert_true(purge_files(dir));
	assert_false(there("page.ini"));
}

/* What is beyond the part that is read may be an admin's. */
static void a_long_one_is_edited(void **state)
{
	char text[4096 + 8];

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "Wn1-", 4);
	strcpy(text + 4094, "\n");
	put("db.password.0123abcd", text);
	strcpy(text + 4095, "\n");
	text[4094] = 'a';
	put("db.password.11111111", text);
	strcpy(text + 4095, "\nmine\n");
	put("db.password.22222222", text);
	assert_true(purge_files(dir));
	assert_false(there("db.password.0123abcd"));
	assert_true(there("db.password.11111111") && there("db.password.22222222"));
}

static void a_tree_goes(void **state)
{
	(void)state;
	assert_true(purge_tree(dir, "state", NULL));
	assert_true(purge_tree("/nowhere", "state", NULL));
	assert_int_equal(mkdir(at("state"), 0755), 0);
	assert_int_equal(mkdir(at("state/cloud"), 0700), 0);
	assert_int_equal(mkdir(at("outside"), 0755), 0);
	put("outside/file", "x");
	put("state/guarded", "1 /x\n");
	put("state/cloud/queue.db", "x");
	assert_int_equal(mkfifo(at("state/cloud/fifo"), 0600), 0);
	/* A link is removed, not followed. */
	assert_int_equal(symlink("../outside", at("state/link")), 0);
	assert_int_equal(symlink("../../outside", at("state/cloud/link")), 0);
	assert_true(purge_tree(dir, "state", "guarded"));
	assert_true(there("state/guarded"));
	assert_false(there("state/cloud") || there("state/link"));
	assert_true(purge_tree(dir, "state", NULL));
	assert_false(there("state"));
	assert_true(there("outside/file"));
	/* One in its place is no folder of ours. */
	assert_int_equal(symlink("outside", at("state")), 0);
	assert_false(purge_tree(dir, "state", NULL));
	assert_true(there("outside/file"));
}

/* A worker's folder may be of its enemy's making. */
static void a_deep_tree_ends(void **state)
{
	char path[160];
	int fd;

	(void)state;
	assert_int_equal(mkdir(at("state"), 0755), 0);
	put("state/file", "x");
	fd = open(at("state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 500; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_false(purge_tree(dir, "state", NULL));
	assert_false(there("state/file"));
	snprintf(path, sizeof path, "rm -rf %s", at("state"));
	assert_int_equal(system(path), 0);
	assert_true(purge_tree(dir, "state", NULL));
}

/* What is said goes to root's terminal. */
static void names_are_said_clean(void **state)
{
	char file[160], text[4096] = "";
	FILE *said;
	int fd, own;

	(void)state;
	assert_int_equal(mkdir(at("state"), 0755), 0);
	assert_int_equal(mkdir(at("state/\033[2J"), 0755), 0);
	fd = open(at("state/\033[2J"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 40; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d\n\033]0;x\a", 0755), 0);
		next = openat(fd, "d\n\033]0;x\a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	snprintf(file, sizeof file, "%s", at("said"));
	own = dup(STDERR_FILENO);
	assert_non_null(freopen(file, "we", stderr));
	assert_false(purge_tree(dir, "state", NULL));
	fflush(stderr);
	dup2(own, STDERR_FILENO);
	close(own);
	said = fopen(file, "re");
	assert_non_null(said);
	text[fread(text, 1, sizeof text - 1, said)] = '\0';
	fclose(said);
	assert_non_null(strstr(text, "/state/?[2J/d ?]0;x?/d"));
	assert_non_null(strstr(text, "expected fewer folders"));
	for (const char *c = text; *c; c++)
		assert_true((*c >= ' ' && *c != 0x7f) || (*c == '\n' && c[1] == '\0'));
}

/* As if somebody went on writing there: it ends, and the next one goes on. */
static void too_many_files_end_it(void **state)
{
	char name[16];
	int fd;

	(void)state;
	/* In memory it is over sooner. */
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(at("state"), 0755), 0);
	assert_int_equal(mkdir(at("state/cloud"), 0755), 0);
	put("state/cloud/0", "");
	fd = open(at("state/cloud"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i <= 100000; i++) {
		snprintf(name, sizeof name, "%d", i);
		if (symlinkat("x", fd, name) < 0)
			fail_msg("%s: cannot be made", name);
	}
	close(fd);
	assert_false(purge_tree(dir, "state", NULL));
	assert_true(there("state/cloud"));
	assert_true(purge_tree(dir, "state", NULL));
	assert_false(there("state"));
}

static void a_mount_is_not_entered(void **state)
{
	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	assert_int_equal(mkdir(at("state"), 0755), 0);
	assert_int_equal(mkdir(at("state/on"), 0755), 0);
	put("state/file", "x");
	assert_int_equal(mount("tmpfs", at("state/on"), "tmpfs", 0, NULL), 0);
	put("state/on/theirs", "x");
	assert_false(purge_tree(dir, "state", NULL));
	assert_true(there("state/on/theirs"));
	assert_false(there("state/file"));
	assert_int_equal(umount(at("state/on")), 0);
	/* Nor the same disk a second time, and not on the folder itself. */
	assert_int_equal(mkdir(at("other"), 0755), 0);
	put("other/theirs", "x");
	assert_int_equal(mount(at("other"), at("state"), NULL, MS_BIND, NULL), 0);
	assert_false(purge_tree(dir, "state", NULL));
	assert_true(there("other/theirs"));
	assert_int_equal(umount(at("state")), 0);
	assert_true(purge_tree(dir, "state", NULL));
	assert_false(there("state"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test_setup_teardown(generated_files_go_and_edited_ones_stay, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_edited_one_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_one_is_edited, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tree_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_said_clean, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_files_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deep_tree_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mount_is_not_entered, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
