/*
 * Run by wnactl; reads local files and may wait for the local disk. Owns
 * the draft until conf_read returns it.
 *
 * The loop over lines is our own: all problems are reported with their lines, and a
 * long or indented line, or a comment behind a value, must not change the meaning
 * of a file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_load.h"
#include "str.h"

enum { FILE_MAX_BYTES = 256 * 1024, LINE_MAX_BYTES = LIMIT_CONF_LINE - 2 };

struct loader {
	struct conf_draft *draft;
	struct conf_origin at;
	const char *section; /* that keys belong to; NULL: none yet */
	int slot;            /* of the check; -1: another section */
	bool skip;           /* the section was refused, and its keys are not looked at */
};

#define BLAME(l, error, ...) conf_problem_put((l)->draft, error, (l)->at, __VA_ARGS__)

/* The slot of that check, a new one if there is none. -1 if refused. */
static int check_slot(struct loader *l, const char *name)
{
	struct conf_checks *checks = &l->draft->conf.checks;
	int slot = 0;

	while (slot < checks->count && strcmp(checks->item[slot].name, name) != 0)
		slot++;
	if (slot < checks->count)
		return slot;
	if (!str_only(name, "_-.") || strlen(name) >= LIMIT_NAME) {
		BLAME(l, CONF_UNKNOWN,
		      "[check %.80s]: expected a name of at most %d letters, digits and _ - .",
		      name, LIMIT_NAME - 1);
		return -1;
	}
	if (slot == LIMIT_CHECKS) {
		BLAME(l, CONF_RANGE, "[check %s]: expected at most %d checks", name, LIMIT_CHECKS);
		return -1;
	}
	str_copy(checks->item[slot].name, LIMIT_NAME, name);
	conf_reset(true, &checks->item[slot]);
	return checks->count++;
}

/* Sets l->section and l->slot. Returns where the section's line is noted; NULL if refused. */
static struct conf_origin *enter_section(struct loader *l, const char *name)
{
	int i = conf_section_find(name);
	const char *near;
	char word[LIMIT_NAME];

	l->slot = -1;
	if (strncmp(name, "check ", 6) == 0) {
		l->section = "check";
		l->slot = check_slot(l, name + 6);
		return l->slot < 0 ? NULL : &l->draft->checks[l->slot].begun;
	}
	if (i >= 0 && strcmp(name, "check") != 0) {
		l->section = conf_sections[i];
		return &l->draft->sections[i];
	}
	snprintf(word, sizeof word, "%.*s", (int)strcspn(name, " "), name);
	near = conf_nearest(NULL, word);
	if (near)
		BLAME(l, CONF_UNKNOWN, "[%.80s]: unknown section; did you mean [%s%s]?", name, near,
		      strcmp(near, "check") == 0 ? " NAME" : "");
	else
		BLAME(l, CONF_UNKNOWN,
		      "[%.80s]: unknown section, expected agent, health, imds, mount, check NAME, "
		      "database, hooks or metrics",
		      name);
	return NULL;
}

/* A section may be opened once in each file. */
static void read_section(struct loader *l, char *text)
{
	char *end = strchr(text, ']'), *name = text + 1, *rest;
	struct conf_origin *begun;

	l->skip = true;
	if (!end) {
		BLAME(l, CONF_SYNTAX, "expected ] after the section's name");
		return;
	}
	*end = '\0';
	begun = enter_section(l, name);
	if (!begun)
		return;
	l->skip = false;
	rest = str_trim(end + 1);
	if (begun->file == l->at.file)
		BLAME(l, CONF_SYNTAX, "[%.80s]: duplicate section, first opened at line %d", name,
		      begun->line);
	else if (*rest && *rest != '#' && *rest != ';')
		BLAME(l, CONF_SYNTAX, "expected nothing after [%.80s] but a comment, got \"%.80s\"",
		      name, rest);
	else
		*begun = l->at;
}

/* The "#" or ";" that begins a word of the value, or NULL. */
static const char *comment_in(const char *value)
{
	for (const char *c = value; (c = strpbrk(c, "#;")) != NULL; c++) {
		if (c == value || c[-1] == ' ' || c[-1] == '\t')
			return c;
	}
	return NULL;
}

static void read_value(struct loader *l, const struct conf_key *key, const char *title,
                       const char *value)
{
	struct conf_origin *origin = conf_origin_of(l->draft, key, l->slot);
	char expected[160];

	if (origin->file == l->at.file) {
		BLAME(l, CONF_SYNTAX, "%s.%s: duplicate key, first given at line %d", title,
		      key->name, origin->line);
		return;
	}
	*origin = l->at;
	if (comment_in(value))
		BLAME(l, CONF_SYNTAX, "%s.%s: a comment needs a line of its own, got \"%.80s\"",
		      title, key->name, comment_in(value));
	else if (!conf_key_set(key, conf_base(l->draft, l->slot), value, expected, sizeof expected))
		BLAME(l, CONF_RANGE, "%s.%s: expected %s, got \"%.100s\"", title, key->name,
		      expected, value);
}

static void read_key(struct loader *l, char *text)
{
	char *value = strchr(text, '='), title[CONF_TITLE];
	const struct conf_key *key;
	const char *near;

	if (!value) {
		BLAME(l, CONF_SYNTAX, "expected [section], key = value or a # comment");
		return;
	}
	*value++ = '\0';
	text = str_trim(text);
	if (l->skip)
		return;
	if (!l->section) {
		BLAME(l, CONF_SYNTAX, "%.80s: expected a [section] before the first key", text);
		return;
	}
	conf_title(l->draft, l->section, l->slot, title, sizeof title);
	key = conf_key_find(l->section, text);
	if (key) {
		read_value(l, key, title, str_trim(value));
		return;
	}
	near = conf_nearest(l->section, text);
	if (!near) {
		/* Perhaps a key of a later version, after a downgrade. */
		BLAME(l, CONF_UNKNOWN,
		      "%s.%.80s: unknown key; wnactl config --keys lists the keys of "
		      "version " WNA_VERSION,
		      title, text);
		return;
	}
	BLAME(l, CONF_UNKNOWN, "%s.%.80s: unknown key; did you mean %s?", title, text, near);
	/* It counts as given: it is not reported as missing too. */
	*conf_origin_of(l->draft, conf_key_find(l->section, near), l->slot) = l->at;
}

/* `len` is that of the line, which may contain NUL bytes. */
static void read_line(struct loader *l, char *line, size_t len)
{
	if (len > LINE_MAX_BYTES || strlen(line) != len) {
		BLAME(l, CONF_SYNTAX, "line longer than %d bytes, or with a NUL byte",
		      LINE_MAX_BYTES);
		return;
	}
	if (l->at.line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3; /* a byte order mark */
	line = str_trim(line);
	if (*line == '[')
		read_section(l, line);
	else if (*line && *line != '#' && *line != ';')
		read_key(l, line);
}

static void read_text(struct loader *l, char *text, size_t len)
{
	char *end = text + len, *next;

	for (char *line = text; line < end; line = next + 1) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			next = end;
		*next = '\0';
		l->at.line++;
		read_line(l, line, (size_t)(next - line));
	}
}

/* False if out of memory. */
static bool read_file(struct loader *l, const char *path)
{
	char *text = malloc(FILE_MAX_BYTES + 1), *copy = strdup(path);
	size_t len = 0;
	FILE *file;

	if (!text || !copy) {
		free(text);
		free(copy);
		return false;
	}
	l->draft->files[++l->draft->file_count] = copy;
	l->at = (struct conf_origin){ .file = l->draft->file_count };
	l->section = NULL;
	l->skip = false;
	file = fopen(path, "re");
	if (file)
		len = fread(text, 1, FILE_MAX_BYTES + 1, file);
	if (!file || ferror(file))
		BLAME(l, CONF_UNREADABLE, "cannot be read: %s", strerror(errno));
	else if (len > FILE_MAX_BYTES)
		BLAME(l, CONF_SYNTAX, "longer than %d bytes", FILE_MAX_BYTES);
	else
		read_text(l, text, len);
	if (file)
		fclose(file);
	free(text);
	return true;
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* agent.conf -> agent.conf.d/ *.conf in the order of their bytes. False if out of memory. */
static bool read_drop_ins(struct loader *l, const char *file)
{
	char folder[LIMIT_PATH * 2], path[LIMIT_PATH * 4];
	struct dirent **entries;
	bool good = true;
	int n;

	snprintf(folder, sizeof folder, "%s.d", file);
	n = scandir(folder, &entries, is_conf, alphasort);
	l->at = (struct conf_origin){ .file = 1 };
	if (n < 0) {
		if (errno != ENOENT)
			BLAME(l, CONF_UNREADABLE, "%s cannot be read: %s", folder, strerror(errno));
		return true;
	}
	if (n > LIMIT_CONF_FILES)
		BLAME(l, CONF_RANGE, "expected at most %d files in %s", LIMIT_CONF_FILES, folder);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
		if (i < LIMIT_CONF_FILES)
			good = good && read_file(l, path);
	}
	free(entries);
	return good;
}

void conf_defaults(struct conf *ret_conf)
{
	memset(ret_conf, 0, sizeof *ret_conf);
	conf_reset(false, ret_conf);
}

struct conf_draft *conf_read(const char *file)
{
	struct loader l = { .draft = calloc(1, sizeof *l.draft) };

	if (!l.draft)
		return NULL;
	conf_defaults(&l.draft->conf);
	if (!read_file(&l, file) || !read_drop_ins(&l, file)) {
		conf_draft_free(l.draft);
		return NULL;
	}
	conf_check_values(l.draft);
	return l.draft;
}

void conf_draft_free(struct conf_draft *draft)
{
	if (!draft)
		return;
	for (int i = 1; i <= draft->file_count; i++)
		free(draft->files[i]);
	free(draft);
}
