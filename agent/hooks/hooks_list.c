/* wna-hooks. Blocks on a local disk only; owns nothing. */
#include "hooks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

int hooks_list(int dir_fd, struct hooks_names *ret)
{
	struct dirent *entry;
	int rc = 0, fd;
	DIR *dir;

	memset(ret, 0, sizeof *ret);
	/* A descriptor of its own: reading moves the offset. */
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		rc = -errno;
		close(fd);
		return rc;
	}
	while (errno = 0, (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!hooks_is_name(entry->d_name)) {
			ret->strange++;
			continue;
		}
		if (ret->count == HOOKS_NAMES) {
			rc = -E2BIG;
			goto out;
		}
		str_copy(ret->name[ret->count++], HOOKS_NAME, entry->d_name);
	}
	rc = -errno;
out:
	closedir(dir);
	if (rc < 0)
		memset(ret, 0, sizeof *ret);
	else
		qsort(ret->name, (size_t)ret->count, HOOKS_NAME, by_bytes);
	return rc;
}
