/* Run by wna-cloud for every window and every push; never blocks; owns nothing. */
#include <errno.h>
#include <string.h>

#include "cloud_send.h"

const char *cwatch_dimension_name(enum dimension dimension)
{
	return dimension == DIMENSION_ASG ? "AutoScalingGroupName" : "InstanceId";
}

void cwatch_datum(const struct conf_metrics *conf, enum dimension dimension, const char *who,
                  const struct datum *datum, char ret[CWATCH_DATUM_MAX])
{
	struct sb sb;

	sb_init(&sb, ret, CWATCH_DATUM_MAX);
	sb_put(&sb, "{\"MetricName\":");
	sb_json(&sb, conf->name);
	sb_printf(&sb,
	          ",\"Dimensions\":[{\"Name\":\"%s\",\"Value\":", cwatch_dimension_name(dimension));
	sb_json(&sb, who);
	sb_put(&sb, "}],\"Values\":[");
	for (unsigned i = 0; i < datum->count; i++)
		sb_printf(&sb, "%s%u.%u", i > 0 ? "," : "", datum->value[i].permille / 10u,
		          datum->value[i].permille % 10u);
	sb_put(&sb, "],\"Counts\":[");
	for (unsigned i = 0; i < datum->count; i++)
		sb_printf(&sb, "%s%u", i > 0 ? "," : "", (unsigned)datum->value[i].weight);
	sb_printf(&sb, "],\"Unit\":\"Percent\",\"StorageResolution\":%d}", (int)conf->resolution);
}

int cwatch_body_add(struct cwatch_body *body, const char *space, int64_t at_ms, const char *datum)
{
	struct sb *sb = &body->sb;
	size_t len = sb->len;

	if (len > 0 && strcmp(body->space, space) != 0)
		return -EXDEV;
	if (len == 0) {
		str_copy(body->space, sizeof body->space, space);
		sb_put(sb, "{\"Namespace\":");
		sb_json(sb, space);
		sb_put(sb, ",\"MetricData\":[");
	} else {
		sb_char(sb, ',');
	}
	/* Epoch seconds as a number: what the SDKs send, whatever the API page says. */
	sb_printf(sb, "{\"Timestamp\":%lld,%s", (long long)(at_ms / 1000), datum + 1);
	if (!sb->cut && sb->size - sb->len > sizeof "]}")
		return 0;
	sb->len = len;
	sb->cut = false;
	return -EFBIG;
}

void cwatch_body_end(struct cwatch_body *body)
{
	sb_put(&body->sb, "]}");
}
