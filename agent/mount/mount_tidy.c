/* Run by wna-mount and its child as root; never blocks: it reads and writes small files on a tmpfs.
 * Owns what failed attempts of mount.efs have left. */
#include "mount_tidy.h"

#include "mount.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "str.h"

enum {
	STATE_BYTES = 64 * 1024,
	NAME_BYTES = LIMIT_NAME + LIMIT_PATH + 16,
	WATCHDOG_MS = 10000, /* it looks once a second */
};

/* One state file. */
struct left {
	char entry[NAME_BYTES + 1]; /* its name now, which may begin with "~" */
	const char *name;           /* its finished name */
	unsigned port;
	char text[STATE_BYTES];
	struct efs_state state;
	int64_t written_ms; /* wall-clock time */
};

/* The next state file of the mount. False at the end. */
static bool next_left(DIR *list, const struct tidy_pass *pass, struct left *ret)
{
	char prefix[NAME_BYTES];
	const struct dirent *entry;
	size_t len;

	if (!efs_state_name(pass->file_system, pass->path, 0, prefix, sizeof prefix))
		return false;
	len = strlen(prefix) - 1; /* without the 0 */
	while ((entry = readdir(list))) {
		const char *name = entry->d_name + (entry->d_name[0] == '~');
		struct stat st;
		int64_t port;
		ssize_t n = 0;
		int fd;

		if (strncmp(name, prefix, len) != 0 || !str_int64(name + len, 1, 65535, &port) ||
		    !str_copy(ret->entry, sizeof ret->entry, entry->d_name))
			continue;
		fd = file_open(dirfd(list), ret->entry, FILE_OF_ROOT);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0)
			n = file_read(fd, ret->text, sizeof ret->text);
		close(fd);
		if (n <= 0 || efs_state_parse(ret->text, (size_t)n, pass->file_system, pass->path,
		                              &ret->state) < 0)
			continue;
		ret->name = ret->entry + (ret->entry[0] == '~');
		ret->port = (unsigned)port;
		ret->written_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		return true;
	}
	return false;
}

static bool is_unfinished(int dir, const struct left *left)
{
	/* efs-utils' watchdog writes a finished file anew in this way. */
	return left->entry[0] == '~' && faccessat(dir, left->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

static bool is_mounted(const char *text, size_t len, unsigned port)
{
	struct mountinfo mount;
	char value[8], wanted[8];

	snprintf(wanted, sizeof wanted, "%u", port);
	while (mountinfo_next(&text, &len, &mount)) {
		if (strncmp(mount.type, "nfs", 3) == 0 &&
		    strncmp(mount.source, "127.0.0.1:", 10) == 0 &&
		    mountinfo_option(mount.super_options, "port", value, sizeof value) &&
		    strcmp(value, wanted) == 0)
			return true;
	}
	return false;
}

/* Whether the kernel has a connection to the proxy. A detached mount has one while a file on it is
 * open. By the table: a kernel without tcp_diag lists no sockets over netlink, and the proxy in use
 * would be ended. */
static bool is_connected(unsigned port)
{
	FILE *file = fopen("/proc/net/tcp", "re");
	char established[32], opening[32], line[512];
	bool found = false;

	if (!file)
		return true;
	/* The remote address, as the kernel prints its bytes, and the state. */
	snprintf(established, sizeof established, " %08X:%04X 01 ", htonl(INADDR_LOOPBACK), port);
	snprintf(opening, sizeof opening, " %08X:%04X 02 ", htonl(INADDR_LOOPBACK), port);
	while (!found && fgets(line, sizeof line, file))
		found = strstr(line, established) || strstr(line, opening);
	fclose(file);
	return found;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	remove(path);
	return 0;
}

/* Ends the proxy, in the next pass deletes its files, as the watchdog does. */
static bool end_left(const struct tidy_pass *pass, const struct left *left)
{
	static const char *const proxies[] = { "efs-proxy", "stunnel", NULL };
	char path[NAME_BYTES + 64];
	const struct process_match match = { .names = proxies, .word = path };

	snprintf(path, sizeof path, "%s/stunnel-config.%s", pass->dir, left->name);
	if (process_kill(&match) > 0) {
		log_info("mount: the proxy on port %u, which no mount uses, is ended", left->port);
		return true;
	}
	unlink(path);
	snprintf(path, sizeof path, "%s/%s+", pass->dir, left->name);
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	snprintf(path, sizeof path, "%s/%s", pass->dir, left->name);
	unlink(path);
	return false;
}

/* Gives it its finished name if its helper has ended: false if not. */
static bool finish(const struct tidy_pass *pass, int dir, const struct left *left)
{
	bool own = left->state.mount_ms >= pass->since_ms && left->state.mount_ms < pass->until_ms;
	bool idle =
	        left->written_ms > pass->now_ms || left->written_ms <= pass->now_ms - pass->idle_ms;

	return !pass->running && is_unfinished(dir, left) && (own || idle) &&
	       renameat2(dir, left->entry, dir, left->name, RENAME_NOREPLACE) == 0;
}

/* Whether it needs another pass. */
static bool tidy_one(const struct tidy_pass *pass, int dir, const struct left *left)
{
	bool mounted, used;

	if (left->entry[0] == '~' && !finish(pass, dir, left))
		return false;
	mounted = is_mounted(pass->mountinfo, pass->mountinfo_len, left->port);
	used = mounted || is_connected(left->port);
	if (used && left->state.unmount_ms >= 0) {
		/* The watchdog marks the proxy of a detached mount again and again. */
		if (*pass->kept != left->port)
			log_info("mount: the proxy on port %u serves %s, and stays", left->port,
			         mounted ? "the mount again" : "a detached mount");
		*pass->kept = left->port;
		efs_state_mark(pass->dir, left->name, left->text, -1);
	}
	if (used)
		return !mounted;
	if (left->state.unmount_ms == 0 && left->written_ms <= pass->now_ms - WATCHDOG_MS)
		return end_left(pass, left);
	if (left->state.unmount_ms != 0) {
		log_info("mount: no mount uses the proxy on port %u: marked as unmounted for "
		         "efs-utils' watchdog",
		         left->port);
		efs_state_mark(pass->dir, left->name, left->text, 0);
	}
	return true;
}

bool tidy_up(const struct tidy_pass *pass)
{
	static struct left left; /* large */
	DIR *list = opendir(pass->dir);
	bool more = false;

	if (!list)
		return false;
	while (next_left(list, pass, &left))
		more = tidy_one(pass, dirfd(list), &left) || more;
	closedir(list);
	return more;
}

static struct tidy_pass make_pass(const struct conf_mount *conf, const struct target *target)
{
	return (struct tidy_pass){ .dir = EFS_STATE_DIR,
		                   .file_system = target->file_system,
		                   .path = conf->path,
		                   .now_ms = clock_wall_ms(),
		                   .idle_ms = conf->timeout_ms };
}

void tidy_begin(struct tidy *tidy, int64_t now_ms)
{
	if (!tidy->due)
		tidy->since_ms = now_ms;
	tidy->end_ms = 0;
	tidy->due = true;
}

void tidy_look(struct tidy *tidy, const struct conf_mount *conf, const struct target *target,
               bool running, bool right)
{
	struct tidy_pass pass = make_pass(conf, target);
	int64_t now_ms = clock_ms(); /* at the instant of the wall-clock time above */
	char *text;

	if (!target->by_tunnel || (!tidy->due && right) ||
	    mountinfo_read("/proc/self/mountinfo", &text, &pass.mountinfo_len) < 0)
		return;
	pass.mountinfo = text;
	if (!running && tidy->end_ms == 0)
		tidy->end_ms = now_ms;
	pass.kept = &tidy->kept;
	pass.since_ms = tidy->due ? pass.now_ms - (now_ms - tidy->since_ms) : INT64_MAX;
	pass.until_ms = pass.now_ms - (now_ms - tidy->end_ms);
	pass.running = running;
	tidy->due = tidy_up(&pass) || running;
	free(text);
}

unsigned tidy_pending(const struct conf_mount *conf, const struct target *target)
{
	static struct left left; /* large */
	struct tidy_pass pass = make_pass(conf, target);
	DIR *list = opendir(pass.dir);
	unsigned port = 0;

	if (!list)
		return 0;
	while (port == 0 && next_left(list, &pass, &left)) {
		if (is_unfinished(dirfd(list), &left) &&
		    left.written_ms > pass.now_ms - pass.idle_ms)
			port = left.port;
	}
	closedir(list);
	return port;
}
