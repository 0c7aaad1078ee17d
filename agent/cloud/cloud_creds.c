/*
 * Run by wna-cloud. Blocks on reading the shared file alone. Owns the credentials, which are
 * overwritten by new ones and wiped at the end. A log or a fact names their source and has no
 * part of them.
 */
#include "cloud_creds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

enum {
	REPORT_MS = 10 * 1000,
	/* AWS publishes new keys of a role at least 5 minutes before the old ones end; an
	 * operator may change the shared file at any time. */
	AGAIN_MS = 60 * 1000,
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
	REFUSAL_MS = 30 * 1000,
	JITTER_PERCENT = 20,
};

struct creds_store {
	const struct worker *worker;
	const struct conf_metrics *conf;
	struct imds *imds;
	int64_t next_ms;    /* of the next fetch */
	int64_t refusal_ms; /* before this a refusal starts no fetch */
	int64_t report_ms;
	struct imds_ask ask; /* for the role's name, then for its credentials */
	char role[65];       /* "" while its name is asked for */
	char profile[LIMIT_NAME];
	bool wanted; /* by the metrics, a lifecycle hook or the database's login */
	bool chosen; /* the profile was named, by configuration or environment */
	bool have_env, have;
	struct creds env, current;
	char source[LIMIT_FACT_TEXT]; /* of `current` */
	unsigned failures;
	int kind; /* of the last failure: its enum imds_reply, or the file's -errno */
	enum cred_state state;
	bool refused;
	bool changed;
	char why[LIMIT_FACT_WHY]; /* of the last failed fetch, or of the refusal */
};

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms);

struct creds_store *creds_new(const struct worker *worker, struct imds *imds,
                              char *(*env)(const char *name), int64_t now_ms)
{
	struct creds_store *store = calloc(1, sizeof *store);
	const struct conf_metrics *conf = &worker->conf->metrics;
	const char *profile = conf->profile[0] ? conf->profile : env("AWS_PROFILE");
	char why[LIMIT_FACT_WHY];

	if (!store)
		return NULL;
	store->worker = worker;
	store->conf = conf;
	store->imds = imds;
	store->wanted = conf->enabled || worker->conf->life.launch_hook[0] ||
	                worker->conf->life.terminate_hook[0] ||
	                (worker->conf->rds.enabled && worker->conf->rds.auth == DB_AUTH_IAM);
	store->chosen = profile && profile[0];
	str_copy(store->profile, sizeof store->profile, store->chosen ? profile : "default");
	store->have_env = creds_env_read(env, &store->env, why);
	if (why[0])
		log_warning("credentials: %s: not used", why);
	store->ask.done = on_answer;
	store->ask.arg = store;
	store->next_ms = now_ms;
	store->report_ms = now_ms;
	return store;
}

void creds_free(struct creds_store *store)
{
	if (!store)
		return;
	imds_withdraw(store->imds, &store->ask);
	explicit_bzero(store, sizeof *store);
	free(store);
}

const struct creds *creds_get(const struct creds_store *store)
{
	return store->have ? &store->current : NULL;
}

static bool same(const struct creds *a, const struct creds *b)
{
	return strcmp(a->access_key, b->access_key) == 0 &&
	       strcmp(a->secret_key, b->secret_key) == 0 && strcmp(a->token, b->token) == 0;
}

/* Keys were found: new ones, or those that are in use. */
static void take(struct creds_store *store, const struct creds *creds, const char *source,
                 int64_t now_ms)
{
	store->failures = 0;
	store->next_ms = now_ms + clock_jitter(AGAIN_MS, JITTER_PERCENT, clock_random());
	if (!store->have || !same(creds, &store->current)) {
		log_info("credentials: %s from %s", store->have ? "renewed" : "found", source);
		store->current = *creds;
		store->have = true;
		store->refused = false;
		store->changed = true;
	}
	str_copy(store->source, sizeof store->source, source);
	if (!store->refused)
		store->why[0] = '\0';
}

/* The reason may have a span or an address in it that differs each time: one line in the log for each
 * `kind` of failure in a row. */
static void fail(struct creds_store *store, int kind, const char *why, int64_t now_ms)
{
	if (!store->refused && (store->failures == 0 || store->kind != kind))
		log_info("credentials: %s", why);
	else
		log_debug("credentials: still %s: %s", cred_state_name(store->state), why);
	if (!store->refused && strcmp(store->why, why) != 0) {
		str_copy(store->why, sizeof store->why, why);
		store->changed = true;
	}
	store->kind = kind;
	store->next_ms = now_ms + clock_backoff(store->failures++, RETRY_FIRST_MS, RETRY_MAX_MS,
	                                        clock_random());
}

static void ask_role(struct creds_store *store, const char *name)
{
	snprintf(store->ask.path, sizeof store->ask.path, ROLE_PATH "%s", name);
	str_copy(store->role, sizeof store->role, name);
	imds_ask(store->imds, &store->ask);
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct creds_store *store = arg;
	char name[sizeof store->role], source[LIMIT_FACT_TEXT];
	char reason[LIMIT_FACT_WHY - 16], why[LIMIT_FACT_WHY];
	struct creds creds;

	if (reply == IMDS_REPLY_ABSENT) {
		str_copy(reason, sizeof reason, "none is attached to this instance");
	} else if (reply != IMDS_REPLY_VALUE) {
		str_copy(reason, sizeof reason, body);
	} else if (!store->role[0]) {
		if (shape_text(body, len, name, sizeof name) && shape_role(name)) {
			ask_role(store, name);
			return;
		}
		str_copy(reason, sizeof reason, "the answer is not a role's name");
	} else if (creds_parse_json(body, len, &creds, reason, sizeof reason) == 0) {
		snprintf(source, sizeof source, "instance role %s", store->role);
		take(store, &creds, source, now_ms);
		explicit_bzero(&creds, sizeof creds);
		return;
	}
	snprintf(why, sizeof why, "instance role: %s", reason);
	fail(store, (int)reply, why, now_ms);
}

/* True if the file decides, with keys or with a failure; otherwise the chain goes on. A
 * configured file or profile is not replaced by another identity in silence. */
static bool try_file(struct creds_store *store, int64_t now_ms)
{
	char source[LIMIT_FACT_TEXT], why[LIMIT_FACT_WHY];
	struct creds creds;
	int r;

	if (!store->conf->credentials_file[0])
		return false;
	r = creds_file_read(store->conf->credentials_file, store->profile, &creds);
	if (r == 0) {
		snprintf(source, sizeof source, "shared file, profile %.40s", store->profile);
		take(store, &creds, source, now_ms);
		explicit_bzero(&creds, sizeof creds);
		return true;
	}
	if (r == -ENODATA && !store->chosen)
		return false;
	if (r == -EBADMSG || r == -ENODATA)
		snprintf(why, sizeof why, "shared file: profile %.40s: %s", store->profile,
		         r == -EBADMSG ? "keys incomplete or malformed"
		                       : "not in the file, or without keys there");
	else
		snprintf(why, sizeof why, "shared file: %s",
		         r == -EPERM ? "it is not a regular file of root's, or it is open to others"
		                     : strerror(-r));
	fail(store, r, why, now_ms);
	return true;
}

/* The chain, in the SDKs' order. */
static void fetch(struct creds_store *store, int64_t now_ms)
{
	if (store->have_env) {
		take(store, &store->env, "environment", now_ms);
	} else if (!try_file(store, now_ms)) {
		ask_role(store, "");
		imds_turn(store->imds, now_ms);
	}
}

static enum cred_state state_now(const struct creds_store *store, int64_t wall_ms)
{
	if (!store->have)
		return CRED_NONE;
	if (store->refused)
		return CRED_REFUSED;
	if (store->current.expires_wall_ms != 0 && wall_ms >= store->current.expires_wall_ms)
		return CRED_STALE;
	return CRED_OK;
}

/* Sends FACT_CREDENTIALS. */
static void report(const struct creds_store *store)
{
	const char *why = store->why, *imds_why = "";
	char text[LIMIT_FACT_WHY];

	/* While a fetch waits for the metadata service, the reason is the service's. */
	if (store->ask.waiting && !why[0] && imds_state(store->imds, &imds_why) != IMDS_OK &&
	    imds_why[0]) {
		snprintf(text, sizeof text, "instance role: %.130s", imds_why);
		why = text;
	}
	worker_fact(store->worker, FACT_CREDENTIALS, store->state,
	            store->have ? store->source : NULL, why);
}

int64_t creds_turn(struct creds_store *store, int64_t now_ms, int64_t wall_ms)
{
	enum cred_state state;

	if (!store->wanted)
		return INT64_MAX;
	if (!store->ask.waiting && now_ms >= store->next_ms)
		fetch(store, now_ms);
	state = state_now(store, wall_ms);
	if (state == CRED_STALE && store->state != CRED_STALE)
		log_warning("credentials: the keys from %s have expired and are still in use",
		            store->source);
	if (state != store->state)
		log_debug("credentials: %s", cred_state_name(state));
	if (state != store->state || store->changed || now_ms >= store->report_ms) {
		store->state = state;
		store->changed = false;
		store->report_ms = now_ms + REPORT_MS;
		report(store);
	}
	return earlier(earlier(store->ask.waiting ? INT64_MAX : store->next_ms, store->report_ms),
	               imds_deadline(store->imds));
}

void creds_refused(struct creds_store *store, int64_t now_ms, const char *why)
{
	if (!store->refused) {
		log_warning("credentials: AWS refuses the keys from %s: %s", store->source, why);
		store->refused = true;
		store->changed = true;
		str_clean(store->why, sizeof store->why, why, strlen(why));
	}
	if (now_ms < store->refusal_ms)
		return;
	store->refusal_ms = now_ms + clock_jitter(REFUSAL_MS, JITTER_PERCENT, clock_random());
	if (store->next_ms > now_ms)
		store->next_ms = now_ms;
}

void creds_accepted(struct creds_store *store)
{
	if (!store->refused)
		return;
	log_info("credentials: AWS accepts the keys from %s again", store->source);
	store->refused = false;
	store->why[0] = '\0';
	store->changed = true;
}

void creds_retry(struct creds_store *store, int64_t now_ms)
{
	/* A question that waits for the metadata service would delay the shared file. */
	imds_withdraw(store->imds, &store->ask);
	store->failures = 0;
	store->refusal_ms = now_ms;
	store->next_ms = now_ms;
}
