/*
 * Run by wna-cloud. Blocks on nothing: requests go through cloud_http.h. Owns the
 * session token, which is a secret and is wiped when it is replaced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cloud_identity.h"
#include "log.h"

struct imds {
	struct http *http;
	struct imds_settings settings;
	struct http_call *call; /* under way, for the first of `asks` */
	bool put;               /* it is the token request */
	struct imds_ask *asks;  /* a queue */
	char token[IMDS_TOKEN_MAX + 1];
	int64_t token_ends_ms; /* past it the token is not used */
	int64_t renew_ms;      /* past it a new one is asked for, the old one still good */
	int64_t gate_ms;       /* nothing is sent before */
	unsigned failures;     /* in a row; repeated ones of one path count once */
	char failed[sizeof((struct imds_ask *)0)->path]; /* path of the last one */
	bool doubted; /* the token was dropped to see whether another is given */
	enum imds_state state;
	char why[LIMIT_FACT_WHY];
};

struct imds *imds_new(struct http *http, const struct imds_settings *settings)
{
	struct imds *imds = calloc(1, sizeof *imds);

	if (!imds)
		return NULL;
	imds->http = http;
	imds->settings = *settings;
	if (settings->off) {
		imds->state = IMDS_DISABLED;
		str_copy(imds->why, sizeof imds->why, "AWS_EC2_METADATA_DISABLED is set");
	}
	return imds;
}

static void token_drop(struct imds *imds)
{
	explicit_bzero(imds->token, sizeof imds->token);
	imds->token_ends_ms = 0;
	imds->renew_ms = 0;
}

void imds_free(struct imds *imds)
{
	if (!imds)
		return;
	http_cancel(imds->http, imds->call);
	for (struct imds_ask *ask = imds->asks; ask; ask = ask->next)
		ask->waiting = false;
	token_drop(imds);
	free(imds);
}

enum imds_state imds_state(const struct imds *imds, const char **ret_why)
{
	*ret_why = imds->why;
	return imds->state;
}

void imds_ask(struct imds *imds, struct imds_ask *ask)
{
	struct imds_ask **at = &imds->asks;

	if (ask->waiting)
		return;
	ask->waiting = true;
	ask->renewed = false;
	ask->unanswered = 0;
	ask->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = ask;
}

void imds_withdraw(struct imds *imds, struct imds_ask *ask)
{
	struct imds_ask **at = &imds->asks;

	if (!ask->waiting)
		return;
	while (*at != ask)
		at = &(*at)->next;
	/* The request under way is the first ask's. */
	if (at == &imds->asks && imds->call) {
		http_cancel(imds->http, imds->call);
		imds->call = NULL;
	}
	*at = ask->next;
	ask->waiting = false;
}

/* The one place where the state changes. */
static void state_set(struct imds *imds, enum imds_state state, const char *why)
{
	bool changed = state != imds->state;

	imds->state = state;
	str_copy(imds->why, sizeof imds->why, why);
	if (!changed)
		log_debug("imds: still %s: %s (%u in a row)", imds_state_name(state), why,
		          imds->failures);
	else if (state == IMDS_OK)
		log_info("imds: %s answers", imds->settings.base);
	else
		log_info("imds: %s: %s", imds_state_name(state), why);
}

static void succeed(struct imds *imds)
{
	imds->failures = 0;
	imds->gate_ms = 0;
	if (imds->state != IMDS_OK)
		state_set(imds, IMDS_OK, "");
}

static void reply(struct imds *imds, enum imds_reply kind, const char *body, size_t len,
                  int64_t now_ms)
{
	struct imds_ask *ask = imds->asks;

	imds->asks = ask->next;
	ask->waiting = false;
	ask->done(ask->arg, kind, body, len, now_ms);
}

/* Counts a failure. True if it concerns one path alone, among good answers to others. */
static bool fails_alone(struct imds *imds, enum imds_class class)
{
	bool again = imds->failures > 0 && strcmp(imds->failed, imds->asks->path) == 0;
	bool alone = !imds->put && (class == IMDS_CLASS_BAD || class == IMDS_CLASS_DISABLED);

	if (!alone || !again || imds->failures > 1)
		imds->failures++;
	if (!alone || class == IMDS_CLASS_BAD)
		return alone && imds->failures == 1;
	/* A second path's 403 may mean that the service was switched off: the token
	 * request is refused as well then. */
	if (imds->failures > 1) {
		token_drop(imds);
		imds->doubted = true;
	}
	return true;
}

static void fail(struct imds *imds, enum imds_class class, const char *why, int64_t now_ms)
{
	char reason[LIMIT_FACT_WHY];
	bool one = fails_alone(imds, class);

	str_copy(reason, sizeof reason, why);
	str_copy(imds->failed, sizeof imds->failed, imds->asks->path);
	if (!one) {
		imds->gate_ms = now_ms + imds_pause_ms(class, imds->failures, clock_random());
		state_set(imds, imds_class_state(class), why);
	}
	reply(imds, one ? IMDS_REPLY_BAD : IMDS_REPLY_FAILED, reason, strlen(reason), now_ms);
}

/* A lost packet is no outage: the request is repeated at once, a few times. */
static bool quick_retry(struct imds *imds, enum imds_class class)
{
	return class == IMDS_CLASS_SILENT && ++imds->asks->unanswered < imds->settings.attempts &&
	       imds->failures == 0;
}

static void on_token(struct imds *imds, const struct http_result *result)
{
	char why[LIMIT_FACT_WHY] = "";
	enum imds_class class = imds_classify(true, result, imds->settings.base, why, sizeof why);
	int64_t now_ms = result->done_ms;

	if (class == IMDS_CLASS_VALUE && !imds_token_valid(result->body, result->body_len)) {
		class = IMDS_CLASS_BAD;
		snprintf(why, sizeof why, "%.60s gave no token but %zu bytes of something else",
		         imds->settings.base, result->body_len);
	}
	if (class == IMDS_CLASS_VALUE) {
		int64_t ttl_s = result->ttl_s > 0 ? result->ttl_s : imds->settings.token_ttl_s;

		token_drop(imds);
		memcpy(imds->token, result->body, result->body_len);
		imds->token_ends_ms = now_ms + ttl_s * 1000;
		imds->renew_ms = now_ms + imds_renew_ms(ttl_s, clock_random());
		if (imds->doubted)
			imds->failures = 0;
		imds->doubted = false;
		log_debug("imds: token for %lld s", (long long)ttl_s);
		/* A token shows that the service is there, not yet that it answers. */
		if (imds->state == IMDS_SILENT || imds->state == IMDS_DISABLED)
			state_set(imds, IMDS_STARTING, "");
	} else if (now_ms < imds->token_ends_ms) {
		/* The old token is good: questions go on, and renewal is tried later. */
		imds->renew_ms = now_ms + imds_pause_ms(class, 1, clock_random());
		log_debug("imds: token not renewed: %s", why);
	} else if (!quick_retry(imds, class)) {
		fail(imds, class, why, now_ms);
	}
}

static void on_answer(struct imds *imds, const struct http_result *result)
{
	char why[LIMIT_FACT_WHY] = "";
	struct imds_ask *ask = imds->asks;
	enum imds_class class = imds_classify(false, result, imds->settings.base, why, sizeof why);
	int64_t now_ms = result->done_ms;

	switch (class) {
	case IMDS_CLASS_VALUE:
		succeed(imds);
		reply(imds, IMDS_REPLY_VALUE, result->body, result->body_len, now_ms);
		break;
	case IMDS_CLASS_ABSENT:
		succeed(imds);
		reply(imds, IMDS_REPLY_ABSENT, "", 0, now_ms);
		break;
	case IMDS_CLASS_TOKEN:
		token_drop(imds);
		if (ask->renewed)
			fail(imds, IMDS_CLASS_BAD, "401: a fresh token was not taken either",
			     now_ms);
		else
			ask->renewed = true;
		break;
	default:
		if (!quick_retry(imds, class))
			fail(imds, class, why, now_ms);
		break;
	}
}

static void on_done(void *arg, const struct http_result *result)
{
	struct imds *imds = arg;
	bool put = imds->put;

	imds->call = NULL;
	if (put)
		on_token(imds, result);
	else
		on_answer(imds, result);
	imds_turn(imds, result->done_ms);
}

static void start(struct imds *imds, int64_t now_ms)
{
	bool put = now_ms >= imds->renew_ms || now_ms >= imds->token_ends_ms;
	char url[LIMIT_VALUE + sizeof imds->asks->path], ttl[24];
	struct http_header header = { "X-aws-ec2-metadata-token", imds->token };
	const struct http_request request = {
		.method = put ? "PUT" : "GET",
		.url = url,
		.headers = &header,
		.header_count = 1,
		.connect_timeout_ms = imds->settings.timeout_ms,
		.timeout_ms = imds->settings.timeout_ms,
	};

	imds->put = put;
	snprintf(ttl, sizeof ttl, "%lld", (long long)imds->settings.token_ttl_s);
	if (put)
		header = (struct http_header){ "X-aws-ec2-metadata-token-ttl-seconds", ttl };
	snprintf(url, sizeof url, "%s%s", imds->settings.base,
	         put ? "/latest/api/token" : imds->asks->path);
	imds->call = http_start(imds->http, &request, on_done, imds);
	if (!imds->call)
		fail(imds, IMDS_CLASS_BAD, "request not started (out of memory, or bad endpoint)",
		     now_ms);
}

void imds_turn(struct imds *imds, int64_t now_ms)
{
	if (imds->call || !imds->asks || imds->settings.off || now_ms < imds->gate_ms)
		return;
	start(imds, now_ms);
}

int64_t imds_deadline(const struct imds *imds)
{
	if (imds->call || !imds->asks || imds->settings.off)
		return INT64_MAX;
	return imds->gate_ms;
}
