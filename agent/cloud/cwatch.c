/* Run by wna-cloud for every push; never blocks; owns the body's memory until it
 * is freed. */
#include "cwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

/* More than one datum can take: five names of 255 bytes, each byte escaped into
 * six at most, and 150 pairs of numbers. */
enum { DATUM_TEXT_MAX = 5 * 6 * CWATCH_NAME + DATUM_VALUES_MAX * 14 + 512 };

const char *cwatch_dimension_name(int64_t dimension)
{
	static const char *const names[CWATCH_DIMENSION_MAX] = {
		[CWATCH_ASG] = "AutoScalingGroupName",
		[CWATCH_INSTANCE] = "InstanceId",
	};

	return dimension >= 0 && dimension < CWATCH_DIMENSION_MAX ? names[dimension] : "?";
}

static int make_room(struct cwatch_body *body)
{
	size_t size = body->size * 2;
	char *text;

	if (body->size - body->len > DATUM_TEXT_MAX)
		return 0;
	if (size < body->len + 2 * DATUM_TEXT_MAX)
		size = body->len + 2 * DATUM_TEXT_MAX;
	text = realloc(body->text, size);
	if (text == NULL)
		return -ENOMEM;
	body->text = text;
	body->size = size;
	return 0;
}

static void put_datum(struct sb *sb, const struct cwatch_series *series, const struct datum *datum)
{
	sb_put(sb, "{\"MetricName\":");
	sb_json(sb, series->name);
	sb_printf(sb, ",\"Dimensions\":[{\"Name\":\"%s\",\"Value\":",
	          cwatch_dimension_name(series->dimension));
	sb_json(sb, series->who);
	/* Epoch seconds as a number: what the SDKs send, whatever the API page says. */
	sb_printf(sb, "}],\"Timestamp\":%lld,\"Values\":[", (long long)(datum->at_ms / 1000));
	for (unsigned i = 0; i < datum->count; i++)
		sb_printf(sb, "%s%u.%u", i > 0 ? "," : "", datum->value[i].permille / 10u,
		          datum->value[i].permille % 10u);
	sb_put(sb, "],\"Counts\":[");
	for (unsigned i = 0; i < datum->count; i++)
		sb_printf(sb, "%s%u", i > 0 ? "," : "", (unsigned)datum->value[i].weight);
	sb_printf(sb, "],\"Unit\":\"Percent\",\"StorageResolution\":%d}", (int)series->resolution);
}

int cwatch_body_add(struct cwatch_body *body, const struct cwatch_series *series,
                    const struct datum *datum)
{
	struct sb sb;
	int r;

	if (body->count > 0 && strcmp(body->space, series->space) != 0)
		return -EXDEV;
	if (body->count >= CWATCH_DATA_MAX || body->len + DATUM_TEXT_MAX > CWATCH_BODY_MAX)
		return -EFBIG;
	r = make_room(body);
	if (r < 0)
		return r;
	sb_init(&sb, body->text + body->len, body->size - body->len);
	if (body->count == 0) {
		str_copy(body->space, sizeof(body->space), series->space);
		sb_put(&sb, "{\"Namespace\":");
		sb_json(&sb, series->space);
		sb_put(&sb, ",\"MetricData\":[");
	} else {
		sb_char(&sb, ',');
	}
	put_datum(&sb, series, datum);
	if (sb.cut)
		return -EFBIG;
	body->len += sb.len;
	body->count++;
	return 0;
}

void cwatch_body_end(struct cwatch_body *body)
{
	/* make_room leaves more than DATUM_TEXT_MAX when it is called, and a datum is
	 * less than that by far more than these two. */
	memcpy(body->text + body->len, "]}", 3);
	body->len += 2;
}

void cwatch_body_free(struct cwatch_body *body)
{
	free(body->text);
	*body = (struct cwatch_body){ 0 };
}
