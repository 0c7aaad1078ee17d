/*
 * The instance's tags: the list of keys, then each key's value, one question
 * at a time. A walk that fails leaves the tags as they were and starts anew
 * later; so the tags are always of one walk.
 */
#ifndef CLOUD_TAGWALK_H
#define CLOUD_TAGWALK_H

#include "facts.h"
#include "imds.h"

struct tagwalk {
	struct imds *imds;
	struct facts *facts; /* tags and tags_have are this room's */
	int64_t refresh_ms;
	int64_t due_ms;           /* start of the next walk */
	unsigned failures;        /* walks in a row */
	unsigned absences;        /* "no tags" in a row since start */
	bool changed;             /* set here, taken back by who has told of it */
	char why[LIMIT_FACT_WHY]; /* of the last failure; "" after a good walk */
	/* the walk under way */
	struct imds_ask ask;
	bool walking;
	bool listing;                 /* asking for the keys, not yet for a value */
	char keys[IMDS_BODY_MAX + 1]; /* the listing, a key a line */
	char *at;                     /* the key asked for, in `keys` */
	struct tags next;
};

/* Keeps the pointers; the first walk is due at once. */
void tagwalk_init(struct tagwalk *walk, struct imds *imds, struct facts *facts, int64_t refresh_ms,
                  int64_t now_ms);
void tagwalk_turn(struct tagwalk *walk, int64_t now_ms);
int64_t tagwalk_deadline(const struct tagwalk *walk);

/*
 * When to ask again for something that is not there (yet) since start: an
 * instance's tags appear some time after boot, so soon at first, then at
 * refresh_ms.
 */
int64_t tagwalk_absent_ms(unsigned absences, int64_t refresh_ms, uint32_t random);

#endif
