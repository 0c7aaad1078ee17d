/* A directory of the test's own, with a mountinfo of its own. */
#ifndef TEST_CHECK_TREE_H
#define TEST_CHECK_TREE_H

#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

struct tree {
	char top[64];
	char mountinfo[128];
	struct check_env env;
};

__attribute__((unused)) static char *tree_path(const struct tree *tree, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", tree->top, name);
	return path;
}

/* `lines` are appended below a root file system that is local; "@" is the tree. */
__attribute__((unused)) static void tree_mounts(struct tree *tree, const char *lines)
{
	FILE *file = fopen(tree->mountinfo, "we");

	assert_non_null(file);
	fputs("21 1 0:20 / / rw - ext4 /dev/root rw\n", file);
	for (const char *p = lines; *p != '\0'; p++)
		if (*p == '@')
			fputs(tree->top, file);
		else
			fputc(*p, file);
	assert_int_equal(fclose(file), 0);
}

__attribute__((unused)) static int tree_make(void **state)
{
	static struct tree tree;
	char top[] = "/tmp/wna-check-XXXXXX";

	if (mkdtemp(top) == NULL)
		return -1;
	snprintf(tree.top, sizeof tree.top, "%s", top);
	snprintf(tree.mountinfo, sizeof tree.mountinfo, "%s/mountinfo", top);
	tree.env = (struct check_env){ .mountinfo = tree.mountinfo, .mount_path = "", .proc = -1 };
	tree_mounts(&tree, "");
	*state = &tree;
	return 0;
}

__attribute__((unused)) static int tree_remove(void **state)
{
	struct tree *tree = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", tree->top);
	return system(command);
}

__attribute__((unused)) static void tree_file(const struct tree *tree, const char *name,
                                              const char *text, size_t len)
{
	int fd = open(tree_path(tree, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

__attribute__((unused)) static void tree_dir(const struct tree *tree, const char *name)
{
	assert_int_equal(mkdir(tree_path(tree, name), 0755), 0);
}

__attribute__((unused)) static void tree_link(const struct tree *tree, const char *name,
                                              const char *target)
{
	assert_int_equal(symlink(target, tree_path(tree, name)), 0);
}

#endif
