/* Run by wna-mount's child as root. Blocks on the disks of the mount points. Owns the immutable
 * flag and its record. */
#include "mount.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "str.h"
#include "trust.h"

/* What the record says of one directory. */
struct note {
	char name[LIMIT_PATH];      /* of the link: the path with '!' for each '/' */
	char text[LIMIT_PATH + 24]; /* its target */
};

static void note_make(const char *path, uint64_t inode, struct note *ret)
{
	str_copy(ret->name, sizeof ret->name, path);
	for (char *c = ret->name; (c = strchr(c, '/'));)
		*c = '!';
	snprintf(ret->text, sizeof ret->text, "%" PRIu64 " %s", inode, path);
}

/* The path in the note, and its inode. NULL if it cannot be read. */
static const char *note_path(const struct note *note, uint64_t *ret_inode)
{
	char *end;

	/* All 64 bits are used: an overlay sets high ones. */
	errno = 0;
	*ret_inode = isdigit((unsigned char)note->text[0]) ? strtoull(note->text, &end, 10) : 0;
	return *ret_inode != 0 && errno == 0 && end[0] == ' ' && end[1] == '/' ? end + 1 : NULL;
}

static bool note_read(int dir, const char *name, struct note *ret)
{
	ssize_t n = readlinkat(dir, name, ret->text, sizeof ret->text - 1);

	ret->text[n > 0 ? n : 0] = '\0';
	return str_copy(ret->name, sizeof ret->name, name) && n > 0;
}

/* Opens the record, and makes it if it is missing. A descriptor or -errno. */
static int open_record(const char *record)
{
	char wrong[TRUST_PATH];
	int path_fd, fd, rc = trust_make_dir(record, 0, &path_fd, wrong);

	if (rc < 0)
		return rc;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -errno : fd;
	close(path_fd);
	return rc;
}

/* Removes the record too, if it is empty. */
static void close_record(const char *record, int dir)
{
	close(dir);
	rmdir(record);
}

static int set_flag(int fd, int flags, bool immutable)
{
	flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

/* The name of one entry of the directory; false if it is empty. Closes `fd`. */
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

/* The note is made before the flag: after a power cut a note without a flag does no harm, but a
 * flag without a note would stay for ever. */
static void protect(int fd, int flags, const char *record, const struct note *note,
                    struct guard *guard)
{
	int dir = open_record(record), rc = dir < 0 ? dir : 0;

	/* An older note of this path is about a directory that is gone. */
	if (rc == 0 && unlinkat(dir, note->name, 0) < 0 && errno != ENOENT)
		rc = -errno;
	if (rc == 0 && (symlinkat(note->text, dir, note->name) < 0 || fsync(dir) < 0))
		rc = -errno;
	if (rc < 0) {
		snprintf(guard->why, sizeof guard->why,
		         "not made immutable, since %s cannot be written: %s", record,
		         strerror(-rc));
	} else if ((rc = set_flag(fd, flags, true)) < 0) {
		snprintf(guard->why, sizeof guard->why, "the immutable flag could not be set: %s",
		         strerror(-rc));
		/* Another program may set the flag later, and that one is not the agent's. */
		unlinkat(dir, note->name, 0);
	}
	guard->immutable = rc == 0;
	if (dir >= 0)
		close_record(record, dir);
}

/* Clears the flag. 0, with the result for the log, and whether the directory is not there; -errno. */
static int release(const char *path, uint64_t inode, bool *ret_away, const char **ret_how)
{
	struct place place;
	struct stat st;
	int flags = 0, fd = -1, rc = place_open(path, &place);

	if (rc == 0) {
		fd = rc = place_open_bare(&place);
		place_close(&place);
	}
	*ret_away = rc == -ENOENT || rc == -ENOTDIR;
	*ret_how = "is not there any more";
	if (rc < 0)
		return *ret_away ? 0 : rc;
	rc = 0;
	if (fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		rc = -errno;
	} else if (st.st_ino != inode) {
		*ret_away = true;
		*ret_how = "is another directory now, and stays as it is";
	} else if (flags & FS_IMMUTABLE_FL) {
		*ret_how = "can be written again";
		rc = set_flag(fd, flags, false);
	} else {
		*ret_how = "was writable already";
	}
	close(fd);
	return rc;
}

static int release_note(int dir, const char *record, const struct note *note, const char *keep)
{
	const char *how, *path;
	uint64_t inode;
	bool away;
	int rc;

	path = note_path(note, &inode);
	if (!path) {
		log_warning("mount: %s/%s: expected a link to \"INODE PATH\"", record, note->name);
		return -EBADMSG;
	}
	if (keep && strcmp(path, keep) == 0)
		return 0;
	rc = release(path, inode, &away, &how);
	if (rc < 0) {
		log_warning("mount: %s: the immutable flag could not be cleared: %s", path,
		            strerror(-rc));
		return rc;
	}
	/* It may be there again later, and only the agent would clear its flag. */
	if (away && keep) {
		log_debug("mount: %s: the bare directory %s; it stays on record", path, how);
		return 0;
	}
	log_info("mount: %s: the bare directory %s", path, how);
	return unlinkat(dir, note->name, 0) < 0 ? -errno : 0;
}

/* -ENOENT: the agent has not set the flag of this path. */
static int release_own(const char *record, const char *name)
{
	int dir = open_record(record), rc = -ENOENT;
	struct note note;

	if (dir < 0)
		return dir;
	if (note_read(dir, name, &note))
		rc = release_note(dir, record, &note, "");
	close_record(record, dir);
	return rc;
}

void guard_set(const struct place *place, const char *path, bool wanted, const char *record,
               struct guard *ret)
{
	struct guard guard = { 0 };
	struct note note;
	struct stat st;
	char entry[64];
	int flags = 0, fd = place_open_bare(place), rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(guard.why, sizeof guard.why, "the bare directory: %s",
		         strerror(fd < 0 ? -fd : errno));
		*ret = guard;
		return;
	}
	note_make(path, st.st_ino, &note);
	if (!wanted)
		rc = release_own(record, note.name);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		snprintf(guard.why, sizeof guard.why, "the file system has no immutable flag: %s",
		         strerror(errno));
	else if (wanted && !(flags & FS_IMMUTABLE_FL))
		protect(fd, flags, record, &note, &guard);
	else
		guard.immutable = flags & FS_IMMUTABLE_FL;
	if (!wanted && guard.why[0] == '\0')
		snprintf(guard.why, sizeof guard.why, "switched off by mount.guard%s",
		         !guard.immutable ? ""
		         : rc < 0 && rc != -ENOENT
		                 ? ", and still immutable: the flag could not be cleared"
		                 : ", and still immutable: not on record");
	if (first_entry(fd, entry, sizeof entry) && guard.why[0] == '\0')
		snprintf(guard.why, sizeof guard.why, "the bare directory is not empty: %s", entry);
	*ret = guard;
}

int guard_release(const char *record, const char *keep)
{
	int dir = open_record(record), rc = dir < 0 ? dir : 0, failed;
	const struct dirent *entry;
	DIR *list = dir < 0 ? NULL : fdopendir(dup(dir));
	struct note note;

	if (!list) {
		log_warning("mount: %s: %s", record, strerror(dir < 0 ? -dir : errno));
		return rc;
	}
	while ((entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		note_read(dir, entry->d_name, &note);
		failed = release_note(dir, record, &note, keep);
		rc = failed ? failed : rc;
	}
	closedir(list);
	close_record(record, dir);
	return rc;
}
