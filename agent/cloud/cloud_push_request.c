/*
 * Run by wna-cloud: data as JSON, and one PutMetricData request of the newest data. Reads the
 * queue (local disk). Owns body and signature until libcurl has its copies; the signature is
 * wiped.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_push.h"

enum { HEADERS_MAX = 6, CONNECT_MS = 3000 };

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

/* The configuration is checked when it is loaded; of the SDKs' variable only an absolute path is
 * used. */
static const char *ca_file(const struct conf_metrics *conf)
{
	const char *bundle = getenv("AWS_CA_BUNDLE");

	if (conf->ca_file[0])
		return conf->ca_file;
	return bundle && bundle[0] == '/' ? bundle : NULL;
}

/* One list of headers for both: what is signed is what is sent. */
static int start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                 const struct sb *body, int64_t wall_ms)
{
	const struct conf_metrics *conf = push->conf;
	char date[SIGV4_DATE], authorization[SIGV4_AUTHORIZATION];
	struct http_header headers[HEADERS_MAX] = {
		{ "content-type", CWATCH_TYPE },
		{ "host", endpoint->host },
		{ "x-amz-date", date },
		{ "x-amz-security-token", creds->token },
	};
	size_t count = creds->token[0] ? 4 : 3;
	struct sigv4_request sign = {
		.headers = headers,
		.body = body->buf,
		.body_len = body->len,
		.date = date,
		.region = endpoint->region,
		.service = "monitoring",
		.access_key = creds->access_key,
		.secret_key = creds->secret_key,
	};
	struct http_request request = {
		.method = "POST",
		.url = endpoint->url,
		.headers = headers,
		.body = body->buf,
		.body_len = body->len,
		.connect_timeout_ms = conf->timeout_ms < CONNECT_MS ? conf->timeout_ms : CONNECT_MS,
		.timeout_ms = conf->timeout_ms,
		.ca_file = ca_file(conf),
	};
	int r;

	headers[count++] = (struct http_header){ "x-amz-target", CWATCH_TARGET };
	sign.header_count = count;
	if (!sigv4_date(push_aws_ms(push, wall_ms), date))
		return -EINVAL;
	r = sigv4_sign(&sign, authorization);
	if (r < 0)
		return r;
	headers[count++] = (struct http_header){ "authorization", authorization };
	request.header_count = count;
	push->send.call = http_start(push->deps.http, &request, answered, &push->send);
	OPENSSL_cleanse(authorization, sizeof authorization);
	return push->send.call ? 0 : -EIO;
}

int request_start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                  int64_t wall_ms)
{
	struct collect collect = { .send = &push->send };
	char *text = malloc(CWATCH_BODY_MAX);
	int r = -ENODATA;

	if (!text)
		return -ENOMEM;
	sb_init(&collect.body.sb, text, CWATCH_BODY_MAX);
	push->send.count = 0;
	queue_newest(push->queue, PUSH_BATCH_MAX, collect_visit, &collect);
	if (push->send.count > 0) {
		cwatch_body_end(&collect.body);
		r = start(push, endpoint, creds, &collect.body.sb, wall_ms);
		push->send.clock_was_set = false;
	}
	free(text);
	return r;
}
