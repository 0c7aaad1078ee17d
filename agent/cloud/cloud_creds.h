/*
 * AWS credentials: the SDKs' chain in their order (environment, shared file, instance role),
 * looked up again every minute. Expired ones are used until there are others: AWS's services
 * accept them during an outage of the metadata service (static stability).
 */
#ifndef CLOUD_CREDS_H
#define CLOUD_CREDS_H

#include "cloud_identity.h"

struct creds {
	char access_key[129];
	char secret_key[129];
	char token[4097];        /* empty for long-lived keys */
	int64_t expires_wall_ms; /* 0 = never */
};

/* cloud_creds.c: the chain, and the credentials from their fetch to their end. */
struct creds_store;

/*
 * Keeps all pointers. Nothing is fetched unless metrics are enabled, a lifecycle hook is named or
 * database.auth is iam. `env` is getenv; a variable that holds a secret is read once and overwritten in place. NULL when out of
 * memory. creds_free wipes.
 */
struct creds_store *creds_new(const struct worker *worker, struct imds *imds,
                              char *(*env)(const char *name), int64_t now_ms);
void creds_free(struct creds_store *store);

/* Fetches what is due, one fetch at a time; reports. Returns when it is needed again. */
int64_t creds_turn(struct creds_store *store, int64_t now_ms, int64_t wall_ms);

/* The current credentials, or NULL while there are none. The pointer is valid until the loop
 * turns. The caller does not log, copy out or keep them. */
const struct creds *creds_get(const struct creds_store *store);

/* AWS refused these credentials (expired token, unknown key): they are fetched anew at once, but
 * not more than twice a minute. The state is CRED_REFUSED until there are others, or AWS
 * accepts a request signed with them. */
void creds_refused(struct creds_store *store, int64_t now_ms, const char *why);
void creds_accepted(struct creds_store *store);

/* Ends a back-off: credentials are looked for again at once, from the beginning of the chain. */
void creds_retry(struct creds_store *store, int64_t now_ms);

/*
 * cloud_creds_source.c: where credentials come from, and their texts. What was allocated on the
 * way is wiped.
 */

/* Moves the keys out of the environment. True with complete and valid keys; false with a reason
 * in `ret_why` (LIMIT_FACT_WHY bytes), which is empty if the environment has none. */
bool creds_env_read(char *(*env)(const char *name), struct creds *ret, char *ret_why);

/* Opens and reads the shared file. 0 or what creds_parse_file says; -EPERM not a regular file of
 * root's, or open to others; another -errno. */
int creds_file_read(const char *path, const char *profile, struct creds *ret);

/*
 * The profile's keys from an AWS shared credentials file (SDK reference guide, "Shared config
 * and credentials files"). 0; -ENODATA no such profile or no keys in it; -EBADMSG incomplete
 * or malformed keys. `len` bytes, no NUL needed.
 */
int creds_parse_file(const char *text, size_t len, const char *profile, struct creds *ret);

/*
 * {"Code": "Success", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"} (EC2 User
 * Guide, "Retrieve security credentials"). An answer with status 200 may be an error: a Code
 * other than Success. 0; or -EBADMSG with a reason that has no secret in it, and *ret
 * untouched.
 */
int creds_parse_json(const char *json, size_t len, struct creds *ret, char *ret_why, size_t size);

/* "2026-11-23T08:15:30Z", also with a fraction, also with "+00:00"; nothing else. */
bool creds_time(const char *text, int64_t *ret_wall_ms);

#endif
