/*
 * Reading and judging the configuration files, for wnactl and tests. All
 * other processes receive the finished struct conf.
 *
 *	conf_keys.c      the table of keys, which everything below uses, and agent.conf(5)
 *	conf_value.c     single values: text to struct and back
 *	conf_load.c      the files, line by line
 *	conf_problem.c   problems, and the lines that they are blamed on
 *	conf_check.c     the rules between values; what is allowed but probably not meant
 *	conf_machine.c   compares the values with this machine
 *	conf_print.c     wnactl config
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

/* Exit codes of `wnactl check`, `wnactl config` and `wnactl load`. */
enum conf_error {
	CONF_OK = 0,
	CONF_UNREADABLE = 3, /* a file, or a file that it names, is missing or cannot be read */
	CONF_SYNTAX = 4,     /* not INI, a duplicate section or key, a line too long */
	CONF_UNKNOWN = 5,    /* a section or key that does not exist */
	CONF_RANGE = 6,      /* a value out of range or of the wrong kind */
	CONF_MISSING = 7,    /* a key that must be given, or keys that contradict */
	CONF_SECRET = 8,     /* a secret file that is missing, empty or open to others */
};

enum {
	CONF_PROBLEMS_MAX = 32,
	CONF_SECTIONS_MAX = 16,
	CONF_KEYS_MAX = 128,
	CONF_CHECK_KEYS_MAX = 32
};

struct conf_origin {
	int file; /* index in conf_draft.files; 0: not given anywhere */
	int line; /* 0: the whole file */
};

struct conf_problem {
	enum conf_error error; /* CONF_OK: a remark */
	struct conf_origin at;
	char text[512]; /* "agent.conf:12: health.listen: expected ADDRESS:PORT, got ..." */
};

/* In the order in which they were found: reading, then values that contradict
 * each other, then the machine. */
struct conf_problems {
	int count; /* of all; item[] has the first CONF_PROBLEMS_MAX */
	struct conf_problem item[CONF_PROBLEMS_MAX];
};

/*
 * The files as far as they could be read, with all problems. `conf` may be used if
 * problems.count is 0. Nothing is copied to the caller's configuration: it stays as it is
 * when new files are bad.
 */
struct conf_draft {
	struct conf conf;
	struct conf_problems problems;
	struct conf_problems remarks; /* allowed, but probably not meant */

	/* Where each value was given; private to this room. */
	char *files[LIMIT_CONF_FILES + 2]; /* from 1, the main file; owned */
	int file_count;
	struct conf_origin sections[CONF_SECTIONS_MAX]; /* as conf_sections */
	struct conf_origin keys[CONF_KEYS_MAX];         /* as conf_keys */
	struct {
		struct conf_origin begun; /* [check NAME] */
		struct conf_origin keys[CONF_CHECK_KEYS_MAX];
	} checks[LIMIT_CHECKS]; /* as conf.checks */
};

/* All defaults, no checks, no database, no mount. */
void conf_defaults(struct conf *ret_conf);

/*
 * Reads `file`, then `file.d` / *.conf sorted by name (agent.conf.d beside
 * agent.conf); a later file's key replaces an earlier one's. Judges every value,
 * and the rules between values. NULL if out of memory. The caller frees the
 * draft. Reads local files only.
 */
struct conf_draft *conf_read(const char *file);

/* Accepts NULL. */
void conf_draft_free(struct conf_draft *draft);

/*
 * Adds to the problems what is wrong on this machine. A secret file must be regular, root's,
 * closed to others and not empty. A file of CA certificates must exist, and its worker must be
 * able to read it. These files and the paths of checks must not lie on a network file system or
 * below mount.path, nor lead there by a link (mountinfo at `mountinfo_path`, normally
 * /proc/self/mountinfo): no file there is touched. The user of the hooks must exist; this is
 * the last question, since the name service may wait for a directory server. `certs_fault`
 * parses a file of certificates and returns what is wrong with it, with a remark in
 * *ret_remark; NULL: the files are not parsed.
 */
void conf_check_machine(struct conf_draft *draft, const char *mountinfo_path,
                        const char *(*certs_fault)(const char *path, const char **ret_remark));

/* Adds to the remarks what is allowed but probably not meant. */
void conf_check_meaning(struct conf_draft *draft);

/*
 * The configuration as an INI file that conf_read would read back to the same
 * struct; a comment above the values names the line that gave them, or says that they
 * are defaults. 0 or -errno of the stream.
 */
int conf_print(struct conf_draft *draft, FILE *to);

/* The table of keys as the man page's list (roff), or as text. */
int conf_print_keys(FILE *to, bool roff);

/* -- Between the files of this room -- */

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

/* Adds to the problems the values that break a rule between values. */
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
