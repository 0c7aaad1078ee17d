/*
 * wnad --purge: the files of web-node-agent-database.service in the folder of the
 * configuration. Blocks on the local disk. Secrets in them go nowhere.
 *
 * How an edited one is told: that service writes a file anew whenever its content is
 * not what it would write, so an edit of a value does not last. What lasts is a file
 * of another form, from a node where the service does not run any more.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "purge.h"
#include "str.h"

enum { GENERATED_MAX = 4096 }; /* one of this many bytes or more is none */

/* `name` and `text` are forms. userdata/database/wna-database writes them. */
static const struct generated {
	const char *folder, *name, *text;
} kinds[] = {
	{ "", "page.ini",
	  "host = \"%s\"\nport = \"%s\"\nca = \"%s\"\ndatabase = \"%s\"\n"
	  "user = \"page_%x\"\npassword = \"%s\"\n" },
	{ "", "db.password.%x", "Wn1-%w\n" },
	{ "/agent.conf.d", "50-database.conf",
	  "# By web-node-agent-database.service\n[database]\nuser = wna_%x\n"
	  "password_file = /etc/web-node-agent/db.password.%x\n" },
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool is_value(char c)
{
	return c != '\0' && c != '\n' && c != '"';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool purge_form(const char *text, const char *form)
{
	for (; *form; form++) {
		const char *start = text;

		if (*form != '%') {
			if (*text++ != *form)
				return false;
			continue;
		}
		switch (*++form) {
		case 'x':
			while (text < start + 8 && is_hex(*text))
				text++;
			if (text != start + 8)
				return false;
			break;
		case 'w':
			while (is_word(*text))
				text++;
			break;
		default:
			while (is_value(*text))
				text++;
			break;
		}
		if (text == start)
			return false;
	}
	return *text == '\0';
}

/* What a killed run left: written and not yet renamed, "NAME.new-PID". */
static bool is_unfinished(const char *name, const char *form)
{
	const char *end = strstr(name, ".new-");
	char finished[NAME_MAX + 1];
	int64_t pid;

	if (!end || !str_int64(end + 5, 1, INT32_MAX, &pid))
		return false;
	snprintf(finished, sizeof finished, "%.*s", (int)(end - name), name);
	return purge_form(finished, form);
}

static bool has_form(int dir, const char *name, const char *form)
{
	char text[GENERATED_MAX + 1];
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;
	bool same;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, text, GENERATED_MAX);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	same = n < GENERATED_MAX && strlen(text) == (size_t)n && purge_form(text, form);
	explicit_bzero(text, sizeof text);
	return same;
}

static bool look_at(int dir, const char *path, const char *name, const struct generated *kind)
{
	if (!is_unfinished(name, kind->name)) {
		if (!purge_form(name, kind->name))
			return true;
		if (!has_form(dir, name, kind->text)) {
			purge_say("kept %s/%s: it has been edited", path, name);
			return true;
		}
	}
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
		purge_say("removed %s/%s", path, name);
		return true;
	}
	purge_fail("%s/%s: %s", path, name, strerror(errno));
	return false;
}

static bool purge_kind(const char *folder, const struct generated *kind)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	bool all = true;
	DIR *dir;
	int fd;

	snprintf(path, sizeof path, "%s%s", folder, kind->folder);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (errno == ENOENT)
			return true;
		purge_fail("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir)))
		all = look_at(dirfd(dir), path, entry->d_name, kind) && all;
	closedir(dir);
	return all;
}

bool purge_files(const char *folder)
{
	bool all = true;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		all = purge_kind(folder, &kinds[i]) && all;
	return all;
}
