/*
 * Run by wna-cloud. Blocks on two small local files, which it owns; the first is on tmpfs.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud_life.h"
#include "file.h"

#define BOOT_FILE  "lifecycle" /* JSON */
#define DRAIN_FILE "drain"     /* "UNIX_MS INSTANCE_ID\n" */

/* -- Of this boot -- */

static void put_text(struct sb *sb, const char *key, const char *text)
{
	sb_printf(sb, "\"%s\": ", key);
	sb_json(sb, text);
	sb_put(sb, ", ");
}

static void put_memo(struct sb *sb, const char *key, const struct life_memo *memo)
{
	if (memo->known)
		put_text(sb, key, memo->text);
}

static void put_int(struct sb *sb, const char *key, int64_t value)
{
	sb_printf(sb, "\"%s\": %" PRId64 ", ", key, value);
}

void life_save(const char *dir, const struct conf_life *conf, const struct life *life,
               struct life_saved *saved)
{
	const struct life_hook *hook = &life->hook;
	char text[LIFE_SAVED_MAX];
	struct sb sb;

	sb_init(&sb, text, sizeof text);
	sb_put(&sb, "{");
	put_memo(&sb, "instance", &saved->instance);
	put_memo(&sb, "target-state", &saved->target_state);
	put_memo(&sb, "spot", &saved->spot);
	put_text(&sb, "owner", saved->owner);
	put_int(&sb, "ordered", saved->ordered);
	put_int(&sb, "drain-ms", life->drain_ms);
	put_int(&sb, "served", life->served);
	put_text(&sb, "hook", hook_name(hook, conf));
	put_int(&sb, "episode", hook->episode);
	put_int(&sb, "since-ms", hook->since_ms);
	put_int(&sb, "over", hook->over);
	put_int(&sb, "released", hook->released);
	put_int(&sb, "abandoned", hook->abandoned);
	sb_printf(&sb, "\"missing\": %u}\n", hook->missing);
	if (strcmp(text, saved->text) == 0)
		return;
	/* A failure is told by no one: on tmpfs it is the least of this node's troubles. */
	if (file_write(dir, BOOT_FILE, text, sb.len) == 0)
		str_copy(saved->text, sizeof saved->text, text);
}

static const char *text_of(const cJSON *json, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

static void take_memo(const cJSON *json, const char *key, struct life_memo *ret)
{
	memo_take(ret, text_of(json, key));
}

static int64_t int_of(const cJSON *json, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	/* Its own file: times and flags are far below 2^53. */
	return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

/* A hook of another name is another hook, and one that was given up is tried again: the
 * configuration may have been corrected. Neither takes a node out of service. */
static void take_hook(const cJSON *json, const struct conf_life *conf, struct life *life,
                      int64_t now_ms)
{
	struct life_hook *hook = &life->hook;
	int64_t episode = int_of(json, "episode");
	const char *name = text_of(json, "hook");
	bool same;

	if (episode <= EPISODE_NONE || episode >= EPISODE_MAX)
		return;
	hook->episode = (enum life_episode)episode;
	same = name && strcmp(name, hook_name(hook, conf)) == 0;
	hook->released = int_of(json, "released") || (!same && life->served);
	hook->over = same && int_of(json, "over") && !hook->released;
	hook->abandoned = int_of(json, "abandoned");
	hook->missing = (unsigned)int_of(json, "missing");
	hook->since_ms = same && !hook->released ? int_of(json, "since-ms") : now_ms;
	hook->beat_ms = now_ms;
}

bool life_load(const char *dir, const struct conf_life *conf, int64_t now_ms, struct life *life,
               struct life_saved *ret)
{
	char path[LIMIT_PATH * 2], text[LIFE_SAVED_MAX];
	const char *owner;
	cJSON *json;
	bool is_object;

	snprintf(path, sizeof path, "%s/" BOOT_FILE, dir);
	if (file_load(AT_FDCWD, path, FILE_OF_ANYBODY, text, sizeof text) < 0)
		return false;
	json = cJSON_Parse(text);
	is_object = cJSON_IsObject(json);
	take_memo(json, "instance", &ret->instance);
	take_memo(json, "target-state", &ret->target_state);
	take_memo(json, "spot", &ret->spot);
	owner = text_of(json, "owner");
	str_copy(ret->owner, sizeof ret->owner, owner ? owner : "");
	ret->ordered = int_of(json, "ordered");
	life->drain_ms = int_of(json, "drain-ms");
	life->served = int_of(json, "served");
	take_hook(json, conf, life, now_ms);
	cJSON_Delete(json);
	return is_object;
}

const char *memo_take(struct life_memo *memo, const char *text)
{
	if (text) {
		memo->known = true;
		str_copy(memo->text, sizeof memo->text, text);
	}
	return memo->known ? memo->text : NULL;
}

/* -- Of this instance -- */

int drain_load(const char *dir, int64_t wall_ms, int64_t *ret_at_ms, char *ret_owner, size_t size)
{
	char path[LIMIT_PATH * 2], text[LIMIT_FACT_TEXT + 32], *owner;
	ssize_t len;

	snprintf(path, sizeof path, "%s/" DRAIN_FILE, dir);
	len = file_load(AT_FDCWD, path, FILE_OF_ANYBODY, text, sizeof text);
	if (len < 0)
		return (int)len;
	str_trim(text);
	owner = strchr(text, ' ');
	if (!owner)
		return -EBADMSG;
	*owner++ = '\0';
	if (!str_int64(text, 0, INT64_MAX, ret_at_ms) || !facts_valid(FACT_INSTANCE_ID, owner) ||
	    !str_copy(ret_owner, size, owner))
		return -EBADMSG;
	/* The clock went back: the delay begins anew. */
	*ret_at_ms = earlier(*ret_at_ms, wall_ms);
	return 0;
}

int drain_save(const char *dir, int64_t at_ms, const char *owner)
{
	char text[LIMIT_FACT_TEXT + 32];
	int len = snprintf(text, sizeof text, "%" PRId64 " %s\n", at_ms, owner);

	return file_write(dir, DRAIN_FILE, text, (size_t)len);
}

int drain_remove(const char *dir)
{
	char path[LIMIT_PATH * 2];

	snprintf(path, sizeof path, "%s/" DRAIN_FILE, dir);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}
