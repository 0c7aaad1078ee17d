/*
 * The one table of configuration keys, private to the conf library: parser,
 * `wnad -t`, `wnad -T` and the man page's list are read off it.
 */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

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
	CONF_TYPE_STATUS,   /* two int32_t: "200" or "200-399" */
};

struct conf_key {
	const char *section; /* "check" stands for every [check NAME] */
	const char *name;
	enum conf_type type;
	size_t offset; /* in struct conf; for "check" in struct conf_check */
	const char *initial;
	int64_t min, max; /* durations in ms; for texts max is the buffer's size */
	const char *const *names;
	const char *help;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/* NULL if there is no such section or key. */
const struct conf_key *conf_key_find(const char *section, const char *name);
bool conf_section_known(const char *section);

/*
 * Sets one value in *base (struct conf, or struct conf_check). False with what
 * was expected in `expected` if the text is not such a value.
 */
bool conf_key_set(const struct conf_key *key, void *base, const char *text, char *expected,
                  size_t size);

/* The value as conf_key_set would read it. Returns `ret`. */
char *conf_key_text(const struct conf_key *key, const void *base, char *ret, size_t size);

/* What the values say of each other. *ret_key names the key to blame. */
enum conf_error conf_check_values(const struct conf *conf, const char **ret_section,
                                  const char **ret_key, char *expected, size_t size);

#endif
