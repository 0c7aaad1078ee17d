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

#include <sys/types.h>
#include <time.h>

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

/* The shared file, which wnad opens and hands over. */
struct creds_file {
	int fd;           /* -1: there is none, or wnad could not open it */
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
	CREDS_FILE_SAME,   /* what was handed over; without that, what was there at the start */
	CREDS_FILE_OTHER,  /* another that wnad would take */
	CREDS_FILE_UNFIT,  /* another that it would not: no plain file, or not its owner's alone */
	CREDS_FILE_GONE,   /* nothing */
	CREDS_FILE_MOVED,  /* what is held has no name any more, and the rest is hidden */
	CREDS_FILE_HIDDEN, /* in a folder that this process may not search */
};
enum creds_file_look creds_file_look(const struct creds_file *file);

#endif
