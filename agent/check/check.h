/*
 * What the rooms of wna-check share: the outcome of one look at the node, and
 * where the look takes place, so that tests look at a tree of their own.
 */
#ifndef WNA_CHECK_H
#define WNA_CHECK_H

#include <stdint.h>

#include "conf.h"

struct check_result {
	int64_t value;              /* us it took, >= 0, or -errno */
	char text[LIMIT_FACT_TEXT]; /* what was seen: "status 200", "3 processes" */
	char why[LIMIT_FACT_WHY];   /* why it is bad; empty when good */
};

struct check_env {
	const char *mountinfo;  /* normally "/proc/self/mountinfo" */
	int proc;               /* descriptor of /proc; not owned */
	const char *mount_path; /* conf.mount.path, or empty: never touched */
};

/* Fills a result. `us` and `error` (a positive errno) are what they say;
 * the text is cleaned and cut. A bad result keeps `text` empty. */
__attribute__((format(printf, 3, 4))) void check_good(struct check_result *ret, int64_t us,
                                                      const char *format, ...);
__attribute__((format(printf, 3, 4))) void check_bad(struct check_result *ret, int error,
                                                     const char *format, ...);

#endif
