/* Run by wna-cloud. Blocks on nothing; owns the walk under way. */
#include <stdio.h>
#include <string.h>

#include "cloud_identity.h"
#include "log.h"

#define TAGS_PATH "/latest/meta-data/tags/instance"

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms);

bool tags_add(struct tags *tags, const char *key, const char *value, size_t len)
{
	struct sb sb = { .buf = tags->json, .size = sizeof tags->json, .len = tags->len };

	sb.cut = !shape_tag_key(key) || len > TAG_VALUE_MAX || !str_is_clean(value, len) ||
	         tags->count == TAGS_MAX;
	if (!sb.cut) {
		sb_put(&sb, tags->count > 0 ? ",\n    " : "\n    ");
		sb_json(&sb, key);
		sb_put(&sb, ": ");
		sb_json(&sb, value);
	}
	if (sb.cut) {
		tags->json[tags->len] = '\0';
		tags->left_out++;
		return false;
	}
	tags->len = sb.len;
	tags->count++;
	return true;
}

void tagwalk_init(struct tagwalk *walk, struct imds *imds, struct facts *facts, int64_t refresh_ms)
{
	memset(walk, 0, sizeof *walk);
	walk->imds = imds;
	walk->facts = facts;
	walk->refresh_ms = refresh_ms;
	walk->ask.done = on_answer;
	walk->ask.arg = walk;
}

static void fail(struct tagwalk *walk, const char *why, int64_t now_ms)
{
	facts_bad(FACTS_AT(walk->facts, FACTS_TAGS), why, walk->refresh_ms, now_ms);
	log_debug("imds: tags: %s", why);
}

static void finish(struct tagwalk *walk, enum facts_have have, int64_t now_ms)
{
	struct facts *facts = walk->facts;
	struct facts_item *item = FACTS_AT(facts, FACTS_TAGS);

	facts_good(item, have == FACTS_ABSENT, true, walk->refresh_ms, now_ms);
	if (have == item->have && strcmp(facts->tags.json, walk->next.json) == 0)
		return;
	if (walk->next.left_out > 0)
		log_info("imds: %d tags left out: too many, too long or not allowed",
		         walk->next.left_out);
	facts->tags = walk->next;
	item->have = have;
	walk->changed = true;
}

/* Asks for the value of the next line that can be a key. False if there is none. */
static bool ask_key(struct tagwalk *walk)
{
	while ((walk->key = strtok_r(NULL, "\n", &walk->rest))) {
		if (shape_tag_key(walk->key) && walk->next.count < TAGS_MAX) {
			/* ':' and '=' stand as they are in a path, and the service wants it. */
			snprintf(walk->ask.path, sizeof walk->ask.path, TAGS_PATH "/%s", walk->key);
			imds_ask(walk->imds, &walk->ask);
			return true;
		}
		walk->next.left_out++;
	}
	return false;
}

static void on_listing(struct tagwalk *walk, const char *body, size_t len, int64_t now_ms)
{
	if (len >= sizeof walk->keys || memchr(body, '\0', len)) {
		fail(walk, "the list of keys is no text", now_ms);
		return;
	}
	memcpy(walk->keys, body, len);
	walk->keys[len] = '\0';
	walk->rest = walk->keys;
	if (ask_key(walk))
		return;
	if (walk->next.left_out > 0)
		fail(walk, "the list of keys has no key in it", now_ms);
	else
		finish(walk, FACTS_PRESENT, now_ms);
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct tagwalk *walk = arg;

	if (reply == IMDS_REPLY_FAILED) {
		/* The session keeps the pace and has said why. */
		FACTS_AT(walk->facts, FACTS_TAGS)->due_ms = now_ms;
	} else if (reply == IMDS_REPLY_BAD) {
		fail(walk, body, now_ms);
	} else if (!walk->key) {
		if (reply == IMDS_REPLY_ABSENT)
			finish(walk, FACTS_ABSENT, now_ms);
		else
			on_listing(walk, body, len, now_ms);
	} else {
		/* Absent: the tag was removed after the listing. */
		if (reply == IMDS_REPLY_VALUE)
			tags_add(&walk->next, walk->key, body, len);
		if (!ask_key(walk))
			finish(walk, FACTS_PRESENT, now_ms);
	}
}

void tagwalk_turn(struct tagwalk *walk, int64_t now_ms)
{
	if (now_ms < tagwalk_deadline(walk))
		return;
	walk->key = NULL;
	walk->next = (struct tags){ 0 };
	str_copy(walk->ask.path, sizeof walk->ask.path, TAGS_PATH);
	imds_ask(walk->imds, &walk->ask);
}

int64_t tagwalk_deadline(const struct tagwalk *walk)
{
	return walk->ask.waiting ? INT64_MAX : FACTS_AT(walk->facts, FACTS_TAGS)->due_ms;
}
