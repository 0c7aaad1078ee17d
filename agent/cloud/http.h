/*
 * HTTP requests of wna-cloud over one curl multi handle: the process' only way
 * to the network, and its loop's only place to wait.
 */
#ifndef CLOUD_HTTP_H
#define CLOUD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;      /* the multi handle */
struct http_call; /* one request under way */

enum http_outcome {
	HTTP_ANSWERED,   /* a whole answer with a status; see .status */
	HTTP_TIMED_OUT,  /* connect or answer too late */
	HTTP_NO_NAME,    /* the host's name did not resolve */
	HTTP_NO_CONNECT, /* refused or unreachable */
	HTTP_NO_TLS,     /* handshake or certificate */
	HTTP_TOO_LARGE,  /* the body passed max_body; nothing of it is kept */
	HTTP_BROKEN,     /* anything else: cut off, not HTTP */
};

const char *http_outcome_name(enum http_outcome outcome);

struct http_request {
	const char *method; /* "GET", "PUT", "POST" */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const void *body;           /* copied; may be NULL */
	size_t body_len;
	int64_t connect_timeout_ms;
	int64_t timeout_ms;
	size_t max_body;     /* bytes of answer taken at most */
	const char *ca_file; /* NULL: the system's */
	bool local;          /* the metadata service: no proxy at all */
};

struct http_result {
	enum http_outcome outcome;
	long status;      /* with HTTP_ANSWERED */
	const char *body; /* NUL-terminated; valid during the callback */
	size_t body_len;
	int64_t date_wall_ms;  /* Date header, Unix ms; 0 = none */
	int64_t ttl_s;         /* X-aws-ec2-metadata-token-ttl-seconds; -1 = none */
	char error_type[128];  /* X-Amzn-Errortype, cleaned; "" = none */
	char query_error[128]; /* x-amzn-query-error, cleaned; "" = none */
	char content_type[64];
	char why[160];        /* for people, when not HTTP_ANSWERED; never has secrets */
	int64_t sent_wall_ms; /* our clock when the request was started */
	int64_t took_ms;
	int64_t done_ms; /* monotonic, when the answer was complete */
};

typedef void http_done(void *arg, const struct http_result *result);

/* No redirect is ever followed; only http and https are spoken. NULL if curl fails. */
struct http *http_new(void);
void http_free(struct http *http);

/* Starts one request; `done` is called once from http_wait, never from here.
 * NULL if it cannot be started (out of memory, bad URL). */
struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg);

/* Gives up a request; `done` is not called. NULL is allowed. */
void http_cancel(struct http *http, struct http_call *call);

/* Waits for network, for `fd` becoming readable or for timeout_ms, whatever comes
 * first, and calls what is done. Returns true if `fd` is readable or closed. */
bool http_wait(struct http *http, int fd, int64_t timeout_ms);

#endif
