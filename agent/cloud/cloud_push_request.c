/*
 * Run by wna-cloud: data as JSON, and one PutMetricData request of the newest data. Reads the
 * queue (local disk). Owns the body until libcurl has its copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_push.h"

const char *cwatch_dimension_name(enum dimension dimension)
{
	return dimension == DIMENSION_ASG ? "AutoScalingGroupName" : "InstanceId";
}

static void put_head(struct sb *sb, const char *name, enum dimension dimension, const char *value)
{
	sb_put(sb, "{\"MetricName\":");
	sb_json(sb, name);
	sb_printf(sb,
	          ",\"Dimensions\":[{\"Name\":\"%s\",\"Value\":", cwatch_dimension_name(dimension));
	sb_json(sb, value);
	sb_put(sb, "}],");
}

void cwatch_duration(const struct conf_metrics *conf, enum dimension dimension, const char *value,
                     const char *name, int64_t ms, char ret[CWATCH_DATUM_MAX])
{
	struct sb sb;

	sb_init(&sb, ret, CWATCH_DATUM_MAX);
	put_head(&sb, name, dimension, value);
	sb_printf(&sb, "\"Value\":%lld.%03d,\"Unit\":\"Seconds\",\"StorageResolution\":%d}",
	          (long long)(ms / 1000), (int)(ms % 1000), (int)conf->resolution);
}

void cwatch_datum(const struct conf_metrics *conf, enum dimension dimension, const char *value,
                  const struct datum *datum, char ret[CWATCH_DATUM_MAX])
{
	struct sb sb;

	sb_init(&sb, ret, CWATCH_DATUM_MAX);
	put_head(&sb, conf->name, dimension, value);
	sb_put(&sb, "\"Values\":[");
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
	/* Epoch seconds as a number, as the SDKs send it; the API page shows a text. */
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

struct collect {
	struct push_send *send;
	struct cwatch_body body;
};

static bool collect_visit(void *arg, const struct queue_entry *entry)
{
	struct collect *collect = arg;
	int r = cwatch_body_add(&collect->body, entry->space, entry->at_ms, entry->datum);

	if (r == -EXDEV)
		return true; /* another namespace, of an older configuration: in a later request */
	if (r < 0)
		return false;
	collect->send->ids[collect->send->count++] = entry->id;
	return collect->send->count < collect->send->limit;
}

static void answered(void *arg, const struct http_result *result)
{
	struct push_send *send = arg;

	send->call = NULL;
	send->answered = true;
	cwatch_judge(result, &send->answer);
}

int request_start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                  int64_t wall_ms)
{
	struct collect collect = { .send = &push->send };
	struct post post = {
		.endpoint = endpoint,
		.service = "monitoring",
		.type = CWATCH_TYPE,
		.target = CWATCH_TARGET,
		.aws_ms = push_aws_ms(push, wall_ms),
	};
	char *text = malloc(CWATCH_BODY_MAX);
	int r = -ENODATA;

	if (!text)
		return -ENOMEM;
	sb_init(&collect.body.sb, text, CWATCH_BODY_MAX);
	push->send.count = 0;
	queue_newest(push->queue, PUSH_BATCH_MAX, collect_visit, &collect);
	if (push->send.count > 0) {
		cwatch_body_end(&collect.body);
		post.body = collect.body.sb.buf;
		post.len = collect.body.sb.len;
		r = post_start(push->deps.http, push->conf, &post, creds, answered, &push->send,
		               &push->send.call);
		push->send.clock_was_set = false;
	}
	free(text);
	return r;
}
