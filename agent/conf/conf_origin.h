/*
 * Where each value of a configuration was given, kept beside it so that what is
 * found wrong later, by looking at the machine, is blamed on its line too.
 */
#ifndef CONF_ORIGIN_H
#define CONF_ORIGIN_H

#include <stdarg.h>

#include "conf_table.h"

enum { ORIGIN_KEYS_MAX = 128, ORIGIN_CHECK_KEYS_MAX = 32 };

struct origin {
	int file; /* index in conf_origins.files; 0 = not given */
	int line;
};

struct conf_origins {
	char *files[LIMIT_CONF_FILES + 2]; /* from 1, the main file, on; owned */
	int file_count;
	struct origin keys[ORIGIN_KEYS_MAX]; /* of the sections that occur once, by index in
	                                      * conf_keys */
	struct {
		char name[LIMIT_NAME];
		struct origin begun; /* where [check NAME] was first opened */
		struct origin keys[ORIGIN_CHECK_KEYS_MAX];
	} checks[LIMIT_CHECKS]; /* in the order of conf.checks */
};

/* Makes `file` the current one. False if out of memory. */
bool conf_origins_file(struct conf_origins *origins, const char *file);

/* Where that key is remembered; `check` is its index for keys of checks, else -1. */
struct origin *conf_origins_key(struct conf_origins *origins, const struct conf_key *key,
                                int check);

/*
 * Fills *problem with "FILE:LINE: SECTION.KEY: " and what follows, blaming the line
 * that gave the key, or [check NAME], or the main file. `origins` may be NULL: no
 * file is named then. Returns `error`.
 */
__attribute__((format(printf, 6, 7))) enum conf_error
conf_blame(const struct conf_origins *origins, enum conf_error error, const char *section,
           const char *key, struct conf_problem *problem, const char *format, ...);

#endif
