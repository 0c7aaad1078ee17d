/* What may be touched: links followed by hand, mountinfo asked before each step. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "localpath.h"
#include "tree.h"

static char where[PATH_MAX], why[LIMIT_FACT_WHY];

static int resolve(const struct tree *tree, const char *name)
{
	where[0] = '\0';
	return localpath_resolve(tree->env.mountinfo, tree->env.mount_path, tree_path(tree, name),
	                         where, sizeof where, why, sizeof why);
}

static void plain_paths(void **state)
{
	struct tree *tree = *state;

	tree_dir(tree, "a");
	tree_file(tree, "a/file", "x", 1);
	assert_int_equal(resolve(tree, "a/file"), 0);
	assert_string_equal(where, tree_path(tree, "a/file"));
	assert_int_equal(resolve(tree, "./a//../a/./file"), 0);
	assert_string_equal(where, tree_path(tree, "a/file"));
	assert_int_equal(resolve(tree, "a/none"), -ENOENT);
	assert_non_null(strstr(why, "a/none: no such file"));
	assert_int_equal(localpath_resolve(tree->env.mountinfo, "", "/", where, sizeof where, why,
	                                   sizeof why),
	                 0);
	assert_string_equal(where, "/");
	assert_int_equal(localpath_resolve(tree->env.mountinfo, "", "/../..", where, sizeof where,
	                                   why, sizeof why),
	                 0);
	assert_string_equal(where, "/");
	assert_int_equal(localpath_resolve(tree->env.mountinfo, "", "a", where, sizeof where, why,
	                                   sizeof why),
	                 -EINVAL);
}

static void links_are_followed(void **state)
{
	struct tree *tree = *state;
	char target[PATH_MAX];

	tree_dir(tree, "a");
	tree_file(tree, "a/file", "x", 1);
	tree_link(tree, "relative", "a/../a");
	snprintf(target, sizeof target, "%s/relative", tree->top);
	tree_link(tree, "absolute", target);
	tree_link(tree, "a/up", "../absolute/file");
	assert_int_equal(resolve(tree, "absolute/file"), 0);
	assert_string_equal(where, tree_path(tree, "a/file"));
	assert_int_equal(resolve(tree, "relative/up"), 0);
	assert_string_equal(where, tree_path(tree, "a/file"));
	tree_link(tree, "loop", "loop");
	assert_int_equal(resolve(tree, "loop/file"), -ELOOP);
}

static void network_is_refused(void **state)
{
	struct tree *tree = *state;

	tree_dir(tree, "efs");
	tree_dir(tree, "local");
	tree_link(tree, "local/hidden", "../efs/x");
	/* No path on these mounts may be looked up: a silent file server would block that. */
	tree_mounts(tree, "30 21 0:40 / @/efs rw - nfs4 127.0.0.1:/ rw\n"
	                  "31 21 0:41 / @/net rw - autofs auto rw\n"
	                  "32 21 0:42 / @/tmp rw - tmpfs tmpfs rw\n");
	assert_int_equal(resolve(tree, "efs"), -EREMOTE);
	assert_non_null(strstr(why, "network file system (nfs4)"));
	assert_int_equal(resolve(tree, "efs/none/file"), -EREMOTE);
	assert_int_equal(resolve(tree, "local/hidden"), -EREMOTE);
	assert_int_equal(resolve(tree, "net/host"), -EREMOTE);
	assert_int_equal(resolve(tree, "local/../efs/../local"), -EREMOTE);
	/* In contrast: directories beside those mounts, and a local mount. */
	assert_int_equal(resolve(tree, "local"), 0);
	tree_dir(tree, "efs2");
	assert_int_equal(resolve(tree, "efs2"), 0);
	tree_dir(tree, "tmp");
	assert_int_equal(resolve(tree, "tmp"), 0);
}

static void mount_path_is_refused_unmounted(void **state)
{
	struct tree *tree = *state;
	char path[PATH_MAX];

	tree_dir(tree, "efs");
	tree_dir(tree, "efs.local");
	snprintf(path, sizeof path, "%s/efs/", tree->top);
	tree->env.mount_path = path;
	assert_int_equal(resolve(tree, "efs/file"), -EREMOTE);
	assert_non_null(strstr(why, "shared file system"));
	assert_int_equal(resolve(tree, "efs"), -EREMOTE);
	assert_int_equal(resolve(tree, "efs.local"), 0);
	tree->env.mount_path = "";
	assert_int_equal(resolve(tree, "efs"), 0);
}

static void no_mountinfo_no_touch(void **state)
{
	struct tree *tree = *state;

	tree_dir(tree, "a");
	tree_file(tree, "mountinfo", "garbage\n", 8);
	assert_true(resolve(tree, "a") < 0);
	assert_non_null(strstr(why, "not touched"));
	tree->env.mountinfo = "/nonexistent/mountinfo";
	assert_int_equal(resolve(tree, "a"), -EIO);
	assert_non_null(strstr(why, "not touched"));
}

static void network_types(void **state)
{
	(void)state;
	assert_true(localpath_is_network("nfs4"));
	assert_true(localpath_is_network("fuse.sshfs"));
	assert_true(localpath_is_network("9p"));
	assert_false(localpath_is_network("ext4"));
	assert_false(localpath_is_network("fuseblk"));
	assert_false(localpath_is_network("tmpfs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_paths, tree_make, tree_remove),
		cmocka_unit_test_setup_teardown(links_are_followed, tree_make, tree_remove),
		cmocka_unit_test_setup_teardown(network_is_refused, tree_make, tree_remove),
		cmocka_unit_test_setup_teardown(mount_path_is_refused_unmounted, tree_make,
		                                tree_remove),
		cmocka_unit_test_setup_teardown(no_mountinfo_no_touch, tree_make, tree_remove),
		cmocka_unit_test(network_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
