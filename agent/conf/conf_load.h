/*
 * Reading and judging the configuration files, for wnactl and tests. All
 * other processes receive the finished struct conf.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

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
 * problems.count is 0; nothing is copied to the caller's configuration before, which
 * therefore stays as it is when new files are bad.
 */
struct conf_draft {
	struct conf conf;
	struct conf_problems problems;
	struct conf_problems remarks; /* allowed, and hardly meant */

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
 * and what values say of each other. NULL if out of memory. The caller frees the
 * draft. Reads local files only.
 */
struct conf_draft *conf_read(const char *file);

/* Accepts NULL. */
void conf_draft_free(struct conf_draft *draft);

/*
 * Adds to the problems what is wrong on this machine: secret files (regular, root's,
 * no access for others, not empty), files of CA certificates (there, and readable
 * by the worker that reads them), and that neither these nor check paths are
 * on, or lead by a link onto, a network file system or below mount.path
 * (mountinfo at `mountinfo_path`, normally /proc/self/mountinfo): what lies
 * there is not touched. `certs_fault` parses a file of certificates, and says what is
 * wrong with it and what is to be remarked; NULL: they are not parsed.
 */
void conf_check_machine(struct conf_draft *draft, const char *mountinfo_path,
                        const char *(*certs_fault)(const char *path, const char **ret_remark));

/*
 * Whether the user of the hooks exists. Apart from the others because it asks the
 * name service, and may have to wait for a directory server.
 */
void conf_check_users(struct conf_draft *draft);

/* Adds to the remarks what is allowed, and hardly meant. */
void conf_check_meaning(struct conf_draft *draft);

/*
 * The configuration as an INI file that conf_read would read back to the same
 * struct; a comment above the values names the line that gave them, or says that they
 * are defaults. 0 or -errno of the stream.
 */
int conf_print(struct conf_draft *draft, FILE *to);

/* The table of keys as the man page's list (roff), or as text. */
int conf_print_keys(FILE *to, bool roff);

#endif
