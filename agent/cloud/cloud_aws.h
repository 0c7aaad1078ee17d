/*
 * Requests to AWS: where to, how they are signed, and what an answer means.
 */
#ifndef CLOUD_AWS_H
#define CLOUD_AWS_H

#include "cloud_creds.h"

/*
 * cloud_endpoint.c: configured, from the SDKs' environment variables, or the region's own (AWS
 * General Reference, "Amazon CloudWatch endpoints and quotas", "Amazon EC2 Auto Scaling endpoints
 * and quotas"; the partitions are those of botocore's partitions.json).
 */

struct endpoint_service {
	const char *name;     /* "monitoring": in the host's name, and in signatures */
	const char *variable; /* "AWS_ENDPOINT_URL_CLOUDWATCH" */
	const char *url;      /* configured; may be empty */
};

struct endpoint {
	char url[LIMIT_VALUE];     /* "https://monitoring.eu-west-1.amazonaws.com/" */
	char host[LIMIT_HOST + 8]; /* lower case, with the port unless it is the scheme's own */
	char region[LIMIT_FACT_TEXT];
};

/*
 * `env` is getenv: the SDKs' variables for the region, the endpoint's URL, FIPS and dual-stack.
 * 0; or with a reason in `why` -EAGAIN if the region is not known yet, -EINVAL if the
 * configuration cannot be used. Refused are a URL that is not a base (url.h), and http://
 * beyond loopback without metrics.allow_http. FIPS and dual-stack, by configuration or
 * environment, contradict a given URL, as in the SDKs.
 */
int endpoint_find(const struct conf_metrics *conf, const struct endpoint_service *service,
                  char *(*env)(const char *name), const struct identity *identity,
                  struct endpoint *ret, char *why, size_t why_size);

/* cloud_post.c: one signed request. What is signed is what is sent; the signature is wiped. */
struct post {
	const struct endpoint *endpoint;
	const char *service; /* of struct endpoint_service */
	const char *type;    /* of the body */
	const char *target;  /* x-amz-target; NULL: none */
	const char *body;
	size_t len;
	int64_t aws_ms; /* AWS's time */
};

/* As http_start. 0 and *ret; -EIO, or -errno of the signature. */
int post_start(struct http *http, const struct conf_metrics *conf, const struct post *post,
               const struct creds *creds, http_done *done, void *arg, struct http_call **ret);

/* cloud_cwatch_answer.c: what to do about an answer. The table of error codes is there. */
enum cwatch_verdict {
	CWATCH_ACCEPTED,
	CWATCH_RETRY,     /* throttled, a failure of AWS, no answer */
	CWATCH_CLOCK,     /* the signature or its time is not accepted */
	CWATCH_REFUSED,   /* the credentials are not accepted */
	CWATCH_DENIED,    /* no right to do it, or the service is not offered */
	CWATCH_BAD_DATUM, /* something in the request is not valid, or it is too large */
	CWATCH_UNKNOWN,   /* an error that is not in the table, or no answer of CloudWatch at all:
	                   * HTML, a redirect, garbage */
};

struct cwatch_answer {
	enum cwatch_verdict verdict;
	char code[64];            /* "Throttling"; empty if there is none */
	char why[LIMIT_FACT_WHY]; /* for people; never a signature's or a token's text */
	int64_t date_ms;          /* AWS's clock; 0 = unknown */
	int64_t sent_ms, took_ms; /* as in http_result */
};

/* Pure: decides by the error code, and by the status only without one. */
void cwatch_judge(const struct http_result *result, struct cwatch_answer *ret);

/* The same for the answers of EC2 Auto Scaling, which are XML (Query API 2011-01-01). */
void query_judge(const struct http_result *result, struct cwatch_answer *ret);

/*
 * cloud_sigv4.c: AWS Signature Version 4 of a POST to "/" without a query, and of the query that is
 * a database's login token ("Create a signed AWS API request" of the IAM User Guide,
 * reference_sigv-create-signed-request). Time is an argument: AWS's, not the machine's.
 */
enum {
	SIGV4_DATE = 17, /* "20260102T030405Z" and NUL */
	SIGV4_AUTHORIZATION = 768,
	SIGV4_LOGIN_S = 900, /* how long a login token is valid */
};

struct sigv4_request {
	/* As they are sent. Sorted by name, each once, names in lower case, values without
	 * blanks at their ends or two in a row; among them host (with the port as it is
	 * sent), x-amz-date and, with a session token, x-amz-security-token. */
	const struct http_header *headers;
	size_t header_count;
	const void *body;
	size_t body_len;
	const char *date; /* of sigv4_date, and the value of x-amz-date */
	const char *region, *service;
	const char *access_key, *secret_key;
};

/* Unix ms into the value of x-amz-date. False outside of the years 1970 to 9999. */
bool sigv4_date(int64_t wall_ms, char ret[SIGV4_DATE]);

/* Writes the value of the header Authorization: a secret for the five minutes in which AWS
 * accepts it. 0; -E2BIG if a text does not fit; -EIO if libcrypto fails. */
int sigv4_sign(const struct sigv4_request *request, char ret[SIGV4_AUTHORIZATION]);

/*
 * Writes the token with which `user` may log in to the database on `host`, "NAME:PORT", within
 * SIGV4_LOGIN_S (RDS User Guide, "Connecting to your DB instance using IAM authentication"; as
 * botocore's generate_db_auth_token makes it). Headers and body of `request` are not used; its
 * service is "rds-db". The same results; `ret` is wiped on failure.
 */
int sigv4_login(const struct sigv4_request *request, const char *host, const char *user,
                const char *session_token, char *ret, size_t size);

#endif
