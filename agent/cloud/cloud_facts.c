/* Run by wna-cloud on bytes from outside. Blocks on nothing; plain memory. */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "aws_name.h"
#include "clock.h"
#include "cloud_identity.h"

#define HEX   "([0-9a-f]{8}|[0-9a-f]{17})" /* of a resource's id */
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4  "(" OCTET "[.]){3}" OCTET
/* RFC 3339. */
#define TIME                                                                                       \
	"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?"                \
	"([Zz]|[+-][0-9]{2}:[0-9]{2})"
#define ZONE "[a-z][a-z0-9]*(-[a-z0-9]+)+"

enum { RETRY_FIRST_MS = 2000, JITTER_PERCENT = 20, PATTERN_MAX = 256 };

#define ROW(id) [(id)-FACTS_FIRST]

static const struct {
	const char *path;
	const char *pattern; /* a POSIX extended regular expression; NULL: `valid` decides */
	bool (*valid)(const char *text);
} rows[FACTS_COUNT + 2] = {
	ROW(FACT_INSTANCE_ID) = { "instance-id", "i-" HEX, NULL },
	ROW(FACT_INSTANCE_TYPE) = { "instance-type", "[a-z][a-z0-9-]*[.][a-z0-9][a-z0-9-]*", NULL },
	ROW(FACT_AMI_ID) = { "ami-id", "ami-" HEX, NULL },
	ROW(FACT_PRIVATE_IPV4) = { "local-ipv4", IPV4, NULL },
	ROW(FACT_PUBLIC_IPV4) = { "public-ipv4", IPV4, NULL },
	ROW(FACT_AZ) = { "placement/availability-zone", ZONE, NULL },
	ROW(FACT_AZ_ID) = { "placement/availability-zone-id", ZONE, NULL },
	ROW(FACT_REGION) = { "placement/region", NULL, aws_is_region },
	ROW(FACT_PARTITION) = { "services/partition", "aws(-[a-z0-9]+)*", NULL },
	ROW(FACT_DOMAIN) = { "services/domain", "[a-z0-9][a-z0-9-]*([.][a-z0-9-]+)*[.][a-z]+",
	                     NULL },
	ROW(FACT_VPC_ID) = { "network/interfaces/macs/*/vpc-id", "vpc-" HEX, NULL },
	ROW(FACT_SUBNET_ID) = { "network/interfaces/macs/*/subnet-id", "subnet-" HEX, NULL },
	ROW(FACT_ASG) = { "tags/instance/aws:autoscaling:groupName", NULL, aws_is_group },
	ROW(FACT_INSTANCE_LIFE_CYCLE) = { "instance-life-cycle", "[a-z][a-z-]+", NULL },
	ROW(FACT_TARGET_STATE) = { "autoscaling/target-lifecycle-state",
	                           "[A-Z][A-Za-z]{2,}(:[A-Z][A-Za-z]+)?", NULL },
	ROW(FACT_SPOT_ACTION) = { "spot/instance-action", "[a-z]+( at " TIME ")?", NULL },
	ROW(FACT_REBALANCE) = { "events/recommendations/rebalance", "noticed( at " TIME ")?",
	                        NULL },
	ROW(FACT_SCHEDULED) = { "events/maintenance/scheduled",
	                        "[a-z]+(-[a-z]+)* from [A-Za-z0-9: ]+", NULL },
	ROW(FACTS_MAC) = { "mac", "([0-9a-f]{2}:){5}[0-9a-f]{2}", NULL },
	ROW(FACTS_TAGS) = { "tags/instance", NULL, NULL },
};

static bool matches(const char *text, const char *pattern)
{
	char whole[PATTERN_MAX];
	regex_t regex;
	bool ok;

	snprintf(whole, sizeof whole, "^(%s)$", pattern);
	if (regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) != 0)
		return false; /* out of memory */
	ok = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return ok;
}

bool shape_role(const char *text)
{
	return strlen(text) <= 64 && matches(text, "[A-Za-z0-9+=,.@_-]+");
}

bool shape_action(const char *text)
{
	return strlen(text) <= 32 && matches(text, "[a-z]+");
}

bool shape_time(const char *text)
{
	return matches(text, TIME);
}

bool shape_tag_key(const char *text)
{
	return strlen(text) <= 128 && matches(text, "[A-Za-z0-9+=.,_:@-]+") &&
	       strcmp(text, ".") != 0 && strcmp(text, "..") != 0 && strcmp(text, "_index") != 0;
}

bool shape_text(const char *body, size_t len, char *ret, size_t size)
{
	if (len > 0 && body[len - 1] == '\n')
		len--;
	if (len == 0 || len >= size || memchr(body, '\0', len))
		return false;
	memcpy(ret, body, len);
	ret[len] = '\0';
	return true;
}

const char *facts_path(int id)
{
	return rows[id - FACTS_FIRST].path;
}

bool facts_valid(int id, const char *text)
{
	const char *pattern = rows[id - FACTS_FIRST].pattern;

	return pattern ? strlen(text) < LIMIT_FACT_TEXT && matches(text, pattern)
	               : rows[id - FACTS_FIRST].valid(text);
}

bool facts_set(struct facts *facts, int id, const char *text)
{
	struct facts_item *item = FACTS_AT(facts, id);
	enum facts_have have = text ? FACTS_PRESENT : FACTS_ABSENT;
	bool changed = item->have != have || (text && strcmp(item->text, text) != 0);

	item->have = have;
	str_copy(item->text, sizeof item->text, text ? text : "");
	return changed;
}

void facts_good(struct facts_item *item, bool absent, bool late, int64_t period_ms, int64_t now_ms)
{
	int64_t wait_ms = clock_jitter(period_ms, JITTER_PERCENT, clock_random());
	int64_t soon_ms = clock_backoff(item->absences, RETRY_FIRST_MS, period_ms, clock_random());

	item->failures = 0;
	item->why[0] = '\0';
	item->absences = absent ? item->absences + 1 : 0;
	item->due_ms = now_ms + (absent && late && soon_ms < wait_ms ? soon_ms : wait_ms);
}

void facts_bad(struct facts_item *item, const char *why, int64_t period_ms, int64_t now_ms)
{
	item->due_ms =
	        now_ms + clock_backoff(item->failures, RETRY_FIRST_MS, period_ms, clock_random());
	item->failures++;
	str_copy(item->why, sizeof item->why, why);
}

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
