/*
 * One session with the instance metadata service, version 2 and no other: a
 * token, kept fresh, and one question at a time. It never gives up and never
 * concludes that there is no such service; it says how things stand.
 */
#ifndef CLOUD_IMDS_H
#define CLOUD_IMDS_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "imds_rules.h"

struct imds;

/* Longest answer that is taken; pages that come with a status must fit as well. */
enum { IMDS_BODY_MAX = 16 * 1024 };

enum imds_reply {
	IMDS_REPLY_VALUE,  /* 200: body and len; the shape is the asker's to check */
	IMDS_REPLY_ABSENT, /* 404 */
	IMDS_REPLY_FAILED, /* the service is ill, body = the reason; may be asked again at
	                    * once: the session keeps the pace */
	IMDS_REPLY_BAD,    /* this answer alone was ill, body = the reason; the asker keeps
	                    * the pace */
};

struct imds_ask {
	char path[320]; /* "/latest/meta-data/..." */
	/* Called once from http_wait or imds_turn; `body` has a NUL after `len`
	 * bytes and is valid during the call only. May ask again at once. */
	void (*done)(void *arg, enum imds_reply reply, const char *body, size_t len,
	             int64_t now_ms);
	void *arg;
	/* the session's */
	struct imds_ask *next;
	bool waiting;   /* queued or under way */
	bool renewed;   /* its one 401 is spent */
	int unanswered; /* requests of it that got no answer */
};

/* Keeps `http`, copies `settings`. NULL when out of memory. */
struct imds *imds_new(struct http *http, const struct imds_settings *settings);
void imds_free(struct imds *imds); /* asks that wait are forgotten */

/* Queues `ask`, which stays the caller's and must outlive the answer. An ask
 * that waits already is left as it is. */
void imds_ask(struct imds *imds, struct imds_ask *ask);

/* Forgets an ask, if it waits. Due before its memory goes, unless the session
 * went before. */
void imds_withdraw(struct imds *imds, struct imds_ask *ask);

/* Starts what may be started. Due when imds_deadline has come or after imds_ask. */
void imds_turn(struct imds *imds, int64_t now_ms);
int64_t imds_deadline(const struct imds *imds); /* INT64_MAX: nothing to do */

/* How things stand, and why: FACT_IMDS. */
enum imds_state imds_state(const struct imds *imds, const char **ret_why);

#endif
