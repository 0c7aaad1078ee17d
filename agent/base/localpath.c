/* wna-check, wna-rds, wnactl. May block on a local disk, never on the network. Owns nothing. */
#include "localpath.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mountinfo.h"
#include "str.h"

enum { LINKS_MAX = 40 }; /* what the kernel follows */

struct walk {
	const char *shared;
	const char *mountinfo;
	size_t mountinfo_len;
	char *why;
	size_t why_size;
};

bool localpath_is_network(const char *type)
{
	static const char *const names[] = {
		"nfs",    "nfs4",  "efs",   "cifs",   "smb3",     "smbfs", "ceph",
		"9p",     "afs",   "coda",  "lustre", "gfs2",     "ocfs2", "fuse",
		"autofs", "ncpfs", "pvfs2", "beegfs", "virtiofs",
	};

	if (strncmp(type, "fuse.", 5) == 0)
		return true;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(type, names[i]) == 0)
			return true;
	}
	return false;
}

/* True if `path` is `top` or below it. */
static bool walk_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	while (len > 1 && top[len - 1] == '/')
		len--;
	if (len == 0 || strncmp(path, top, len) != 0)
		return false;
	return path[len] == '\0' || path[len] == '/' || len == 1;
}

static int walk_allowed(const struct walk *walk, const char *path)
{
	struct mountinfo mount;
	int r;

	if (walk->shared[0] != '\0' && walk_below(path, walk->shared)) {
		snprintf(walk->why, walk->why_size, "not touched: %s is on the shared file system",
		         path);
		return -EREMOTE;
	}
	r = mountinfo_holding(walk->mountinfo, walk->mountinfo_len, path, &mount);
	if (r <= 0) {
		snprintf(walk->why, walk->why_size,
		         "not touched: mountinfo does not say what %s is on", path);
		return r < 0 ? r : -EIO;
	}
	/* The use of an automounter's directory mounts something. */
	if (localpath_is_network(mount.type) || strcmp(mount.type, "autofs") == 0) {
		snprintf(walk->why, walk->why_size,
		         "not touched: %s is on a network file system (%s)", path, mount.type);
		return -EREMOTE;
	}
	return 0;
}

/* Puts `target` in front of the rest of the path. */
static int walk_splice(char *rest, size_t size, const char *target, const char *tail)
{
	char joined[PATH_MAX];
	int n = snprintf(joined, sizeof joined, "%s/%s", target, tail);

	if (n < 0 || (size_t)n >= sizeof joined || (size_t)n >= size)
		return -ENAMETOOLONG;
	memcpy(rest, joined, (size_t)n + 1);
	return 0;
}

static int walk_path(const struct walk *walk, const char *path, char *at, size_t size)
{
	char rest[PATH_MAX], target[PATH_MAX];
	size_t len = 0;
	int links = 0;
	int r;

	if (path[0] != '/' || !str_copy(rest, sizeof rest, path))
		return -EINVAL;
	at[0] = '\0';
	r = walk_allowed(walk, "/");
	if (r < 0)
		return r;
	for (char *next = rest;;) {
		size_t n;
		ssize_t got;

		next += strspn(next, "/");
		n = strcspn(next, "/");
		if (n == 0)
			break;
		if (n == 1 && next[0] == '.') {
			next += n;
			continue;
		}
		if (n == 2 && next[0] == '.' && next[1] == '.') {
			while (len > 0 && at[--len] != '/')
				;
			at[len] = '\0';
			next += n;
			continue;
		}
		if (len + 1 + n + 1 > size)
			return -ENAMETOOLONG;
		at[len] = '/';
		memcpy(at + len + 1, next, n);
		at[len + 1 + n] = '\0';
		next += n;
		r = walk_allowed(walk, at);
		if (r < 0)
			return r;
		got = readlink(at, target, sizeof target - 1);
		if (got < 0) {
			if (errno != EINVAL)
				return -errno;
			len += 1 + n; /* no link: one step down */
			continue;
		}
		if (++links > LINKS_MAX)
			return -ELOOP;
		target[got] = '\0';
		if (target[0] == '/')
			len = 0;
		at[len] = '\0';
		r = walk_splice(rest, sizeof rest, target, next);
		if (r < 0)
			return r;
		next = rest;
	}
	if (len == 0)
		str_copy(at, size, "/");
	return 0;
}

int localpath_resolve(const char *mountinfo, const char *shared, const char *path, char *ret,
                      size_t size, char *why, size_t why_size)
{
	struct walk walk = { .shared = shared, .why = why, .why_size = why_size };
	char at[PATH_MAX], word[128];
	char *text = NULL;
	int r;

	why[0] = '\0';
	r = mountinfo_read(mountinfo, &text, &walk.mountinfo_len);
	if (r < 0) {
		snprintf(why, why_size, "not touched: %s: %s", mountinfo,
		         str_errno(-r, word, sizeof word));
		return -EIO;
	}
	walk.mountinfo = text;
	r = walk_path(&walk, path, at, sizeof at);
	if (r == 0 && !str_copy(ret, size, at))
		r = -ENAMETOOLONG;
	if (r < 0 && why[0] == '\0')
		snprintf(why, why_size, "%s: %s", path, str_errno(-r, word, sizeof word));
	free(text);
	return r;
}
