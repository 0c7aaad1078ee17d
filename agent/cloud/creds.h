/*
 * AWS credentials: the SDKs' chain in their order (environment, shared file,
 * instance role), renewed early; expired ones are still
 * handed out while renewal fails, as the services expect during an outage of
 * the metadata service (static stability).
 */
#ifndef CLOUD_CREDS_H
#define CLOUD_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "fact.h"

struct creds {
	char access_key[129];
	char secret_key[129];
	char token[4097];        /* empty for long-lived keys */
	int64_t expires_wall_ms; /* 0 = never */
};

struct creds_store;

/* The current credentials, or NULL while there are none. The pointer is valid
 * until the loop turns. The caller does not log, copy out or keep them. */
const struct creds *creds_get(const struct creds_store *store);

/* AWS refused these credentials (expired token, unknown key): fetch anew now,
 * at most once per refusal period; state goes CRED_REFUSED until others come. */
void creds_refused(struct creds_store *store, int64_t now_ms, const char *why);

/* AWS took a request signed with them: a refusal before it is over. */
void creds_accepted(struct creds_store *store);

struct conf_metrics;
struct imds;
struct worker;

struct creds_deps {
	const struct worker *worker;     /* FACT_CREDENTIALS goes out through it */
	const struct conf_metrics *conf; /* nothing is fetched unless it is enabled */
	struct imds *imds;
	int file_fd;                    /* of conf's credentials_file, or -1: none, or wnad
	                                   * could not open it; stays the caller's */
	char *(*env)(const char *name); /* getenv; what holds a secret is read once and
	                                   * overwritten in place */
};

/* Deps are kept by value. NULL when out of memory. creds_free wipes. */
struct creds_store *creds_new(const struct creds_deps *deps, int64_t now_ms);
void creds_free(struct creds_store *store);

/* Fetches and renews what is due, one fetch at a time; reports. */
void creds_turn(struct creds_store *store, int64_t now_ms, int64_t wall_ms);
int64_t creds_deadline(const struct creds_store *store);

/* Sends FACT_CREDENTIALS again. */
void creds_refresh(struct creds_store *store);

/* The shared file was replaced by another that only wnad can open, and would: the
 * process should end with WORKER_EXIT_REOPEN. */
bool creds_want_reopen(const struct creds_store *store);

#endif
