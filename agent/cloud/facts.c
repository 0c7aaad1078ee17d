/* Run by wna-cloud. Blocks on nothing; plain memory. */
#include "facts.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "aws_name.h"
#include "shape.h"
#include "str.h"

#define PLACE(member) offsetof(struct identity, member), sizeof(((struct identity *)0)->member)

static const struct {
	bool (*valid)(const char *text);
	size_t offset, size; /* in struct identity */
} table[FACTS_COUNT] = {
	[FACT_INSTANCE_ID - FACTS_FIRST] = { shape_instance_id, PLACE(instance_id) },
	[FACT_INSTANCE_TYPE - FACTS_FIRST] = { shape_instance_type, PLACE(instance_type) },
	[FACT_AMI_ID - FACTS_FIRST] = { shape_image_id, PLACE(ami_id) },
	[FACT_PRIVATE_IPV4 - FACTS_FIRST] = { shape_ipv4, PLACE(private_ipv4) },
	[FACT_PUBLIC_IPV4 - FACTS_FIRST] = { shape_ipv4, PLACE(public_ipv4) },
	[FACT_AZ - FACTS_FIRST] = { shape_zone, PLACE(az) },
	[FACT_AZ_ID - FACTS_FIRST] = { shape_zone_id, PLACE(az_id) },
	[FACT_REGION - FACTS_FIRST] = { aws_is_region, PLACE(region) },
	[FACT_PARTITION - FACTS_FIRST] = { shape_partition, PLACE(partition) },
	[FACT_DOMAIN - FACTS_FIRST] = { shape_domain, PLACE(domain) },
	[FACT_VPC_ID - FACTS_FIRST] = { shape_vpc_id, PLACE(vpc_id) },
	[FACT_SUBNET_ID - FACTS_FIRST] = { shape_subnet_id, PLACE(subnet_id) },
	[FACT_ASG - FACTS_FIRST] = { aws_is_group, PLACE(asg) },
	[FACT_LIFE_CYCLE - FACTS_FIRST] = { shape_life_cycle, PLACE(life_cycle) },
	[FACT_TARGET_STATE - FACTS_FIRST] = { shape_target_state, PLACE(target_state) },
};

struct facts_text *facts_at(struct facts *facts, enum fact_id id)
{
	assert((int)id >= FACTS_FIRST && (int)id < FACTS_END);
	return &facts->text[id - FACTS_FIRST];
}

const struct facts_text *facts_get(const struct facts *facts, enum fact_id id)
{
	assert((int)id >= FACTS_FIRST && (int)id < FACTS_END);
	return &facts->text[id - FACTS_FIRST];
}

bool facts_valid(enum fact_id id, const char *text)
{
	assert((int)id >= FACTS_FIRST && (int)id < FACTS_END);
	return strlen(text) < table[id - FACTS_FIRST].size && table[id - FACTS_FIRST].valid(text);
}

bool facts_set(struct facts *facts, enum fact_id id, const char *text)
{
	struct facts_text *at = facts_at(facts, id);
	enum facts_have have = text != NULL ? FACTS_PRESENT : FACTS_ABSENT;
	bool changed =
	        !at->asked || at->have != have || (text != NULL && strcmp(at->text, text) != 0);

	at->asked = true;
	at->have = have;
	str_copy(at->text, sizeof(at->text), text != NULL ? text : "");
	return changed;
}

void facts_identity(const struct facts *facts, struct identity *ret)
{
	for (int i = 0; i < FACTS_COUNT; i++)
		str_copy((char *)ret + table[i].offset, table[i].size, facts->text[i].text);
	ret->asg_known = facts_get(facts, FACT_ASG)->have != FACTS_UNKNOWN;
	ret->target_state_known = facts_get(facts, FACT_TARGET_STATE)->have != FACTS_UNKNOWN;
}

void tags_clear(struct tags *tags)
{
	tags->count = 0;
	tags->left_out = 0;
	tags->used = 0;
}

/* Valid UTF-8 without control characters, taken as it is: str_clean would
 * also fold blanks, which may be somebody's meaning. */
static bool value_valid(const char *value, size_t len)
{
	char solid[TAG_VALUE_MAX + 1], clean[TAG_VALUE_MAX + 1];

	if (len > TAG_VALUE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		solid[i] = value[i] == ' ' ? '_' : value[i];
	return str_clean(clean, sizeof(clean), solid, len) && strlen(clean) == len &&
	       memcmp(clean, solid, len) == 0;
}

bool tags_add(struct tags *tags, const char *key, const char *value, size_t value_len)
{
	size_t key_size = strlen(key) + 1;

	if (!shape_tag_key(key) || !value_valid(value, value_len) || tags->count == TAGS_MAX ||
	    tags->used + key_size + value_len + 1 > sizeof(tags->text)) {
		tags->left_out++;
		return false;
	}
	tags->item[tags->count].key = (uint16_t)tags->used;
	memcpy(tags->text + tags->used, key, key_size);
	tags->used += (uint32_t)key_size;
	tags->item[tags->count].value = (uint16_t)tags->used;
	memcpy(tags->text + tags->used, value, value_len);
	tags->used += (uint32_t)value_len;
	tags->text[tags->used++] = '\0';
	tags->count++;
	return true;
}

const char *tags_key(const struct tags *tags, int i)
{
	assert(i >= 0 && i < tags->count);
	return tags->text + tags->item[i].key;
}

const char *tags_value(const struct tags *tags, int i)
{
	assert(i >= 0 && i < tags->count);
	return tags->text + tags->item[i].value;
}

bool tags_equal(const struct tags *a, const struct tags *b)
{
	/* Same order, same layout: the service lists keys sorted. */
	return a->count == b->count && a->used == b->used && memcmp(a->text, b->text, a->used) == 0;
}
