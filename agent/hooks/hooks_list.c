/* wna-hooks. Blocks on a local disk only; owns nothing. */
#include "hooks.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "str.h"

bool hooks_is_name(const char *name)
{
	static const char *const leftovers[] = {
		".rpmsave",  ".rpmnew",   ".rpmorig",  ".dpkg-old", ".dpkg-dist",
		".dpkg-new", ".dpkg-tmp", ".ucf-old",  ".ucf-dist", ".bak",
		".orig",     ".swp",      ".disabled",
	};
	size_t len = strlen(name);

	if (len >= HOOKS_NAME || !str_only(name, "._-") || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
		size_t tail = strlen(leftovers[i]);

		if (len >= tail && strcmp(name + len - tail, leftovers[i]) == 0)
			return false;
	}
	return true;
}

int hooks_open(int dir_fd, const char *name, uid_t owner)
{
	int fd = file_open(dir_fd, name, FILE_OF_ANYBODY), rc = 0;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if ((st.st_uid != 0 && st.st_uid != owner) || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
	         (st.st_mode & (S_ISUID | S_ISGID)))
		rc = -EPERM;
	else if (!(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		rc = -EACCES;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int hooks_list(int dir_fd, struct hooks_names *ret)
{
	struct dirent **entries;
	int count = scandirat(dir_fd, ".", &entries, NULL, by_bytes), rc = 0;

	memset(ret, 0, sizeof *ret);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (hooks_is_name(name) && ret->count == HOOKS_NAMES)
			rc = -E2BIG;
		else if (hooks_is_name(name))
			str_copy(ret->name[ret->count++], HOOKS_NAME, name);
		else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			ret->strange++;
		free(entries[i]);
	}
	free(entries);
	if (rc < 0)
		memset(ret, 0, sizeof *ret);
	return rc;
}
