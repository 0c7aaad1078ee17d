/*
 * cloud_http.h without a network, for tests in virtual time: http_start keeps one
 * request, fake_deliver answers it from what the test has laid out. It speaks
 * IMDSv2 like the service does, tokens included, and can fail in many ways.
 */
#ifndef TEST_CLOUD_FAKE_HTTP_H
#define TEST_CLOUD_FAKE_HTTP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_http.h"

enum { FAKE_PATHS = 96, FAKE_SILENT = -1 /* a path's status: time-out */ };

struct http_call {
	char method[8], url[1024], token[256], ttl[32];
	http_done *done;
	void *arg;
};

static struct {
	struct http_call *call; /* under way */
	int puts, gets;
	char last[1024]; /* URL of the last GET */
	/* the metadata service */
	const char *base; /* "http://169.254.169.254" */
	int token;        /* number of the token that is good */
	struct {
		const char *path;
		long status;
		const char *body;
		size_t len; /* 0 = strlen */
		const char *type;
	} path[FAKE_PATHS];
	int paths;
	/* what is wrong; 0 = nothing */
	enum http_outcome put_outcome, get_outcome;
	long put_status, get_status;
	int ill_for; /* requests that fail; 0 = all, until the test ends it */
	const char *token_body;
	const char *page; /* body of all errors */
} fake;

static inline void fake_reset(void)
{
	free(fake.call);
	memset(&fake, 0, sizeof(fake));
	fake.base = "http://169.254.169.254";
	fake.token = 1;
	fake.page = "<?xml version=\"1.0\"?><html><body>error</body></html>";
}

/* Sets or replaces what a path answers; status 404 removes it. */
static inline void fake_set(const char *path, long status, const char *body)
{
	int i = 0;

	while (i < fake.paths && strcmp(fake.path[i].path, path) != 0)
		i++;
	if (i == fake.paths)
		fake.paths++;
	if (fake.paths > FAKE_PATHS)
		abort();
	fake.path[i].path = path;
	fake.path[i].status = status;
	fake.path[i].body = body;
	fake.path[i].len = 0;
	fake.path[i].type = "text/plain";
}

static inline void fake_header(struct http_call *call, const struct http_header *header)
{
	if (strcmp(header->name, "X-aws-ec2-metadata-token") == 0)
		snprintf(call->token, sizeof(call->token), "%s", header->value);
	if (strcmp(header->name, "X-aws-ec2-metadata-token-ttl-seconds") == 0)
		snprintf(call->ttl, sizeof(call->ttl), "%s", header->value);
}

struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg)
{
	struct http_call *call = calloc(1, sizeof(*call));

	(void)http;
	if (fake.call != NULL || call == NULL)
		abort(); /* its users send one request at a time */
	snprintf(call->method, sizeof(call->method), "%s", request->method);
	snprintf(call->url, sizeof(call->url), "%s", request->url);
	for (size_t i = 0; i < request->header_count; i++)
		fake_header(call, &request->headers[i]);
	call->done = done;
	call->arg = arg;
	fake.call = call;
	return call;
}

void http_cancel(struct http *http, struct http_call *call)
{
	(void)http;
	if (call == NULL)
		return;
	if (call != fake.call)
		abort();
	free(call);
	fake.call = NULL;
}

static inline void fake_put(struct http_result *result, char *body, size_t size)
{
	fake.puts++;
	result->status = 200;
	snprintf(body, size, "TOKEN-%d==", fake.token);
	result->body = fake.token_body != NULL ? fake.token_body : body;
	if (fake.put_outcome != HTTP_ANSWERED)
		result->outcome = fake.put_outcome;
	if (fake.put_status != 0)
		result->status = fake.put_status;
}

static inline void fake_get(const struct http_call *call, struct http_result *result)
{
	char token[64];
	const char *path = strncmp(call->url, fake.base, strlen(fake.base)) == 0
	                           ? call->url + strlen(fake.base)
	                           : call->url;

	fake.gets++;
	snprintf(fake.last, sizeof(fake.last), "%s", call->url);
	snprintf(token, sizeof(token), "TOKEN-%d==", fake.token);
	result->status = 404;
	for (int i = 0; i < fake.paths; i++)
		if (strcmp(fake.path[i].path, path) == 0) {
			result->status = fake.path[i].status;
			result->body = fake.path[i].body;
			result->body_len = fake.path[i].len;
			snprintf(result->content_type, sizeof(result->content_type), "%s",
			         fake.path[i].type);
		}
	if (strncmp(path, "/latest/", 8) == 0 && strcmp(call->token, token) != 0)
		result->status = 401;
	if (result->status == FAKE_SILENT)
		result->outcome = HTTP_TIMED_OUT;
	if (fake.get_outcome != HTTP_ANSWERED)
		result->outcome = fake.get_outcome;
	if (fake.get_status != 0)
		result->status = fake.get_status;
}

/* Answers what is under way, as of now_ms. False if nothing is. */
static inline bool fake_deliver(int64_t now_ms)
{
	struct http_call *call = fake.call;
	struct http_result result = {
		.body = fake.page, .done_ms = now_ms, .took_ms = 1, .content_type = "text/plain"
	};
	char body[64];

	if (call == NULL)
		return false;
	fake.call = NULL;
	if (strcmp(call->method, "PUT") == 0)
		fake_put(&result, body, sizeof(body));
	else
		fake_get(call, &result);
	if (result.outcome == HTTP_ANSWERED && result.status != 200)
		result.body = fake.page;
	if (result.outcome != HTTP_ANSWERED) {
		result.body = "";
		result.body_len = 0;
		snprintf(result.why, sizeof(result.why), "scripted failure");
	}
	if (result.body_len == 0)
		result.body_len = strlen(result.body);
	if (fake.ill_for > 0 && --fake.ill_for == 0) {
		fake.put_outcome = fake.get_outcome = HTTP_ANSWERED;
		fake.put_status = fake.get_status = 0;
	}
	call->done(call->arg, &result);
	free(call);
	return true;
}

#endif
