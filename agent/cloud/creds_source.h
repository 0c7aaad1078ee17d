/*
 * The places where credentials come from, for creds.c alone. Each source looks
 * whether it is there, and fetches at once or by a request that ends in
 * one call of `done`.
 */
#ifndef CLOUD_CREDS_SOURCE_H
#define CLOUD_CREDS_SOURCE_H

#include "creds.h"
#include "creds_parse.h"
#include "http.h"
#include "imds.h"

/* What the environment says, read once: secrets in it are overwritten. */
struct creds_env {
	bool complete;            /* key and secret are there and valid */
	char why[LIMIT_FACT_WHY]; /* why not, if something is there; "" = nothing is */
	struct creds creds;
};
void creds_env_read(char *(*env)(const char *name), struct creds_env *ret);

/*
 * The container endpoint: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI on
 * 169.254.170.2, or _FULL_URI, which must be https or lead to loopback or one of
 * the agents' link-local addresses (SDK reference guide, "Container credential
 * provider"; botocore and the other SDKs have the same list).
 */
struct creds_container {
	bool set;       /* a variable is there: then no other source follows */
	char url[1024]; /* "" = not allowed or not sound: why */
	char why[LIMIT_FACT_WHY];
	char token[2049];     /* verbatim Authorization header; "" = none */
	char token_file[256]; /* wins over token; read at every fetch */
};
void creds_container_read(char *(*env)(const char *name), struct creds_container *ret);

/* Starts the request; `done` is http.h's. NULL with a reason if it cannot. */
struct http_call *creds_container_start(const struct creds_container *container, struct http *http,
                                        http_done *done, void *arg, char *ret_why, size_t size);

/* The instance's role: its name, then its credentials, by the IMDS session. */
struct creds_role {
	struct imds *imds;
	struct imds_ask ask;
	char name[65]; /* "" while it is asked for */
	/* Exactly one call a fetch: creds, or NULL and why. */
	void (*done)(void *arg, const struct creds *creds, const char *why, int64_t now_ms);
	void *arg;
};
void creds_role_start(struct creds_role *role);

/* The shared file: 0 or what creds_parse_file says, -errno of reading. */
int creds_file_read(int fd, const char *profile, struct creds *ret);

/* Whether `path` is another file now than `fd`; false if that cannot be seen. */
bool creds_file_replaced(int fd, const char *path);

#endif
