/* Run by wna-mount as root. Blocks on the disk below the mount points. Owns the flag. */
#include "guard.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guarded.h"
#include "log.h"
#include "place.h"
#include "str.h"

struct reading {
	const char *record;
	bool refused;
};

static void refuse(void *arg, int line)
{
	struct reading *reading = arg;

	log_warning("mount: %s/" GUARDED_NAME ":%d: expected an inode number and a path; left out",
	            reading->record, line);
	reading->refused = true;
}

/*
 * On the heap, since it is large. NULL with *ret_rc; or what can be read, with -EBADMSG if
 * that is not all: it must not be written then, since a line that is damaged may be the
 * only note of a flag.
 */
static struct guarded_list *read_record(const char *record, int *ret_rc)
{
	struct guarded_list *list = malloc(sizeof *list);
	struct reading reading = { .record = record };

	*ret_rc = list ? guarded_read(record, list, refuse, &reading) : -ENOMEM;
	if (*ret_rc == 0) {
		*ret_rc = reading.refused ? -EBADMSG : 0;
		return list;
	}
	free(list);
	return NULL;
}

static const char *explain(int rc)
{
	return rc == -EBADMSG ? "a line is damaged" : strerror(-rc);
}

static int set_flag(int fd, int flags, bool immutable)
{
	flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

/* The first thing that lies in the directory; false if it is empty. Takes over `fd`. */
static bool first_entry(int fd, char *ret, size_t size)
{
	const struct dirent *entry;
	bool found = false;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		str_clean(ret, size, entry->d_name, strlen(entry->d_name));
		found = true;
	}
	closedir(dir);
	return found;
}

/* A note without a flag would claim one that somebody else sets later. */
static void strike_out(const char *path, uint64_t inode, const char *record)
{
	struct guarded_list *list;
	int at, rc;

	list = read_record(record, &rc);
	if (rc == 0 && (at = guarded_find(list, path, inode)) >= 0) {
		guarded_drop(list, (size_t)at);
		rc = guarded_write(record, list);
	}
	free(list);
	if (rc < 0)
		log_warning("mount: %s/" GUARDED_NAME ": %s", record, explain(rc));
}

/* First the note, then the flag: after a power cut between the two a note without
 * a flag does no harm, a flag without a note would stay for ever. */
static void protect(int fd, int flags, const char *path, const char *record, struct guard *guard)
{
	struct guarded_list *list;
	struct stat st = { 0 };
	int rc;

	list = read_record(record, &rc);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0)
		rc = guarded_add(list, path, st.st_ino);
	if (rc == 0)
		rc = guarded_write(record, list);
	free(list);
	if (rc < 0) {
		snprintf(guard->why, sizeof guard->why,
		         "not made immutable, since %s/" GUARDED_NAME " cannot be written: %s",
		         record, explain(rc));
		return;
	}
	rc = set_flag(fd, flags, true);
	if (rc < 0) {
		snprintf(guard->why, sizeof guard->why, "the immutable flag could not be set: %s",
		         strerror(-rc));
		strike_out(path, st.st_ino, record);
	}
	guard->immutable = rc == 0;
}

/* Switched off: only what is on record is ours to take back. */
static void unprotect(int fd, int flags, const char *path, const char *record, struct guard *guard)
{
	struct guarded_list *list;
	struct stat st;
	int at = -1, rc;

	guard->immutable = true;
	list = read_record(record, &rc);
	if (rc == 0 && fstat(fd, &st) == 0)
		at = guarded_find(list, path, st.st_ino);
	if (at >= 0) {
		rc = set_flag(fd, flags, false);
		guard->immutable = rc < 0;
		if (rc == 0) {
			log_info("mount: %s: the bare directory can be written again", path);
			guarded_drop(list, (size_t)at);
			rc = guarded_write(record, list);
		}
	}
	free(list);
	if (rc < 0 && at >= 0 && guard->immutable)
		snprintf(guard->why, sizeof guard->why,
		         "the immutable flag could not be cleared: %s", strerror(-rc));
	else if (rc < 0)
		snprintf(guard->why, sizeof guard->why, "%s, since %s/" GUARDED_NAME ": %s",
		         guard->immutable ? "still immutable" : "still on record", record,
		         explain(rc));
}

void guard_set(const char *path, bool wanted, const char *record, struct guard *ret)
{
	struct guard guard = { 0 };
	char entry[64];
	int flags = 0, fd = place_open_bare(path);

	if (fd < 0) {
		snprintf(guard.why, sizeof guard.why, "the bare directory: %s", strerror(-fd));
		*ret = guard;
		return;
	}
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		snprintf(guard.why, sizeof guard.why, "the disk knows no immutable flag: %s",
		         strerror(errno));
	else if (wanted && !(flags & FS_IMMUTABLE_FL))
		protect(fd, flags, path, record, &guard);
	else if (!wanted && (flags & FS_IMMUTABLE_FL))
		unprotect(fd, flags, path, record, &guard);
	else
		guard.immutable = wanted;
	if (!wanted && !guard.immutable && guard.why[0] == '\0')
		str_copy(guard.why, sizeof guard.why, "switched off by mount.guard");
	if (first_entry(fd, entry, sizeof entry) && guard.why[0] == '\0')
		snprintf(guard.why, sizeof guard.why, "the bare directory is not empty: %s", entry);
	*ret = guard;
}

/* 0 with how it is, and whether it is away: its disk may be. Or -errno. */
static int release(const struct guarded *item, bool *ret_away, const char **ret_how)
{
	struct stat st;
	int flags = 0, rc = 0, fd = place_open_bare(item->path);

	*ret_away = false;
	if (fd == -ENOENT || fd == -ENOTDIR) {
		*ret_away = true;
		*ret_how = "is not there any more";
		return 0;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		rc = -errno;
	} else if (st.st_ino != item->inode) {
		*ret_away = true;
		*ret_how = "is another directory now, left as it is";
	} else if (flags & FS_IMMUTABLE_FL) {
		*ret_how = "can be written again";
		rc = set_flag(fd, flags, false);
	} else {
		*ret_how = "could be written already";
	}
	close(fd);
	return rc;
}

int guard_release(const char *record, const char *keep)
{
	struct guarded_list *list;
	int rc, failed = 0;
	size_t at = 0, before;
	bool damaged;

	list = read_record(record, &rc);
	if (!list) {
		log_warning("mount: %s/" GUARDED_NAME ": %s", record, strerror(-rc));
		return rc;
	}
	damaged = rc == -EBADMSG;
	if (damaged)
		log_warning("mount: %s/" GUARDED_NAME " is damaged, and left as it is until its "
		            "lines are mended or removed",
		            record);
	/* At the removal there is no later start: what can be done is done. */
	if (damaged && keep) {
		free(list);
		return rc;
	}
	before = list->count;
	while (at < list->count) {
		const struct guarded *item = &list->item[at];
		const char *how = "";
		bool away;

		if (keep && strcmp(item->path, keep) == 0) {
			at++;
			continue;
		}
		rc = release(item, &away, &how);
		if (rc < 0) {
			log_warning("mount: %s: the immutable flag could not be cleared: %s",
			            item->path, strerror(-rc));
			failed = rc;
			at++;
			continue;
		}
		/* It may be back at a later start, and nobody else would give it back. */
		if (away && keep) {
			log_debug("mount: %s: the bare directory %s; it stays on record",
			          item->path, how);
			at++;
			continue;
		}
		log_info("mount: %s: the bare directory %s", item->path, how);
		guarded_drop(list, at);
	}
	if (damaged)
		rc = -EBADMSG;
	else if (list->count < before || !keep)
		rc = guarded_write(record, list);
	else
		rc = 0;
	if (rc < 0 && !damaged)
		log_warning("mount: %s/" GUARDED_NAME ": %s", record, strerror(-rc));
	free(list);
	return failed ? failed : rc;
}
