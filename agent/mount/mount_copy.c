/*
 * Run by wna-mount as root; reads and writes small files on a tmpfs. Owns the copies.
 *
 * efs-utils' watchdog deletes the files of a proxy while its mount is there, if the mount was away for
 * some seconds. Without them nothing can start the proxy again. Its files are the state file NAME, the
 * configuration, whose name ends with ".NAME", and the folder "NAME+" of keys and certificates.
 */
#include "mount_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "mount.h"

#define MARK  "mark"
#define BEGUN ".copy"

enum {
	DEPTH = 3,
	FILES = 100,
	FILE_BYTES = 64 * 1024,
	NAME_SIZE = 1 + LIMIT_NAME + LIMIT_PATH + 16,
};

/* One copy from a folder to another. */
struct copy {
	bool over; /* also what is there */
	int left;  /* so many files more */
};

static int copy_entry(struct copy *copy, int from, int to, const char *name, int depth);

static int copy_file(struct copy *copy, int from, int to, const char *name)
{
	static char text[FILE_BYTES];
	ssize_t n = file_load(from, name, FILE_OF_ROOT, text, sizeof text);
	int fd, rc = 0;

	if (n < 0)
		return (int)n;
	if (!copy->over && faccessat(to, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	fd = openat(to, BEGUN, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n)
		rc = -EIO;
	close(fd);
	/* The watchdog, or the next keeper, never reads half of a file. */
	if (rc == 0 && renameat(to, BEGUN, to, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(to, BEGUN, 0);
	return rc;
}

static int copy_folder(struct copy *copy, int from, int to, const char *name, int depth)
{
	int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), target;
	const struct dirent *entry;
	DIR *list;
	int rc = 0;

	if (source < 0)
		return -errno;
	if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		rc = -errno;
	target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rc == 0 && target < 0)
		rc = -errno;
	list = fdopendir(source);
	if (!list) {
		rc = -errno;
		close(source);
	}
	while (list && rc == 0 && (entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = copy_entry(copy, dirfd(list), target, entry->d_name, depth - 1);
	}
	if (list)
		closedir(list);
	if (target >= 0)
		close(target);
	return rc;
}

static int copy_entry(struct copy *copy, int from, int to, const char *name, int depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (depth == 0 || copy->left-- == 0)
		return -EFBIG;
	if (S_ISDIR(st.st_mode))
		return copy_folder(copy, from, to, name, depth);
	return S_ISREG(st.st_mode) ? copy_file(copy, from, to, name) : 0;
}

/* The state file comes last: with it the others are there. */
static int copy_all(struct copy *copy, int from, int to, const char *state)
{
	size_t len = strlen(state);
	const struct dirent *entry;
	int rc = 0, fd = dup(from);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rewinddir(list);
	while (rc == 0 && (entry = readdir(list))) {
		const char *name = entry->d_name;
		size_t name_len = strlen(name);
		bool folder =
		        name_len == len + 1 && strncmp(name, state, len) == 0 && name[len] == '+';
		bool configuration = name_len > len + 1 && name[name_len - len - 1] == '.' &&
		                     strcmp(name + name_len - len, state) == 0;

		if (folder || configuration)
			rc = copy_entry(copy, from, to, name, DEPTH);
	}
	closedir(list);
	return rc == 0 ? copy_entry(copy, from, to, state, 1) : rc;
}

static int open_both(const char *dir, int *ret_efs, int *ret_own)
{
	*ret_efs = open(EFS_STATE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret_own = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_efs >= 0 && *ret_own >= 0)
		return 0;
	return -errno;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Whether the copies are of this very mount. */
static bool is_of(const char *dir, const char *mark)
{
	char text[LIMIT_FACT_TEXT] = "";
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	file_load(fd, MARK, FILE_OF_ROOT, text, sizeof text);
	close(fd);
	return strcmp(text, mark) == 0;
}

int copy_keep(const struct proxy *proxy, const char *mark, const char *dir)
{
	struct copy copy = { .over = true, .left = FILES };
	char name[NAME_SIZE];
	int efs, own, rc;

	if (!efs_state_name(proxy->file_system, proxy->path, proxy->port, name, sizeof name))
		return -ENAMETOOLONG;
	if (!is_of(dir, mark))
		nftw(dir, drop, DEPTH + 1, FTW_DEPTH | FTW_PHYS);
	mkdir(dir, 0700);
	rc = open_both(dir, &efs, &own);
	if (rc == 0)
		rc = copy_all(&copy, efs, own, name);
	if (rc == 0)
		rc = file_write(dir, MARK, mark, strlen(mark));
	close(efs);
	close(own);
	return rc;
}

int copy_restore(const struct proxy *proxy, const char *mark, const char *dir)
{
	struct copy copy = { .left = FILES };
	/* "~": efs-utils is about to write it. */
	char begun[NAME_SIZE] = "~", *name = begun + 1;
	int efs, own, rc;

	if (!efs_state_name(proxy->file_system, proxy->path, proxy->port, name, sizeof begun - 1))
		return -ENAMETOOLONG;
	rc = open_both(dir, &efs, &own);
	if (rc == 0 && (faccessat(efs, begun, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	                faccessat(efs, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
		rc = -EEXIST;
	if (rc == 0)
		rc = is_of(dir, mark) ? copy_all(&copy, own, efs, name) : -ENOENT;
	close(efs);
	close(own);
	return rc;
}
