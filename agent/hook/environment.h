/*
 * A script's whole environment: PATH, LANG=C, WNA_EVENT, and what the event is
 * about, from the files of the worker that saw it. Every value is checked by
 * kind; if one is wrong, none of that file's is passed on.
 */
#ifndef HOOK_ENVIRONMENT_H
#define HOOK_ENVIRONMENT_H

#include <stddef.h>

#include "msg.h"

enum { ENVIRONMENT_VARIABLES = 16, ENVIRONMENT_LINE = 320 };

struct environment {
	int count;
	char line[ENVIRONMENT_VARIABLES][ENVIRONMENT_LINE];
	char *list[ENVIRONMENT_VARIABLES + 1]; /* for execve */
};

/*
 * Always fills *ret. For HOOK_RDS_CHANGE `text` is the content of rds.env, or
 * NULL: WNA_RDS_ENDPOINT WNA_RDS_FROM WNA_RDS_TO WNA_RDS_OUTAGE_MIN_MS
 * WNA_RDS_OUTAGE_MAX_MS (the last absent if it is unknown).
 * 0; -ENODATA no text; -EBADMSG a value is missing or not of its kind.
 */
int environment_make(enum hook_event event, const char *text, struct environment *ret);

#endif
