/*
 * Run by wna-cloud. Blocks on reading the shared file alone. Owns the credentials: they are
 * wiped when others replace them and at the end, and never go to a log or a fact; the name of
 * their source does.
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
	/* AWS publishes new credentials at least 5 minutes before the old ones end. They
	 * are asked for from 10 to 15 minutes before the end on, every AGAIN_MS. */
	RENEW_BEFORE_MS = 10 * 60 * 1000,
	RENEW_SPREAD_MS = 5 * 60 * 1000,
	AGAIN_MS = 60 * 1000,
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
	REFUSAL_FIRST_MS = 30 * 1000,
	REFUSAL_MAX_MS = 15 * 60 * 1000,
	JITTER_PERCENT = 20,
	/* Opening a file that was not seen to be replaced costs a restart: it is
	 * done seldom, and only after this many refusals of the keys in it. */
	BLIND_MS = 10 * 60 * 1000,
	BLIND_REFUSALS = 6,
};

struct creds_store {
	const struct worker *worker;
	const struct conf_metrics *conf;
	struct imds *imds;
	struct creds_env env;
	struct imds_ask ask; /* for the role's name, then for its credentials */
	char role[65];       /* "" while its name is asked for */
	bool fetching;       /* `ask` waits */
	struct creds_file file;
	int64_t blind_ms;            /* when a file that could not be opened is tried again */
	enum creds_file_look looked; /* last */
	char profile[LIMIT_NAME];
	bool chosen; /* the profile was named, it is not the default */

	bool have;
	struct creds current;
	char source[LIMIT_FACT_TEXT]; /* of `current` */
	int64_t renew_wall_ms;        /* 0 = never */

	int64_t next_ms;  /* of the next fetch; INT64_MAX = none but a renewal */
	int64_t again_ms; /* no renewal before: some sources' keys are always near their end */
	unsigned failures;
	unsigned refusals;
	int64_t refusal_ms; /* a refusal before this starts no fetch */
	bool refused;
	bool reopen;

	enum cred_state state;
	char why[LIMIT_FACT_WHY]; /* of the last failed fetch, or of the refusal */
	int64_t report_ms;
	bool changed;
};

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms);

struct creds_store *creds_new(const struct worker *worker, struct imds *imds, int file_fd,
                              char *(*env)(const char *name), int64_t now_ms)
{
	struct creds_store *store = calloc(1, sizeof *store);
	const struct conf_metrics *conf = &worker->conf->metrics;
	const char *profile = conf->profile[0] ? conf->profile : env("AWS_PROFILE");

	if (!store)
		return NULL;
	store->worker = worker;
	store->conf = conf;
	store->imds = imds;
	store->chosen = profile && profile[0];
	str_copy(store->profile, sizeof store->profile, store->chosen ? profile : "default");
	creds_file_init(&store->file, file_fd, conf->credentials_file);
	store->blind_ms = now_ms + clock_jitter(BLIND_MS, JITTER_PERCENT, clock_random());
	creds_env_read(env, &store->env);
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

bool creds_want_reopen(const struct creds_store *store)
{
	return store->reopen;
}

static bool same(const struct creds *a, const struct creds *b)
{
	return strcmp(a->access_key, b->access_key) == 0 &&
	       strcmp(a->secret_key, b->secret_key) == 0 && strcmp(a->token, b->token) == 0;
}

/* Keys were found, perhaps the present ones. */
static void take(struct creds_store *store, const struct creds *creds, const char *source,
                 int64_t now_ms)
{
	bool other = !store->have || !same(creds, &store->current);

	store->failures = 0;
	store->next_ms = INT64_MAX;
	if (other) {
		log_info("credentials: %s from %s", store->have ? "renewed" : "found", source);
		store->current = *creds;
		store->have = true;
		store->refused = false;
		store->refusals = 0;
		store->changed = true;
		str_copy(store->source, sizeof store->source, source);
	}
	store->renew_wall_ms = creds->expires_wall_ms == 0
	                               ? 0
	                               : creds->expires_wall_ms - RENEW_BEFORE_MS -
	                                         (int64_t)(clock_random() % RENEW_SPREAD_MS);
	/* Perhaps the present keys: the next ones are not published yet, or never will be. */
	store->again_ms = now_ms + clock_jitter(AGAIN_MS, JITTER_PERCENT, clock_random());
	if (store->refused)
		store->next_ms = store->again_ms;
	else
		store->why[0] = '\0';
}

static void lack(struct creds_store *store, const char *why, int64_t now_ms)
{
	if (strcmp(store->why, why) != 0 && !store->refused) {
		log_info("credentials: %s", why);
		str_copy(store->why, sizeof store->why, why);
		store->changed = true;
	}
	store->next_ms = now_ms + clock_backoff(store->failures++, RETRY_FIRST_MS, RETRY_MAX_MS,
	                                        clock_random());
}

static void ask_role(struct creds_store *store, const char *name)
{
	snprintf(store->ask.path, sizeof store->ask.path, ROLE_PATH "%s", name);
	str_copy(store->role, sizeof store->role, name);
	imds_ask(store->imds, &store->ask);
	store->fetching = true;
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct creds_store *store = arg;
	char name[sizeof store->role], source[LIMIT_FACT_TEXT];
	char reason[LIMIT_FACT_WHY - 16], why[LIMIT_FACT_WHY];
	struct creds creds;

	store->fetching = false;
	if (reply == IMDS_REPLY_ABSENT) {
		str_copy(reason, sizeof reason, "none is attached to this instance");
	} else if (reply != IMDS_REPLY_VALUE) {
		str_copy(reason, sizeof reason, body);
	} else if (!store->role[0]) {
		if (shape_text(body, len, name, sizeof name) && shape_role(name)) {
			ask_role(store, name);
			return;
		}
		str_copy(reason, sizeof reason, "its name has not the shape of one");
	} else if (creds_parse_json(body, len, &creds, reason, sizeof reason) == 0) {
		snprintf(source, sizeof source, "instance role %s", store->role);
		take(store, &creds, source, now_ms);
		explicit_bzero(&creds, sizeof creds);
		return;
	}
	snprintf(why, sizeof why, "instance role: %s", reason);
	lack(store, why, now_ms);
}

/* Whether the process should start anew, and open the file again. */
static void look_at_file(struct creds_store *store, int64_t now_ms)
{
	enum creds_file_look look = creds_file_look(&store->file);
	const char *path = store->file.path;
	bool hidden = look == CREDS_FILE_HIDDEN || look == CREDS_FILE_SAME;
	bool blind = store->file.fd < 0 ? hidden && now_ms >= store->blind_ms
	                                : look == CREDS_FILE_HIDDEN && store->refused &&
	                                          store->refusals >= BLIND_REFUSALS;

	/* Keys that work are not given up for a file that might be refused. */
	if (look == CREDS_FILE_MOVED && store->refused)
		look = CREDS_FILE_OTHER;

	if (look == CREDS_FILE_OTHER) {
		log_info("credentials: %s was replaced, asking for the new one", path);
		store->reopen = true;
	} else if (blind) {
		log_info("credentials: asking for %s once more", path);
		store->reopen = true;
	} else if (look != store->looked && store->file.fd >= 0 && look == CREDS_FILE_UNFIT) {
		log_warning("credentials: what replaced %s is not root's and closed to others: "
		            "the keys of the former go on being used",
		            path);
	}
	store->looked = look;
}

/* True if the file decides, with keys or with a failure; otherwise the chain goes on. A
 * configured file or profile is not replaced by another identity in silence. */
static bool try_file(struct creds_store *store, int64_t now_ms)
{
	char source[LIMIT_FACT_TEXT], why[LIMIT_FACT_WHY];
	struct creds creds;
	int error;

	if (!store->file.path[0])
		return false;
	look_at_file(store, now_ms);
	if (store->file.fd < 0) {
		lack(store, "shared file: it cannot be read, the log says why", now_ms);
		return true;
	}
	error = creds_file_read(&store->file, store->profile, &creds);
	if (error == -ENOENT && !store->chosen)
		return false;
	if (error != 0) {
		snprintf(why, sizeof why, "shared file: profile %.40s: %s", store->profile,
		         error == -EBADMSG  ? "keys incomplete or malformed"
		         : error == -ENOENT ? "not in the file, or without keys there"
		                            : strerror(-error));
		lack(store, why, now_ms);
		return true;
	}
	snprintf(source, sizeof source, "shared file, profile %.40s", store->profile);
	take(store, &creds, source, now_ms);
	explicit_bzero(&creds, sizeof creds);
	/* An operator may write other keys into the file at any time. */
	store->next_ms = store->again_ms;
	return true;
}

/* The chain, in the SDKs' order. */
static void fetch(struct creds_store *store, int64_t now_ms)
{
	if (store->env.complete) {
		take(store, &store->env.creds, "environment", now_ms);
		store->next_ms = INT64_MAX;
		store->renew_wall_ms = 0;
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

	/* A fetch that waits for the metadata service has no failure of its own. */
	if (store->fetching && !why[0] && imds_state(store->imds, &imds_why) != IMDS_OK &&
	    imds_why[0]) {
		snprintf(text, sizeof text, "instance role: %.130s", imds_why);
		why = text;
	}
	if (store->state == CRED_NONE && !why[0])
		why = store->env.why;
	worker_fact(store->worker, FACT_CREDENTIALS, store->state,
	            store->have ? store->source : NULL, why);
}

void creds_turn(struct creds_store *store, int64_t now_ms, int64_t wall_ms)
{
	enum cred_state state;

	if (!store->conf->enabled)
		return;
	/* After a failed renewal, next_ms keeps the pace. */
	if (store->have && store->renew_wall_ms != 0 && wall_ms >= store->renew_wall_ms &&
	    store->next_ms == INT64_MAX)
		store->next_ms = store->again_ms;
	if (!store->fetching && now_ms >= store->next_ms)
		fetch(store, now_ms);
	state = state_now(store, wall_ms);
	if (state == CRED_STALE && store->state != CRED_STALE)
		log_warning("credentials: those from %s are past their end and go on being used",
		            store->source);
	if (state != store->state)
		log_debug("credentials: %s", cred_state_name(state));
	if (state != store->state || store->changed || now_ms >= store->report_ms) {
		store->state = state;
		store->changed = false;
		store->report_ms = now_ms + REPORT_MS;
		report(store);
	}
}

int64_t creds_deadline(const struct creds_store *store)
{
	int64_t deadline = store->report_ms;

	if (!store->conf->enabled)
		return INT64_MAX;
	if (!store->fetching && store->next_ms < deadline)
		deadline = store->next_ms;
	if (imds_deadline(store->imds) < deadline)
		deadline = imds_deadline(store->imds);
	return deadline;
}

void creds_refused(struct creds_store *store, int64_t now_ms, const char *why)
{
	if (!store->refused) {
		log_warning("credentials: AWS refuses those from %s: %s", store->source, why);
		store->refused = true;
		store->changed = true;
		str_clean(store->why, sizeof store->why, why, strlen(why));
	}
	if (now_ms < store->refusal_ms)
		return;
	store->refusal_ms = now_ms + clock_backoff(store->refusals++, REFUSAL_FIRST_MS,
	                                           REFUSAL_MAX_MS, clock_random());
	if (store->next_ms > now_ms)
		store->next_ms = now_ms;
}

void creds_accepted(struct creds_store *store)
{
	if (!store->refused)
		return;
	log_info("credentials: AWS takes those from %s again", store->source);
	store->refused = false;
	store->refusals = 0;
	store->why[0] = '\0';
	store->changed = true;
}
