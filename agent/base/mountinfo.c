/*
 * wnad, wna-mount, wna-probe, wna-check. Reads /proc files only, which never
 * wait for a server. Format: proc_pid_mountinfo(5).
 */
#include "mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "str.h"

enum { MOUNTINFO_MAX_BYTES = 4 << 20 };

/* The next blank-separated field of line[*at..len), decoded. False when there
 * is none or it does not fit (with `cut`, the rest is left out instead: the
 * layers of an overlay make options of any length). The kernel escapes blank,
 * tab, newline and backslash as three octal digits. */
static bool take_field(const char *line, size_t len, size_t *at, char *ret, size_t size, bool cut)
{
	size_t out = 0, i = *at;

	while (i < len && line[i] == ' ')
		i++;
	if (i == len)
		return false;
	for (; i < len && line[i] != ' '; i++) {
		char c = line[i];

		if (c == '\\' && i + 3 < len && line[i + 1] >= '0' && line[i + 1] <= '3' &&
		    line[i + 2] >= '0' && line[i + 2] <= '7' && line[i + 3] >= '0' &&
		    line[i + 3] <= '7') {
			c = (char)((line[i + 1] - '0') * 64 + (line[i + 2] - '0') * 8 +
			           (line[i + 3] - '0'));
			i += 3;
		}
		if (c == '\0' || (out + 1 >= size && !cut))
			return false;
		if (out + 1 < size)
			ret[out++] = c;
	}
	ret[out] = '\0';
	*at = i;
	return true;
}

static bool next_field(const char *line, size_t len, size_t *at, char *ret, size_t size)
{
	return take_field(line, len, at, ret, size, false);
}

static bool next_long_field(const char *line, size_t len, size_t *at, char *ret, size_t size)
{
	return take_field(line, len, at, ret, size, true);
}

static bool number_field(const char *line, size_t len, size_t *at, int64_t *ret)
{
	char text[24];

	return next_field(line, len, at, text, sizeof text) && str_int64(text, 0, INT32_MAX, ret);
}

static bool device_field(const char *line, size_t len, size_t *at, struct mountinfo *mi)
{
	int64_t major, minor;
	char text[32];
	char *colon;

	if (!next_field(line, len, at, text, sizeof text))
		return false;
	colon = strchr(text, ':');
	if (!colon)
		return false;
	*colon = '\0';
	if (!str_int64(text, 0, INT32_MAX, &major) || !str_int64(colon + 1, 0, INT32_MAX, &minor))
		return false;
	mi->major = (unsigned)major;
	mi->minor = (unsigned)minor;
	return true;
}

/* Optional fields ("shared:1" ...) up to the lone "-". */
static bool skip_optional(const char *line, size_t len, size_t *at)
{
	char text[128];

	while (next_field(line, len, at, text, sizeof text)) {
		if (strcmp(text, "-") == 0)
			return true;
	}
	return false;
}

bool mountinfo_parse_line(const char *line, size_t len, struct mountinfo *ret)
{
	struct mountinfo mi;
	size_t at = 0;

	if (!number_field(line, len, &at, &mi.id) || !number_field(line, len, &at, &mi.parent) ||
	    !device_field(line, len, &at, &mi) ||
	    !next_long_field(line, len, &at, mi.root, sizeof mi.root) ||
	    !next_field(line, len, &at, mi.path, sizeof mi.path) ||
	    !next_long_field(line, len, &at, mi.options, sizeof mi.options) ||
	    !skip_optional(line, len, &at) || !next_field(line, len, &at, mi.type, sizeof mi.type))
		return false;
	/* An empty source ("") leaves two blanks and then the last field only. */
	if (at < len && at + 1 < len && line[at] == ' ' && line[at + 1] == ' ')
		mi.source[0] = '\0';
	else if (!next_long_field(line, len, &at, mi.source, sizeof mi.source))
		return false;
	if (!next_long_field(line, len, &at, mi.super_options, sizeof mi.super_options))
		return false;
	*ret = mi;
	return true;
}

/* Calls `take` for each line that parses; returns how many did. */
typedef void take_mount(void *arg, const struct mountinfo *mi);

static size_t each_mount(const char *text, size_t len, take_mount *take, void *arg)
{
	struct mountinfo mi;
	size_t taken = 0;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (mountinfo_parse_line(text, line, &mi)) {
			take(arg, &mi);
			taken++;
		}
		line += end ? 1 : 0;
		text += line;
		len -= line;
	}
	return taken;
}

struct search {
	const char *path;
	struct mountinfo *best;
	size_t best_len;
	bool found;
};

/* The kernel lists mounts in the order of their making; a later one on the
 * same path lies on top, unless it was mounted beneath and is the parent of
 * the one we have. */
static void take_exact(void *arg, const struct mountinfo *mi)
{
	struct search *search = arg;

	if (strcmp(mi->path, search->path) != 0)
		return;
	if (search->found && search->best->parent == mi->id)
		return;
	*search->best = *mi;
	search->found = true;
}

static bool lies_below(const char *path, const char *mount, size_t mount_len)
{
	if (strncmp(path, mount, mount_len) != 0)
		return false;
	return mount_len == 1 || path[mount_len] == '\0' || path[mount_len] == '/';
}

static void take_longest(void *arg, const struct mountinfo *mi)
{
	struct search *search = arg;
	size_t len = strlen(mi->path);

	if (!lies_below(search->path, mi->path, len) || (search->found && len < search->best_len))
		return;
	if (search->found && len == search->best_len && search->best->parent == mi->id)
		return;
	*search->best = *mi;
	search->best_len = len;
	search->found = true;
}

static int search_mounts(const char *text, size_t len, const char *path, take_mount *take,
                         struct mountinfo *ret)
{
	struct mountinfo best;
	struct search search = { .path = path, .best = &best };

	if (each_mount(text, len, take, &search) == 0)
		return -EBADMSG;
	if (!search.found)
		return 0;
	*ret = best;
	return 1;
}

int mountinfo_topmost(const char *text, size_t len, const char *path, struct mountinfo *ret)
{
	return search_mounts(text, len, path, take_exact, ret);
}

int mountinfo_holding(const char *text, size_t len, const char *path, struct mountinfo *ret)
{
	return search_mounts(text, len, path, take_longest, ret);
}

int mountinfo_read(const char *file, char **ret_text, size_t *ret_len)
{
	size_t size = 64 * 1024, len = 0;
	char *text = NULL, *grown;
	int fd, rc = -ENOMEM;
	ssize_t n;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	text = malloc(size);
	if (!text)
		goto out;
	while ((n = read(fd, text + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			goto out;
		}
		len += (size_t)n;
		if (len < size)
			continue;
		rc = -EFBIG;
		if (size >= MOUNTINFO_MAX_BYTES)
			goto out;
		rc = -ENOMEM;
		grown = realloc(text, size * 2);
		if (!grown)
			goto out;
		text = grown;
		size *= 2;
	}
	*ret_text = text;
	*ret_len = len;
	text = NULL;
	rc = 0;
out:
	free(text);
	close(fd);
	return rc;
}

bool mountinfo_option(const char *options, const char *name, char *ret, size_t size)
{
	size_t name_len = strlen(name);

	while (*options) {
		size_t len = strcspn(options, ",");

		if (len > name_len && options[name_len] == '=' &&
		    strncmp(options, name, name_len) == 0) {
			size_t value = len - name_len - 1;

			if (value >= size)
				return false;
			memcpy(ret, options + name_len + 1, value);
			ret[value] = '\0';
			return true;
		}
		options += len;
		if (*options == ',')
			options++;
	}
	return false;
}

bool mountinfo_is_network(const char *type)
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
