/*
 * The pure half of the metadata session: where to ask, what an answer means,
 * when to ask again. After "Use the Instance Metadata Service" and "IMDSv2"
 * (EC2 User Guide) and the SDKs' reference guide for the variables' names.
 */
#ifndef CLOUD_IMDS_RULES_H
#define CLOUD_IMDS_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "http.h"

enum {
	IMDS_TOKEN_MAX = 1024,         /* AWS's have 56 characters */
	IMDS_RETRY_BASE_MS = 1000,     /* first back-off */
	IMDS_RETRY_MAX_MS = 60 * 1000, /* last back-off, and the pace while disabled */
};

struct imds_settings {
	bool off;               /* AWS_EC2_METADATA_DISABLED: never asked */
	char base[LIMIT_VALUE]; /* "http://169.254.169.254", no slash at the end */
	int64_t timeout_ms;     /* one request */
	int attempts;           /* requests without an answer in quick succession
	                         * before the service counts as silent; 1..10 */
	int64_t token_ttl_s;
	char ignored[64]; /* a variable or key whose value made no sense; "" = none */
};

/*
 * Configuration and environment together. The configured endpoint wins over
 * AWS_EC2_METADATA_SERVICE_ENDPOINT, that over the mode (IPv6 if either says
 * so); AWS_METADATA_SERVICE_TIMEOUT (seconds) and _NUM_ATTEMPTS win over the
 * configuration. `env` is getenv or a test's stand-in.
 */
void imds_settings_read(const struct conf_imds *conf, char *(*env)(const char *name),
                        struct imds_settings *ret);

/* What one exchange came to. */
enum imds_class {
	IMDS_CLASS_VALUE,    /* 200 */
	IMDS_CLASS_ABSENT,   /* 404 to a GET: the node has no such thing */
	IMDS_CLASS_TOKEN,    /* 401 to a GET: the token is not taken any more */
	IMDS_CLASS_DISABLED, /* 403 (to a GET perhaps for its path alone), and to the PUT
	                      * 404 and 405 */
	IMDS_CLASS_SILENT,   /* no answer */
	IMDS_CLASS_BUSY,     /* 429, 503 */
	IMDS_CLASS_BAD,      /* an answer that is none of the service's */
	IMDS_CLASS_BUG,      /* 400: what we ask is wrong, asking again will not help */
};

/*
 * `put` = the token request. For every class but VALUE and ABSENT a reason for
 * people is written. Answers with another content than text or JSON are BAD,
 * whatever their status, where the service would have said 200.
 */
enum imds_class imds_classify(bool put, const struct http_result *result, const char *base,
                              char *ret_why, size_t size);

/* The state that a class puts the session in. */
enum imds_state imds_class_state(enum imds_class class);

/* How long nothing is asked after the failures'th failure in a row (from 1). */
int64_t imds_pause_ms(enum imds_class class, unsigned failures, uint32_t random);

/* Visible ASCII that can stand in a header, and not the beginning of a page. */
bool imds_token_valid(const char *body, size_t len);

/* When to renew a token granted for ttl_s: between 75 and 90 % of its life. */
int64_t imds_renew_ms(int64_t ttl_s, uint32_t random);

#endif
