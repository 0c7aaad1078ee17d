/*
 * What a stranger at the metadata service's address may answer: statuses,
 * headers, tokens, bodies. The input is a row of answers, each a line
 * "STATUS HEADER" and a body up to a record separator (0x1e); a session and a walk
 * over the tags run on them in virtual time.
 */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_identity.h"
#include "log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static http_done *pending_done;
static void *pending_arg;

struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg)
{
	static char one;

	(void)http;
	/* Whatever was answered, what is asked stays ours. */
	if (strncmp(request->url, "http://169.254.169.254/latest/", 30) != 0 ||
	    strpbrk(request->url, " \r\n?#") != NULL || pending_done != NULL)
		abort();
	for (size_t i = 0; i < request->header_count; i++)
		if (strpbrk(request->headers[i].value, "\r\n") != NULL)
			abort();
	pending_done = done;
	pending_arg = arg;
	return (struct http_call *)(void *)&one;
}

void http_cancel(struct http *http, struct http_call *call)
{
	(void)http;
	if (call != NULL)
		pending_done = NULL;
}

static char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

/* Answers what is pending with the first record of text[0..len); its length. */
static size_t deliver(const char *text, size_t len, int64_t now_ms)
{
	const char *end = memchr(text, 0x1e, len);
	size_t record = end != NULL ? (size_t)(end - text) : len;
	const char *line = memchr(text, '\n', record);
	size_t head = line != NULL ? (size_t)(line - text) : record;
	size_t body_len = record - head - (line != NULL);
	struct http_result result = { .done_ms = now_ms };
	http_done *done = pending_done;
	char *body = malloc(body_len + 1);

	http_head_reset(&result);
	if (body == NULL)
		abort();
	memcpy(body, text + record - body_len, body_len);
	body[body_len] = '\0';
	result.body = body;
	result.body_len = body_len;
	for (size_t i = 0; i < head && i < 3 && text[i] >= '0' && text[i] <= '9'; i++)
		result.status = result.status * 10 + (text[i] - '0');
	if (head > 4)
		http_head_line(&result, text + 4, head - 4);
	if (result.status == 0)
		result.outcome = HTTP_TIMED_OUT;
	pending_done = NULL;
	done(pending_arg, &result);
	free(body);
	return record + (end != NULL);
}

static void check_facts(struct facts *facts, const char *text, size_t len)
{
	static char json[FACTS_FILE_MAX], env[8192];
	char value[LIMIT_HOST];
	struct sb sb;
	cJSON *back;

	if (shape_text(text, len, value, sizeof(value)))
		for (int id = FACTS_FIRST; id < FACTS_END; id++)
			if (facts_valid(id, value))
				facts_set(facts, id, value);
	sb_init(&sb, json, sizeof(json));
	facts_json(facts, &sb);
	back = cJSON_Parse(json);
	if (sb.cut || !back)
		abort();
	cJSON_Delete(back);
	sb_init(&sb, env, sizeof(env));
	facts_env(facts, &sb);
	if (sb.cut || strpbrk(env, "$`\"'\\;&|<>() \t\r") != NULL)
		abort();
}

/* The walk over the tags, as cloud_identity.c leads it. */
static struct tagwalk walk;
static struct imds_ask ask;
static struct imds *imds;

static void on_reply(void *arg, enum imds_reply reply, const char *body, size_t len, int64_t now_ms)
{
	bool key = walk.key;
	enum tagwalk_step step = TAGWALK_BAD;

	(void)arg, (void)now_ms;
	if (reply == IMDS_REPLY_VALUE || (reply == IMDS_REPLY_ABSENT && key))
		step = tagwalk_take(&walk, reply == IMDS_REPLY_VALUE ? body : NULL, len);
	if (walk.tags.count > TAGS_MAX || strlen(walk.tags.json) != walk.tags.len)
		abort();
	if (step == TAGWALK_ASK) {
		snprintf(ask.path, sizeof(ask.path), "/latest/meta-data/tags/instance/%s",
		         walk.key);
		imds_ask(imds, &ask);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct conf_imds conf = { .timeout_ms = 1000, .token_ttl_s = 60 };
	static struct facts facts;
	struct imds_settings settings;
	const char *text = (const char *)data;
	size_t at = 0;
	int64_t now = 0;

	if (size > 64 * 1024)
		return 0;
	log_init("fuzz", LOG_LEVEL_ERROR);
	memset(&facts, 0, sizeof(facts));
	imds_settings_read(&conf, no_env, &settings);
	imds = imds_new(NULL, &settings);
	if (!imds)
		abort();
	ask = (struct imds_ask){ .done = on_reply };
	for (int turns = 0; at < size && turns < 4000; turns++) {
		if (!ask.waiting) {
			tagwalk_begin(&walk);
			str_copy(ask.path, sizeof(ask.path), "/latest/meta-data/tags/instance");
			imds_ask(imds, &ask);
		}
		imds_turn(imds, now);
		if (pending_done)
			at += deliver(text + at, size - at, now);
		else
			now = imds_deadline(imds);
	}
	facts.tags = walk.tags;
	FACTS_AT(&facts, FACTS_TAGS)->have = FACTS_PRESENT;
	check_facts(&facts, text, size);
	imds_free(imds);
	return 0;
}
