/*
 * The table of configuration keys, and what the files of this room share. The
 * reader, `wnactl check`, `wnactl config` and the list in agent.conf(5) use the table.
 */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "conf_load.h"

enum { CONF_TITLE = LIMIT_NAME + 8 }; /* size for conf_title */

enum conf_type {
	CONF_TYPE_BOOL,     /* bool; yes/no */
	CONF_TYPE_INT,      /* int32_t, min..max */
	CONF_TYPE_COUNT,    /* int64_t, min..max */
	CONF_TYPE_DURATION, /* int64_t milliseconds, min..max */
	CONF_TYPE_BYTES,    /* int64_t, min..max */
	CONF_TYPE_TEXT,     /* char[max]; printable, no control characters */
	CONF_TYPE_NAME,     /* char[max]; [A-Za-z0-9._:@/+=-], may be empty */
	CONF_TYPE_PATH,     /* char[max]; absolute, no "." or ".." parts, may be empty */
	CONF_TYPE_ENUM,     /* int32_t index into `names` */
	CONF_TYPE_ENDPOINT, /* struct net_endpoint, may be empty if the default is */
	CONF_TYPE_NETS,     /* struct net_list */
	CONF_TYPE_STATUS,   /* two int32_t: "200" or "200-299" */
};

struct conf_key {
	const char *section; /* "check" stands for every [check NAME] */
	const char *name;
	enum conf_type type;
	int uses;      /* types of checks that use the key, as 1 << CHECK_HTTP; 0: all */
	size_t offset; /* in struct conf; for "check" in struct conf_check */
	const char *initial;
	int64_t min, max; /* durations in ms; for texts max is the buffer's size */
	const char *const *names;
	const char *help;
};

/* The keys of a section stand together. */
extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/* The sections in the order of conf_keys; NULL behind the last. */
extern const char *const conf_sections[];

/* NULL if there is no such section or key. */
const struct conf_key *conf_key_find(const char *section, const char *name);
/* The index in conf_sections, or -1. */
int conf_section_find(const char *section);

/* The key of `section` (NULL: the section) that `word` is a misspelling of, or NULL. */
const char *conf_nearest(const char *section, const char *word);

/*
 * Sets one value in *base (struct conf, or struct conf_check). False with what
 * was expected in `expected` if the text is not a value of that kind.
 */
bool conf_key_set(const struct conf_key *key, void *base, const char *text, char *expected,
                  size_t size);

/* Sets all keys of a check, or all others, to their defaults. */
void conf_reset(bool check, void *base);

/* The value as conf_key_set would read it. Returns `ret`. */
char *conf_key_text(const struct conf_key *key, const void *base, char *ret, size_t size);

/* Adds to the problems what values say of each other. */
void conf_check_values(struct conf_draft *draft);

/* In the following, `slot` is the index in conf.checks for keys of checks, else -1. */

/* What conf_key_set and conf_key_text need. */
void *conf_base(struct conf_draft *draft, int slot);
/* "mount", "check NAME". Returns `ret`. */
char *conf_title(const struct conf_draft *draft, const char *section, int slot, char *ret,
                 size_t size);
/* Where the key's line is noted. */
struct conf_origin *conf_origin_of(struct conf_draft *draft, const struct conf_key *key, int slot);

/* Adds "FILE:LINE: text" to the problems; for CONF_OK "FILE:LINE: warning: text" to the
 * remarks. */
void conf_problem_put(struct conf_draft *draft, enum conf_error error, struct conf_origin at,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * The same with "SECTION.KEY: " before the text, at the line that gave the key, or
 * that opened the section, or at the main file. Does nothing if the key's line has a
 * problem already: its value is then not what the operator meant.
 */
void conf_blame(struct conf_draft *draft, enum conf_error error, const char *section, int slot,
                const char *key, const char *format, ...) __attribute__((format(printf, 6, 7)));

#endif
