/*
 * wnad only, at start and on reload; reads local files (inih), may wait for
 * the local disk. Owns nothing after it returns.
 */
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_origin.h"
#include "str.h"

struct loader {
	struct conf conf;
	struct conf_problem *problem;
	enum conf_error error;

	FILE *stream;
	const char *file;
	int line;                    /* of the line that inih was given last */
	char value[LIMIT_CONF_LINE]; /* on that line */

	struct conf_origins *origins; /* also tells duplicates apart from drop-ins */
	struct {
		char name[LIMIT_NAME * 2];
		struct origin at;
	} sections[LIMIT_CHECKS + 16];
	int section_count;
};

__attribute__((format(printf, 4, 5))) static void blame(struct loader *l, enum conf_error error,
                                                        int line, const char *format, ...)
{
	size_t used;
	va_list args;
	int n;

	if (l->error)
		return;
	l->error = error;
	l->problem->error = error;
	n = line > 0 ? snprintf(l->problem->text, sizeof l->problem->text, "%s:%d: ", l->file, line)
	             : snprintf(l->problem->text, sizeof l->problem->text, "%s: ", l->file);
	used = n < 0 ? 0 : (size_t)n;
	if (used >= sizeof l->problem->text)
		return;
	va_start(args, format);
	vsnprintf(l->problem->text + used, sizeof l->problem->text - used, format, args);
	va_end(args);
}

static void mark(const struct loader *l, struct origin *origin)
{
	origin->file = l->origins->file_count;
	origin->line = l->line;
}

/* "check web" -> the slot of check "web", a new one if there is none. -1 if blamed. */
static int check_slot(struct loader *l, const char *name)
{
	struct conf_checks *checks = &l->conf.checks;
	struct conf_check *check;
	char expected[16];

	for (int i = 0; i < checks->count; i++) {
		if (strcmp(checks->item[i].name, name) == 0)
			return i;
	}
	if (!str_only(name, "_-.") || strlen(name) >= LIMIT_NAME) {
		blame(l, CONF_UNKNOWN, l->line,
		      "[check %.80s]: expected a name of letters, digits and _ - .", name);
		return -1;
	}
	if (checks->count == LIMIT_CHECKS) {
		blame(l, CONF_VALUE, l->line, "[check %s]: expected at most %d checks", name,
		      LIMIT_CHECKS);
		return -1;
	}
	check = &checks->item[checks->count];
	str_copy(check->name, sizeof check->name, name);
	for (size_t i = 0; i < conf_keys_count; i++) {
		if (strcmp(conf_keys[i].section, "check") == 0)
			conf_key_set(&conf_keys[i], check, conf_keys[i].initial, expected,
			             sizeof expected);
	}
	str_copy(l->origins->checks[checks->count].name, LIMIT_NAME, name);
	mark(l, &l->origins->checks[checks->count].begun);
	return checks->count++;
}

/* A section may be opened once per file; drop-ins open it again. inih calls us
 * per key and hides headers, so headers are seen where lines are read. */
static void see_section(struct loader *l, char *text)
{
	char *end = strchr(text, ']');
	struct origin *at = NULL;
	char *name = text + 1, *rest;

	if (!end) {
		blame(l, CONF_SYNTAX, l->line, "expected ] after the section's name");
		return;
	}
	*end = '\0';
	rest = str_trim(end + 1);
	if (*rest != '\0' && *rest != '#' && *rest != ';') {
		/* inih reads no further than the bracket. */
		blame(l, CONF_SYNTAX, l->line,
		      "expected nothing after [%.80s] but a comment, got \"%.80s\"", name, rest);
		return;
	}
	for (int i = 0; i < l->section_count; i++) {
		if (strcmp(l->sections[i].name, name) == 0)
			at = &l->sections[i].at;
	}
	if (at && at->file == l->origins->file_count) {
		blame(l, CONF_SYNTAX, l->line,
		      "[%.80s]: duplicate section, first opened at line %d", name, at->line);
		return;
	}
	if (!at) {
		if ((size_t)l->section_count == sizeof l->sections / sizeof l->sections[0] ||
		    strlen(name) >= sizeof l->sections[0].name) {
			blame(l, CONF_SYNTAX, l->line,
			      "[%.80s]: too many sections, or name too long", name);
			return;
		}
		str_copy(l->sections[l->section_count].name, sizeof l->sections[0].name, name);
		at = &l->sections[l->section_count++].at;
	}
	mark(l, at);
	if (strncmp(name, "check ", 6) == 0)
		check_slot(l, name + 6);
	else if (!conf_section_known(name) || strcmp(name, "check") == 0)
		blame(l, CONF_UNKNOWN, l->line,
		      "[%.80s]: unknown section, expected agent, health, imds, mount, check NAME, "
		      "database, hooks or metrics",
		      name);
}

/* inih cuts a value off at " ;" without a word, and has not the room for all that
 * a key may hold: it is given the line up to the "=", and the value is kept. */
static void keep_value(struct loader *l, char *text)
{
	char *end = text + strcspn(text, "=:");
	char *value;

	if (*end == '\0')
		return;
	value = str_trim(end + 1);
	for (const char *c = value; (c = strpbrk(c, "#;")) != NULL; c++) {
		if (c == value || c[-1] == ' ' || c[-1] == '\t') {
			*end = '\0';
			blame(l, CONF_SYNTAX, l->line,
			      "%.80s: a comment needs a line of its own, got \"%.80s\"",
			      str_trim(text), c);
			return;
		}
	}
	str_copy(l->value, sizeof l->value, value);
	end[1] = '\0';
}

/*
 * inih's reader: one line per call. It silently splits lines that are longer
 * than its buffer (200 bytes as Debian builds it) and takes indented lines as
 * continuations; both would change the meaning of a file without a word. A byte
 * order mark before the first line is no part of it.
 */
static char *read_line(char *buf, int size, void *stream)
{
	struct loader *l = stream;
	char line[LIMIT_CONF_LINE];
	char *text;
	size_t len;

	if (l->error || !fgets(line, sizeof line, l->stream))
		return NULL;
	l->line++;
	len = strlen(line);
	if (len + 1 == sizeof line || (len > 0 && line[len - 1] != '\n' && !feof(l->stream))) {
		blame(l, CONF_SYNTAX, l->line, "line longer than %d bytes, or with a NUL byte",
		      LIMIT_CONF_LINE - 2);
		return NULL;
	}
	text = line;
	/* Else the first section would be one that we have not seen, and inih has. */
	if (l->line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	text = str_trim(text);
	if (*text == '\0' || *text == '#' || *text == ';')
		text = line + strlen(line); /* inih still counts the line */
	if (*text != '[')
		keep_value(l, text);
	if (strlen(text) + 2 > (size_t)size)
		blame(l, CONF_SYNTAX, l->line, "no section or key is longer than %d bytes",
		      size - 2);
	if (l->error)
		return NULL;
	snprintf(buf, (size_t)size, "%s\n", text);
	if (*text == '[') {
		see_section(l, text);
		if (l->error)
			return NULL;
	}
	return buf;
}

static bool duplicate(struct loader *l, const struct origin *origin, const char *section,
                      const char *name)
{
	if (origin->file != l->origins->file_count)
		return false;
	blame(l, CONF_SYNTAX, l->line, "%s.%s: duplicate key, first given at line %d", section,
	      name, origin->line);
	return true;
}

static int handle_key(void *user, const char *section, const char *name, const char *empty)
{
	struct loader *l = user;
	const char *value = l->value;
	const struct conf_key *key;
	struct origin *origin;
	const char *plain = section;
	void *base = &l->conf;
	char expected[160];
	int slot = -1;

	(void)empty;
	if (l->error)
		return 0;
	if (strncmp(section, "check ", 6) == 0) {
		plain = "check";
		slot = check_slot(l, section + 6);
		if (slot < 0)
			return 0;
		base = &l->conf.checks.item[slot];
	}
	if (*section == '\0') {
		blame(l, CONF_SYNTAX, l->line, "%.80s: expected a [section] before the first key",
		      name);
		return 0;
	}
	key = conf_key_find(plain, name);
	if (!key) {
		/* Perhaps one of a later version, after a downgrade. */
		blame(l, CONF_UNKNOWN, l->line,
		      "%s.%.80s: unknown key; wnad --keys lists those of version " WNA_VERSION,
		      section, name);
		return 0;
	}
	origin = conf_origins_key(l->origins, key, slot);
	if (duplicate(l, origin, section, name))
		return 0;
	if (!conf_key_set(key, base, value, expected, sizeof expected)) {
		blame(l, CONF_VALUE, l->line, "%s.%s: expected %s, got \"%.100s\"", section, name,
		      expected, value);
		return 0;
	}
	mark(l, origin);
	return 1;
}

static void load_file(struct loader *l, const char *file)
{
	int rc;

	l->file = file;
	l->line = 0;
	if (!conf_origins_file(l->origins, file)) {
		blame(l, CONF_UNREADABLE, 0, "out of memory");
		return;
	}
	l->stream = fopen(file, "re");
	if (!l->stream) {
		blame(l, CONF_UNREADABLE, 0, "cannot be read: %s", strerror(errno));
		return;
	}
	rc = ini_parse_stream(read_line, l, handle_key, l);
	if (!l->error && ferror(l->stream))
		blame(l, CONF_UNREADABLE, 0, "cannot be read: %s", strerror(errno));
	if (!l->error && rc > 0)
		blame(l, CONF_SYNTAX, rc, "expected [section], key = value or a # comment");
	if (!l->error && rc < 0)
		blame(l, CONF_UNREADABLE, 0, "cannot be read");
	fclose(l->stream);
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* agent.conf -> agent.conf.d/ *.conf in the order of their bytes. */
static void load_drop_ins(struct loader *l, const char *file)
{
	char folder[LIMIT_PATH * 2], path[LIMIT_PATH * 4];
	struct dirent **entries;
	int n;

	snprintf(folder, sizeof folder, "%s.d", file);
	n = scandir(folder, &entries, is_conf, alphasort);
	if (n < 0) {
		l->file = folder;
		if (errno != ENOENT)
			blame(l, CONF_UNREADABLE, 0, "cannot be read: %s", strerror(errno));
		return;
	}
	if (n > LIMIT_CONF_FILES) {
		l->file = folder;
		blame(l, CONF_VALUE, 0, "expected at most %d files", LIMIT_CONF_FILES);
	}
	for (int i = 0; i < n; i++) {
		if (!l->error) {
			snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
			load_file(l, path);
		}
		free(entries[i]);
	}
	free(entries);
}

void conf_defaults(struct conf *ret)
{
	char expected[160];

	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < conf_keys_count; i++) {
		if (strcmp(conf_keys[i].section, "check") != 0)
			conf_key_set(&conf_keys[i], ret, conf_keys[i].initial, expected,
			             sizeof expected);
	}
}

enum conf_error conf_load(const char *file, struct conf *ret, struct conf_origins **ret_origins,
                          struct conf_problem *problem)
{
	const char *section, *key;
	enum conf_error error;
	struct loader *l;
	char expected[240];

	memset(problem, 0, sizeof *problem);
	l = calloc(1, sizeof *l);
	if (l)
		l->origins = calloc(1, sizeof *l->origins);
	if (!l || !l->origins) {
		free(l);
		problem->error = CONF_UNREADABLE;
		str_copy(problem->text, sizeof problem->text, "out of memory");
		return problem->error;
	}
	l->problem = problem;
	conf_defaults(&l->conf);
	load_file(l, file);
	if (!l->error)
		load_drop_ins(l, file);
	error = l->error;
	if (!error) {
		error = conf_check_values(&l->conf, &section, &key, expected, sizeof expected);
		if (error)
			conf_blame(l->origins, error, section, key, problem, "expected %s",
			           expected);
	}
	if (!error)
		*ret = l->conf;
	if (!error && ret_origins)
		*ret_origins = l->origins;
	else
		conf_origins_free(l->origins);
	free(l);
	return error;
}
