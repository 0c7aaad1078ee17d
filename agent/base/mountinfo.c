/* wna-mount, wna-check, wna-rds, wnactl. Never blocks; owns nothing. */
#include "mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "str.h"

enum { MOUNTINFO_MAX_BYTES = 4 << 20 };

/* The next field of line[*at..len), without escapes: the kernel writes blank, tab, newline and
 * backslash as three octal digits. False if there is none, or if it does not fit. With `cut` it
 * is cut then: the options of an overlay have any length. */
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

/* A number with this character behind it. */
static bool take_number(char **at, char behind, int64_t *ret)
{
	char *end;

	*ret = strtoll(*at, &end, 10);
	if (end == *at || *end != behind)
		return false;
	*at = end + 1;
	return true;
}

/* "26 1 8:1": id, parent, device. */
static bool number_fields(const char *line, size_t len, size_t *at, struct mountinfo *mi)
{
	char head[64], *end = head;
	int64_t major, minor;

	snprintf(head, sizeof head, "%.*s", len < sizeof head ? (int)len : (int)sizeof head, line);
	if (!take_number(&end, ' ', &mi->id) || !take_number(&end, ' ', &mi->parent) ||
	    !take_number(&end, ':', &major) || !take_number(&end, ' ', &minor))
		return false;
	mi->major = (unsigned)major;
	mi->minor = (unsigned)minor;
	*at = (size_t)(end - head);
	return true;
}

/* Optional fields ("shared:1" ...) up to the lone "-". */
static bool skip_optional(const char *line, size_t len, size_t *at)
{
	char text[8];

	while (next_long_field(line, len, at, text, sizeof text)) {
		if (strcmp(text, "-") == 0)
			return true;
	}
	return false;
}

/* The first five fields: which mount it is, and where. */
static bool parse_place(const char *line, size_t len, size_t *at, struct mountinfo *mi)
{
	return number_fields(line, len, at, mi) &&
	       next_long_field(line, len, at, mi->root, sizeof mi->root) &&
	       next_field(line, len, at, mi->path, sizeof mi->path);
}

static bool parse_rest(const char *line, size_t len, size_t at, struct mountinfo *mi)
{
	if (!next_long_field(line, len, &at, mi->options, sizeof mi->options) ||
	    !skip_optional(line, len, &at) ||
	    !next_long_field(line, len, &at, mi->type, sizeof mi->type))
		return false;
	/* An empty source ("") leaves two blanks and then the last field only. */
	if (at < len && at + 1 < len && line[at] == ' ' && line[at + 1] == ' ')
		mi->source[0] = '\0';
	else if (!next_long_field(line, len, &at, mi->source, sizeof mi->source))
		return false;
	return next_long_field(line, len, &at, mi->super_options, sizeof mi->super_options);
}

bool mountinfo_parse_line(const char *line, size_t len, struct mountinfo *ret)
{
	struct mountinfo mi;
	size_t at = 0;

	if (!parse_place(line, len, &at, &mi) || !parse_rest(line, len, at, &mi))
		return false;
	*ret = mi;
	return true;
}

/* Takes the next line off the text. Its length without the newline. */
static size_t take_line(const char **text, size_t *len, const char **ret)
{
	const char *end = memchr(*text, '\n', *len);
	size_t n = end ? (size_t)(end - *text) : *len;

	*ret = *text;
	*text += n + (end ? 1 : 0);
	*len -= n + (end ? 1 : 0);
	return n;
}

bool mountinfo_next(const char **text, size_t *len, struct mountinfo *ret)
{
	while (*len > 0) {
		const char *line;
		size_t n = take_line(text, len, &line);

		if (mountinfo_parse_line(line, n, ret))
			return true;
	}
	return false;
}

/* The same without the fields after the path: a walk reads the table many times. */
static bool next_place(const char **text, size_t *len, struct mountinfo *ret)
{
	while (*len > 0) {
		const char *line;
		size_t n = take_line(text, len, &line), at = 0;

		if (parse_place(line, n, &at, ret))
			return true;
	}
	return false;
}

static bool lies_below(const char *path, const char *mount, size_t mount_len)
{
	if (strncmp(path, mount, mount_len) != 0)
		return false;
	return mount_len == 1 || path[mount_len] == '\0' || path[mount_len] == '/';
}

/* Whether a line that cannot be parsed may be about a mount that `path` lies on. False if the path
 * does not lie below the line's mount point, or if the mount point is longer than any path. */
static bool may_concern(const char *line, size_t len, const char *path)
{
	char skipped[2], mount[sizeof((struct mountinfo *)0)->path];
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		if (!next_long_field(line, len, &at, skipped, sizeof skipped))
			return true;
	}
	while (at < len && line[at] == ' ')
		at++;
	if (at == len)
		return true;
	return next_field(line, len, &at, mount, sizeof mount) &&
	       lies_below(path, mount, strlen(mount));
}

/* Whether the text is from mountinfo, and each line that may be about the path can be read. */
static bool is_readable(const char *text, size_t len, const char *path)
{
	struct mountinfo mi;
	bool any = false;

	while (len > 0) {
		const char *line;
		size_t n = take_line(&text, &len, &line);

		if (mountinfo_parse_line(line, n, &mi))
			any = true;
		else if (may_concern(line, n, path))
			return false;
	}
	return any;
}

/* A torn read may have a circle of parents: no walk has more steps than there are lines. */
static size_t count_lines(const char *text, size_t len)
{
	size_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines + 2; /* the last may have no end, and the last step finds nothing */
}

/* The id with which the search begins: the parent of the lowest mount. It has no line, or is its
 * own parent; the root directory of a chroot is often no mount. -1 if there is none. */
static int64_t find_bottom(const char *text, size_t len)
{
	struct mountinfo mi, up;
	const char *first = text;
	size_t first_len = len;

	if (!next_place(&first, &first_len, &mi))
		return -1;
	for (size_t steps = count_lines(text, len); steps > 0; steps--) {
		const char *at = text;
		size_t left = len;
		bool found = false;

		while (!found && next_place(&at, &left, &up))
			found = up.id == mi.parent;
		if (!found || up.id == up.parent)
			return mi.parent;
		mi = up;
	}
	return -1;
}

int mountinfo_holding(const char *text, size_t len, const char *path, struct mountinfo *ret)
{
	int64_t in = is_readable(text, len, path) ? find_bottom(text, len) : -1;
	size_t from = 0;
	bool found = false;

	if (in < 0 || strlen(path) >= sizeof ret->path)
		return -EBADMSG;
	/* Like the kernel: from each mount to the first mount point on the rest of the path. */
	for (size_t steps = count_lines(text, len); steps > 0; steps--) {
		const char *at = text, *line, *best = NULL;
		size_t left = len, best_len = 0, to = 0, n, pos;
		struct mountinfo mi;

		while (left > 0) {
			size_t line_len = take_line(&at, &left, &line);

			pos = 0;
			if (!parse_place(line, line_len, &pos, &mi))
				continue;
			n = strlen(mi.path);
			if (mi.parent == in && (mi.id != in || !found) && n >= from &&
			    lies_below(path, mi.path, n) && (!best || n <= to)) {
				best = line;
				best_len = line_len;
				to = n;
			}
		}
		if (!best)
			return found;
		if (!mountinfo_parse_line(best, best_len, ret))
			return -EBADMSG;
		found = true;
		in = ret->id;
		from = to;
	}
	return -EBADMSG;
}

/* Every mount on the path is hidden. Finds the topmost of them. */
static int find_hidden(const char *text, size_t len, const char *path, struct mountinfo *ret)
{
	struct mountinfo mi, upon;
	const char *at = text;
	size_t left = len;
	bool any = false, found = false;

	while (mountinfo_next(&at, &left, &mi)) {
		const char *other = text;
		size_t other_left = len;
		bool covered = false;

		if (strcmp(mi.path, path) != 0)
			continue;
		any = true;
		while (!covered && mountinfo_next(&other, &other_left, &upon))
			covered = upon.parent == mi.id && upon.id != mi.id &&
			          strcmp(upon.path, path) == 0;
		if (!covered) {
			*ret = mi;
			found = true;
		}
	}
	return found ? 1 : any ? -EBADMSG : 0;
}

int mountinfo_topmost(const char *text, size_t len, const char *path, struct mountinfo *ret)
{
	int rc = mountinfo_holding(text, len, path, ret);

	if (rc == 0 || (rc == 1 && strcmp(ret->path, path) != 0))
		rc = find_hidden(text, len, path, ret);
	return rc;
}

int mountinfo_read(const char *file, char **ret_text, size_t *ret_len)
{
	ssize_t n = -EFBIG;

	for (size_t size = 64 * 1024; n == -EFBIG && size <= MOUNTINFO_MAX_BYTES; size *= 2) {
		char *text = malloc(size);

		if (!text)
			return -ENOMEM;
		n = file_load(AT_FDCWD, file, FILE_OF_ANYBODY, text, size);
		if (n >= 0) {
			*ret_text = text;
			*ret_len = (size_t)n;
			return 0;
		}
		free(text);
	}
	return (int)n;
}

bool mountinfo_option(const char *options, const char *name, char *ret, size_t size)
{
	size_t name_len = strlen(name), len;

	for (; *options; options += len + (options[len] == ',')) {
		len = strcspn(options, ",");
		if (len < name_len || strncmp(options, name, name_len) != 0)
			continue;
		if (len > name_len && options[name_len] == '=')
			return (size_t)snprintf(ret, size, "%.*s", (int)(len - name_len - 1),
			                        options + name_len + 1) < size;
		if (len == name_len) {
			ret[0] = '\0';
			return true;
		}
	}
	return false;
}

/* Includes the NUL, which separates two texts. */
static uint64_t digest(uint64_t sum, const char *text)
{
	return str_hash(sum, text, strlen(text) + 1);
}

char *mountinfo_mark(const struct mountinfo *mi, char *ret, size_t size)
{
	static const char *const names[] = { "addr", "port" };
	uint64_t sum = STR_HASH;
	char text[64];

	snprintf(text, sizeof text, "%u:%u", mi->major, mi->minor);
	sum = digest(digest(digest(digest(sum, text), mi->root), mi->type), mi->source);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		bool given = mountinfo_option(mi->super_options, names[i], text, sizeof text);

		sum = digest(sum, given ? text : "");
	}
	snprintf(ret, size, "%.20s %.40s [%016" PRIx64 "]", mi->type,
	         mi->source[0] ? mi->source : "none", sum);
	return ret;
}
