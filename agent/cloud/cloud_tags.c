/* Run by wna-cloud on bytes from outside. Blocks on nothing; plain memory. */
#include <string.h>

#include "cloud_identity.h"

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

void tagwalk_begin(struct tagwalk *walk)
{
	walk->key = NULL;
	walk->tags = (struct tags){ 0 };
}

enum tagwalk_step tagwalk_take(struct tagwalk *walk, const char *body, size_t len)
{
	bool listing = !walk->key;

	if (!listing) {
		/* Without a body the tag was removed after the listing. */
		if (body)
			tags_add(&walk->tags, walk->key, body, len);
	} else if (len < sizeof walk->keys && !memchr(body, '\0', len)) {
		memcpy(walk->keys, body, len);
		walk->keys[len] = '\0';
		walk->rest = walk->keys;
	} else {
		return TAGWALK_BAD;
	}
	while ((walk->key = strtok_r(NULL, "\n", &walk->rest))) {
		if (shape_tag_key(walk->key) && walk->tags.count < TAGS_MAX)
			return TAGWALK_ASK;
		walk->tags.left_out++;
	}
	return listing && walk->tags.left_out > 0 ? TAGWALK_BAD : TAGWALK_END;
}
