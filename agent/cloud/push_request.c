/*
 * Run by wna-cloud: one PutMetricData request of the newest data. Reads the queue
 * (local disk). Owns body and headers until curl has its copies, then wipes them:
 * the headers have the session token and the signature in them.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "push_room.h"
#include "sigv4.h"

enum { HEADERS_MAX = 8 };

/* The lines that are sent, and the pairs that are signed: the same things. */
struct header_text {
	char token[sizeof(((struct creds *)0)->token) + 32];
	char authorization[SIGV4_AUTHORIZATION + 32];
	char date[SIGV4_DATE + 32];
	struct sigv4_signed signature;
};

struct collect {
	struct push_send *send;
	struct cwatch_body *body;
	int error;
};

static bool collect_visit(void *arg, const struct queue_entry *entry)
{
	struct collect *collect = arg;
	int r = cwatch_body_add(collect->body, &entry->series, &entry->datum);

	if (r == -EXDEV)
		return true; /* of an older configuration: in a later request */
	if (r < 0) {
		collect->error = r == -EFBIG ? 0 : r;
		return false;
	}
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

static int sign(const struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                const struct cwatch_body *body, int64_t wall_ms, struct header_text *text)
{
	const struct sigv4_pair pairs[] = {
		{ "Host", endpoint->host },
		{ "Content-Type", CWATCH_TYPE },
		{ "X-Amz-Target", CWATCH_TARGET },
		{ "x-amzn-query-mode", "true" },
	};
	const struct sigv4_request request = {
		.method = "POST",
		.path = "/",
		.headers = pairs,
		.header_count = sizeof(pairs) / sizeof(pairs[0]),
		.body = body->text,
		.body_len = body->len,
		.region = endpoint->region,
		.service = "monitoring",
		.wall_ms = skew_true_ms(&push->skew, wall_ms),
	};
	const struct sigv4_keys keys = { creds->access_key, creds->secret_key, creds->token };

	return sigv4_sign(&request, &keys, &text->signature);
}

/* Of absolute paths only: the SDKs' variable is checked by nobody else. */
static const char *ca_file(const struct conf_metrics *conf, const struct endpoint_env *env)
{
	if (conf->ca_file[0] != '\0')
		return conf->ca_file;
	return env->ca_bundle != NULL && env->ca_bundle[0] == '/' ? env->ca_bundle : NULL;
}

static int start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                 const struct cwatch_body *body, struct header_text *text)
{
	const struct conf_metrics *conf = push->conf;
	const char *lines[HEADERS_MAX + 1] = {
		"Content-Type: " CWATCH_TYPE,
		"X-Amz-Target: " CWATCH_TARGET,
		/* Errors also by the names they had in the Query protocol. */
		"x-amzn-query-mode: true",
		text->date,
		text->authorization,
	};
	const struct http_request request = {
		.method = "POST",
		.url = endpoint->url,
		.headers = lines,
		.body = body->text,
		.body_len = body->len,
		.connect_timeout_ms =
		        conf->timeout_ms < PUSH_CONNECT_MS ? conf->timeout_ms : PUSH_CONNECT_MS,
		.timeout_ms = conf->timeout_ms,
		.max_body = PUSH_ANSWER_MAX,
		.ca_file = ca_file(conf, &push->env),
	};
	size_t n = 5;

	snprintf(text->date, sizeof(text->date), "X-Amz-Date: %s", text->signature.date);
	snprintf(text->authorization, sizeof(text->authorization), "Authorization: %s",
	         text->signature.authorization);
	if (creds->token[0] != '\0') {
		snprintf(text->token, sizeof(text->token), "X-Amz-Security-Token: %s",
		         creds->token);
		lines[n++] = text->token;
	}
	push->send.call = http_start(push->deps.http, &request, answered, &push->send);
	return push->send.call != NULL ? 0 : -EIO;
}

int request_start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                  int64_t wall_ms)
{
	struct cwatch_body body = { 0 };
	struct collect collect = { .send = &push->send, .body = &body };
	struct header_text *text = NULL;
	int r;

	push->send.count = 0;
	queue_newest(push->queue, PUSH_BATCH_MAX, collect_visit, &collect);
	r = collect.error != 0 ? collect.error : push->send.count == 0 ? -ENODATA : 0;
	if (r < 0)
		goto out;
	cwatch_body_end(&body);
	text = malloc(sizeof(*text));
	r = text == NULL ? -ENOMEM : 0;
	if (r == 0)
		r = sign(push, endpoint, creds, &body, wall_ms, text);
	if (r == 0)
		r = start(push, endpoint, creds, &body, text);
	push->send.era = push->skew.era;
out:
	if (text != NULL)
		OPENSSL_cleanse(text, sizeof(*text));
	free(text);
	cwatch_body_free(&body);
	return r;
}
