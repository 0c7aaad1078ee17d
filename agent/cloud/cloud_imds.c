/*
 * Run by wna-cloud. Blocks on nothing. Owns the session token, which is a secret and is wiped when
 * it is replaced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cloud_identity.h"
#include "log.h"

enum {
	TOKEN_MAX = 1024, /* AWS's tokens have 56 characters */
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
	DISABLED_PAUSE_MS = 30 * 1000, /* until an operator enables it: no back-off */
};

struct imds {
	struct http *http;
	struct imds_settings settings;
	struct http_call *call; /* under way, for the first of `asks` */
	bool put;               /* it is the token request */
	struct imds_ask *asks;  /* a queue */
	char token[TOKEN_MAX + 1];
	int64_t token_ends_ms; /* from then on the token is not used */
	int64_t renew_ms;      /* from then on a new one is asked for; the old one is still good */
	int64_t gate_ms;       /* nothing is sent before */
	unsigned failures;     /* of the service, in a row */
	char forbidden[320];   /* path of a 403 since the last good answer; "" = none */
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
	/* The request under way is for the first of `asks`. */
	if (at == &imds->asks && imds->call) {
		http_cancel(imds->http, imds->call);
		imds->call = NULL;
	}
	*at = ask->next;
	ask->waiting = false;
}

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

static void reply(struct imds *imds, enum imds_reply kind, const char *body, size_t len,
                  int64_t now_ms)
{
	struct imds_ask *ask = imds->asks;

	imds->asks = ask->next;
	ask->waiting = false;
	ask->done(ask->arg, kind, body, len, now_ms);
}

/* The service fails. Perhaps only a packet was lost: a request is first repeated at once. */
static void fail(struct imds *imds, enum imds_state state, const char *why, int64_t now_ms)
{
	if (state == IMDS_SILENT && imds->failures == 0 &&
	    ++imds->asks->unanswered < imds->settings.attempts)
		return;
	imds->gate_ms = now_ms + (state == IMDS_DISABLED
	                                  ? clock_jitter(DISABLED_PAUSE_MS, 25, clock_random())
	                                  : clock_backoff(imds->failures, RETRY_FIRST_MS,
	                                                  RETRY_MAX_MS, clock_random()));
	imds->failures++;
	state_set(imds, state, why);
	reply(imds, IMDS_REPLY_FAILED, why, strlen(why), now_ms);
}

/* Visible ASCII that can stand in a header, and not the beginning of a page. */
static bool is_token(const char *body, size_t len)
{
	if (len == 0 || len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (body[i] <= ' ' || body[i] > '~' || body[i] == '<' || body[i] == '>')
			return false;
	return true;
}

static void token_take(struct imds *imds, const struct http_result *result)
{
	int64_t ttl_s = imds->settings.token_ttl_s; /* if it ends earlier, a request gets 401 */

	token_drop(imds);
	memcpy(imds->token, result->body, result->body_len);
	imds->token_ends_ms = result->done_ms + ttl_s * 1000;
	/* Between 75 and 90 % of its life. */
	imds->renew_ms = result->done_ms + ttl_s * (750 + clock_random() % 150);
	log_debug("imds: token for %lld s", (long long)ttl_s);
	/* A token shows that the service is there, but not that it answers questions. */
	if (imds->state == IMDS_SILENT || imds->state == IMDS_DISABLED)
		state_set(imds, IMDS_STARTING, "");
}

static void on_token(struct imds *imds, const struct http_result *result)
{
	char why[LIMIT_FACT_WHY] = "";
	enum imds_state state = imds_judge(true, result, imds->settings.base, why, sizeof why);
	int64_t now_ms = result->done_ms;

	if (state == IMDS_OK && !is_token(result->body, result->body_len)) {
		state = IMDS_BAD;
		snprintf(why, sizeof why, "%.60s gave no token but %zu bytes of something else",
		         imds->settings.base, result->body_len);
	}
	if (state == IMDS_OK) {
		token_take(imds, result);
	} else if (now_ms < imds->token_ends_ms) {
		/* The old token is still good. Renewal is tried again soon. */
		imds->renew_ms = now_ms + clock_jitter(RETRY_FIRST_MS, 50, clock_random());
		log_debug("imds: token not renewed: %s", why);
	} else {
		fail(imds, state, why, now_ms);
	}
}

/* 403 may be meant for one path alone. After a second one without a good answer between them, a token
 * request shows whether the service was disabled. */
static bool all_forbidden(struct imds *imds)
{
	const char *path = imds->asks->path;
	bool second = imds->forbidden[0] && strcmp(imds->forbidden, path) != 0;

	str_copy(imds->forbidden, sizeof imds->forbidden, path);
	return second;
}

static void on_answer(struct imds *imds, const struct http_result *result)
{
	char why[LIMIT_FACT_WHY] = "";
	enum imds_state state = imds_judge(false, result, imds->settings.base, why, sizeof why);
	long status = result->outcome == HTTP_ANSWERED ? result->status : 0;
	int64_t now_ms = result->done_ms;

	if (status == 401 || (status == 403 && all_forbidden(imds))) {
		token_drop(imds);
		if (!imds->asks->renewed) {
			imds->asks->renewed = true;
			return;
		}
	}
	if (state == IMDS_SILENT || state == IMDS_BUSY) {
		fail(imds, state, why, now_ms);
		return;
	}
	if (state != IMDS_OK) {
		reply(imds, IMDS_REPLY_BAD, why, strlen(why), now_ms);
		return;
	}
	imds->failures = 0;
	imds->forbidden[0] = '\0';
	if (imds->state != IMDS_OK)
		state_set(imds, IMDS_OK, "");
	if (status == 404)
		reply(imds, IMDS_REPLY_ABSENT, "", 0, now_ms);
	else
		reply(imds, IMDS_REPLY_VALUE, result->body, result->body_len, now_ms);
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
		fail(imds, IMDS_BAD, "request not started (out of memory, or bad endpoint)",
		     now_ms);
}

void imds_turn(struct imds *imds, int64_t now_ms)
{
	if (imds->call || !imds->asks || imds->settings.off || now_ms < imds->gate_ms)
		return;
	start(imds, now_ms);
}

void imds_retry(struct imds *imds)
{
	imds->gate_ms = 0;
	imds->failures = 0;
}

int64_t imds_retry_ms(const struct imds *imds)
{
	return imds->settings.off ? RETRY_NEVER : imds->gate_ms;
}

int64_t imds_deadline(const struct imds *imds)
{
	if (imds->call || !imds->asks || imds->settings.off)
		return INT64_MAX;
	return imds->gate_ms;
}
