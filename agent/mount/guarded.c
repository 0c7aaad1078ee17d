/* Run by wna-mount as root. Blocks on the local disk. Owns the file "guarded". */
#include "guarded.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"
#include "worker.h"

enum { LINE_MAX_BYTES = LIMIT_PATH + 24, FILE_MAX_BYTES = GUARDED_MAX * LINE_MAX_BYTES };

/* Absolute, printable, and leads nowhere but down. */
static bool is_path(const char *path)
{
	const char *name = path;

	if (path[0] != '/' || path[1] == '\0' || strlen(path) >= LIMIT_PATH)
		return false;
	for (const char *c = path; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	}
	while (*name) {
		size_t len = strcspn(++name, "/");

		if ((len == 1 && name[0] == '.') || (len == 2 && strncmp(name, "..", 2) == 0))
			return false;
		name += len;
	}
	return true;
}

static bool take_line(char *line, struct guarded *ret)
{
	char *path = strchr(line, ' ');
	char *end;

	if (!path)
		return false;
	*path++ = '\0';
	/* All 64 bits: file systems that are made of others put numbers into the high ones. */
	errno = 0;
	ret->inode = isdigit((unsigned char)line[0]) ? strtoull(line, &end, 10) : 0;
	if (ret->inode == 0 || errno != 0 || *end != '\0' || !is_path(path))
		return false;
	return str_copy(ret->path, sizeof ret->path, path);
}

static int open_file(const char *dir)
{
	char path[LIMIT_PATH * 2];
	struct stat st;
	int fd;

	if (snprintf(path, sizeof path, "%s/" GUARDED_NAME, dir) >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH))) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static ssize_t read_all(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, ret + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static void take_lines(char *text, size_t len, struct guarded_list *ret,
                       void (*refuse)(void *arg, int line), void *arg)
{
	char *end = text + len;
	int number = 1;

	for (char *line = text; line < end; number++) {
		char *next = memchr(line, '\n', (size_t)(end - line));
		struct guarded item;
		bool whole = next != NULL;

		if (!next)
			next = end;
		*next = '\0';
		/* A line without an end was cut, and a NUL within hides its rest. */
		if (!whole || strlen(line) != (size_t)(next - line) || !take_line(line, &item) ||
		    guarded_add(ret, item.path, item.inode) < 0)
			refuse(arg, number);
		line = next + 1;
	}
}

int guarded_read(const char *dir, struct guarded_list *ret, void (*refuse)(void *arg, int line),
                 void *arg)
{
	int fd = open_file(dir);
	ssize_t len = 0;
	char *text;

	ret->count = 0;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	text = malloc(FILE_MAX_BYTES + 1);
	if (text)
		len = read_all(fd, text, FILE_MAX_BYTES);
	else
		len = -ENOMEM;
	close(fd);
	if (len > 0)
		take_lines(text, (size_t)len, ret, refuse, arg);
	free(text);
	return len < 0 ? (int)len : 0;
}

/* A rename is on the disk when its folder is. */
static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int guarded_write(const char *dir, const struct guarded_list *list)
{
	char path[LIMIT_PATH * 2];
	struct sb sb;
	char *text;
	int rc;

	if (list->count == 0) {
		snprintf(path, sizeof path, "%s/" GUARDED_NAME, dir);
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	}
	text = malloc(FILE_MAX_BYTES + 1);
	if (!text)
		return -ENOMEM;
	sb_init(&sb, text, FILE_MAX_BYTES + 1);
	for (size_t i = 0; i < list->count; i++)
		sb_printf(&sb, "%" PRIu64 " %s\n", list->item[i].inode, list->item[i].path);
	rc = worker_write_file(dir, GUARDED_NAME, text, sb.len);
	/* wnad makes the folder at its start; somebody may have removed it since. */
	if (rc == -ENOENT && mkdir(dir, 0755) == 0)
		rc = worker_write_file(dir, GUARDED_NAME, text, sb.len);
	free(text);
	return rc < 0 ? rc : sync_folder(dir);
}

int guarded_find(const struct guarded_list *list, const char *path, uint64_t inode)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->item[i].inode == inode && strcmp(list->item[i].path, path) == 0)
			return (int)i;
	}
	return -1;
}

int guarded_add(struct guarded_list *list, const char *path, uint64_t inode)
{
	struct guarded *item = &list->item[list->count];

	if (guarded_find(list, path, inode) >= 0)
		return 0;
	if (list->count == GUARDED_MAX)
		return -ENOSPC;
	item->inode = inode;
	if (!is_path(path) || !str_copy(item->path, sizeof item->path, path))
		return -EINVAL;
	list->count++;
	return 0;
}

void guarded_drop(struct guarded_list *list, size_t at)
{
	list->count--;
	for (size_t i = at; i < list->count; i++)
		list->item[i] = list->item[i + 1];
}
