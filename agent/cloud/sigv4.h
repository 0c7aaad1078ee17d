/*
 * AWS Signature Version 4, header and query form, over libcrypto. Implements
 * "Create a signed AWS API request" of the IAM User Guide
 * (reference_sigv-create-signed-request) for every service but S3, which
 * neither normalises paths nor encodes them twice.
 *
 * Time is an argument: the caller passes AWS's time, not the machine's.
 */
#ifndef CLOUD_SIGV4_H
#define CLOUD_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "str.h"

enum {
	SIGV4_PAIRS_MAX = 24, /* headers or query parameters, with what signing adds */
	SIGV4_DATE = 17,      /* "20260102T030405Z" and NUL */
	SIGV4_AUTHORIZATION = 1536,
	SIGV4_EXPIRES_MAX = 604800, /* seconds: a week */
};

struct sigv4_pair {
	const char *name, *value;
};

struct sigv4_keys {
	const char *access_key, *secret_key;
	const char *token; /* NULL or empty for long-lived keys */
};

struct sigv4_request {
	const char *method;
	const char *path;               /* as sent, from the slash on, without the query */
	const struct sigv4_pair *query; /* decoded; any order; names may repeat */
	size_t query_count;
	/* As sent, any order, repeated names in their order; Host must be among them,
	 * with the port as it is sent. Signing adds X-Amz-Date and
	 * X-Amz-Security-Token, which the caller must send then. */
	const struct sigv4_pair *headers;
	size_t header_count;
	const void *body; /* as sent */
	size_t body_len;
	const char *region, *service;
	int64_t wall_ms; /* Unix ms, as AWS has it */
};

struct sigv4_signed {
	char date[SIGV4_DATE];                   /* value of X-Amz-Date */
	char authorization[SIGV4_AUTHORIZATION]; /* value of Authorization: a secret for
	                                          * the five minutes it is good for */
};

/* Header form. 0; -EINVAL if a part is missing, too many pairs or a time out of
 * range; -E2BIG if the result does not fit; -EIO if libcrypto fails. */
int sigv4_sign(const struct sigv4_request *request, const struct sigv4_keys *keys,
               struct sigv4_signed *ret);

/*
 * Query form (a presigned URL): the whole query text, signature last. Nothing is
 * added to the headers. The token is part of what is signed. Errors as above.
 */
int sigv4_presign(const struct sigv4_request *request, const struct sigv4_keys *keys,
                  int64_t expires_s, char *ret, size_t size);

/* The canonical request of the header form, for tests and for finding out why a
 * service disagrees. It has the token in it. Errors as above. */
int sigv4_canonical(const struct sigv4_request *request, const struct sigv4_keys *keys,
                    struct sb *ret);

#endif
