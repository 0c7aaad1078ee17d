/* The places where credentials come from, for creds.c alone. */
#ifndef CLOUD_CREDS_SOURCE_H
#define CLOUD_CREDS_SOURCE_H

#include "creds.h"
#include "creds_parse.h"
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
