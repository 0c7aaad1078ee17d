/* Run by wna-cloud. Blocks on nothing; owns the walk under way. */
#include "tagwalk.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "shape.h"
#include "str.h"

#define TAGS_PATH "/latest/meta-data/tags/instance"

enum { ABSENT_FIRST_MS = 2000, RETRY_FIRST_MS = 2000, JITTER_PERCENT = 20 };

int64_t tagwalk_absent_ms(unsigned absences, int64_t refresh_ms, uint32_t random)
{
	int64_t soon =
	        clock_backoff(absences > 0 ? absences - 1 : 0, ABSENT_FIRST_MS, refresh_ms, random);
	int64_t later = clock_jitter(refresh_ms, JITTER_PERCENT, random);

	return soon < later ? soon : later;
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms);

void tagwalk_init(struct tagwalk *walk, struct imds *imds, struct facts *facts, int64_t refresh_ms,
                  int64_t now_ms)
{
	memset(walk, 0, sizeof(*walk));
	walk->imds = imds;
	walk->facts = facts;
	walk->refresh_ms = refresh_ms;
	walk->due_ms = now_ms;
	walk->ask.done = on_answer;
	walk->ask.arg = walk;
}

static void fail(struct tagwalk *walk, const char *why, int64_t now_ms)
{
	walk->walking = false;
	walk->failures++;
	walk->due_ms = now_ms + clock_backoff(walk->failures - 1, RETRY_FIRST_MS, walk->refresh_ms,
	                                      clock_random());
	snprintf(walk->why, sizeof(walk->why), "tags: %s", why);
	log_debug("imds: %s", walk->why);
}

static void finish(struct tagwalk *walk, enum facts_have have, int64_t now_ms)
{
	struct facts *facts = walk->facts;

	walk->walking = false;
	walk->failures = 0;
	walk->why[0] = '\0';
	walk->absences = have == FACTS_ABSENT ? walk->absences + 1 : 0;
	walk->due_ms =
	        now_ms +
	        (have == FACTS_ABSENT
	                 ? tagwalk_absent_ms(walk->absences, walk->refresh_ms, clock_random())
	                 : clock_jitter(walk->refresh_ms, JITTER_PERCENT, clock_random()));
	if (have == facts->tags_have && tags_equal(&facts->tags, &walk->next))
		return;
	if (walk->next.left_out > 0)
		log_info("imds: %d tags left out: too many, too long or not allowed",
		         walk->next.left_out);
	facts->tags = walk->next;
	facts->tags_have = have;
	walk->changed = true;
}

/* The next line that can be a key; walk->at moves there, or to the end. */
static void seek(struct tagwalk *walk, char *from)
{
	char *at = from;

	for (; *at != '\0'; at += strlen(at) + 1) {
		char *end = strchr(at, '\n');

		/* The last line has a second NUL behind it: the end of the list. */
		if (end != NULL)
			*end = '\0';
		if (shape_tag_key(at) && walk->next.count < TAGS_MAX)
			break;
		if (*at != '\0')
			walk->next.left_out++;
	}
	walk->at = at;
}

static void proceed(struct tagwalk *walk, int64_t now_ms)
{
	if (*walk->at == '\0') {
		finish(walk, FACTS_PRESENT, now_ms);
		return;
	}
	/* ':' and '=' stand as they are in a path, and the service wants it so. */
	snprintf(walk->ask.path, sizeof(walk->ask.path), TAGS_PATH "/%s", walk->at);
	imds_ask(walk->imds, &walk->ask);
}

static void on_listing(struct tagwalk *walk, const char *body, size_t len, int64_t now_ms)
{
	if (len > IMDS_BODY_MAX - 1 || memchr(body, '\0', len) != NULL) {
		fail(walk, "the list of keys is no text", now_ms);
		return;
	}
	walk->listing = false;
	memcpy(walk->keys, body, len);
	memset(walk->keys + len, 0, sizeof(walk->keys) - len);
	seek(walk, walk->keys);
	if (*walk->at == '\0' && walk->next.left_out > 0) {
		fail(walk, "the list of keys has no key in it", now_ms);
		return;
	}
	proceed(walk, now_ms);
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct tagwalk *walk = arg;

	if (reply == IMDS_REPLY_FAILED) {
		/* The session keeps the pace and has said why. */
		walk->walking = false;
		walk->due_ms = now_ms;
	} else if (reply == IMDS_REPLY_BAD) {
		fail(walk, body, now_ms);
	} else if (walk->listing) {
		if (reply == IMDS_REPLY_ABSENT)
			finish(walk, FACTS_ABSENT, now_ms);
		else
			on_listing(walk, body, len, now_ms);
	} else {
		/* Absent: taken away between the list and now. */
		if (reply == IMDS_REPLY_VALUE)
			tags_add(&walk->next, walk->at, body, len);
		seek(walk, walk->at + strlen(walk->at) + 1);
		proceed(walk, now_ms);
	}
}

void tagwalk_turn(struct tagwalk *walk, int64_t now_ms)
{
	if (walk->walking || now_ms < walk->due_ms)
		return;
	walk->walking = true;
	walk->listing = true;
	walk->at = walk->keys;
	tags_clear(&walk->next);
	str_copy(walk->ask.path, sizeof(walk->ask.path), TAGS_PATH);
	imds_ask(walk->imds, &walk->ask);
}

int64_t tagwalk_deadline(const struct tagwalk *walk)
{
	return walk->walking ? INT64_MAX : walk->due_ms;
}
