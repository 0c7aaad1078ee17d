/*
 * AWS credentials: the SDKs' chain in their order (environment, shared file, instance role),
 * renewed early. Expired ones are still handed out while renewal fails: AWS's services accept
 * them during an outage of the metadata service (static stability).
 */
#ifndef CLOUD_CREDS_H
#define CLOUD_CREDS_H

#include <sys/types.h>
#include <time.h>

#include "cloud_identity.h"

struct creds {
	char access_key[129];
	char secret_key[129];
	char token[4097];        /* empty for long-lived keys */
	int64_t expires_wall_ms; /* 0 = never */
};

/* cloud_creds.c: the chain, and the life of what it has found. */
struct creds_store;

/*
 * Keeps all pointers. Nothing is fetched unless metrics are enabled. `file_fd` is that of
 * metrics.credentials_file, or -1: none, or it could not be opened; it stays the caller's.
 * `env` is getenv; a variable that holds a secret is read once and overwritten in place. NULL
 * when out of memory. creds_free wipes.
 */
struct creds_store *creds_new(const struct worker *worker, struct imds *imds, int file_fd,
                              char *(*env)(const char *name), int64_t now_ms);
void creds_free(struct creds_store *store);

/* Fetches and renews what is due, one fetch at a time; reports. */
void creds_turn(struct creds_store *store, int64_t now_ms, int64_t wall_ms);
int64_t creds_deadline(const struct creds_store *store);

/* The current credentials, or NULL while there are none. The pointer is valid until the loop
 * turns. The caller does not log, copy out or keep them. */
const struct creds *creds_get(const struct creds_store *store);

/* AWS refused these credentials (expired token, unknown key): they are fetched anew, at most
 * once per refusal period; the state is CRED_REFUSED until there are others, or AWS accepts a
 * request signed with them. */
void creds_refused(struct creds_store *store, int64_t now_ms, const char *why);
void creds_accepted(struct creds_store *store);

/* The shared file was replaced by another that the process would open: it should end and be
 * started anew. */
bool creds_want_reopen(const struct creds_store *store);

/* cloud_creds_source.c: the places where they come from, for cloud_creds.c alone. */

/* What the environment says, read once: secrets in it are overwritten. */
struct creds_env {
	bool complete;            /* key and secret are there and valid */
	char why[LIMIT_FACT_WHY]; /* why not, if something is there; "" = nothing is */
	struct creds creds;
};
void creds_env_read(char *(*env)(const char *name), struct creds_env *ret);

/* The shared file, which is opened once, at the start of the process. */
struct creds_file {
	int fd;           /* -1: there is none, or it could not be opened */
	const char *path; /* "" = none is configured */
	dev_t dev;        /* of what was there at the start; */
	ino_t inode;      /* 0 = nothing was seen */
	struct timespec changed;
};
void creds_file_init(struct creds_file *file, int fd, const char *path);

/* 0 or what creds_parse_file says, -errno of reading. */
int creds_file_read(const struct creds_file *file, const char *profile, struct creds *ret);

/* What stands at the path now, as far as it can be seen without opening it. */
enum creds_file_look {
	CREDS_FILE_SAME,   /* what was opened; without that, what was there at the start */
	CREDS_FILE_OTHER,  /* another that a new process would take */
	CREDS_FILE_UNFIT,  /* another that it would refuse */
	CREDS_FILE_GONE,   /* nothing */
	CREDS_FILE_MOVED,  /* what is held has no name any more, and the rest is hidden */
	CREDS_FILE_HIDDEN, /* in a folder that this process may not search */
};
enum creds_file_look creds_file_look(const struct creds_file *file);

/*
 * cloud_creds_parse.c: credentials as texts: shapes, times, the JSON of the metadata service, the
 * shared file. Pure; nothing is kept, and what was allocated on the way is wiped.
 */

/* 16..128 word characters (IAM API, AccessKey); visible ASCII, 1..128 and 0..4096. */
bool creds_key_valid(const char *access_key);
bool creds_secret_valid(const char *secret_key);
bool creds_token_valid(const char *token);

/* "2026-11-23T08:15:30Z", also with a fraction, also with "+00:00"; nothing else and no date
 * that does not exist. */
bool creds_time(const char *text, int64_t *ret_wall_ms);

/*
 * {"Code": "Success", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"} (EC2 User
 * Guide, "Retrieve security credentials"). A status of 200 may carry an error: Code other
 * than Success. 0, or -EBADMSG with a reason that has no secret in it; *ret is then
 * untouched.
 */
int creds_parse_json(const char *json, size_t len, struct creds *ret, char *ret_why, size_t size);

/*
 * The profile's keys from an AWS shared credentials file (SDK reference guide, "Shared config
 * and credentials files"). 0; -ENOENT no such profile or no keys in it; -EBADMSG incomplete
 * or malformed keys. `len` bytes, no NUL needed.
 */
int creds_parse_file(const char *text, size_t len, const char *profile, struct creds *ret);

#endif
