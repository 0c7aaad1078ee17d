/*
 * Run by wna-cloud: one signed request. Never blocks. Owns the signature until libcurl has its copy;
 * it is wiped.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "cloud_aws.h"

enum { HEADERS_MAX = 6, CONNECT_MS = 3000 };

/* The configuration is checked when it is loaded; of the SDKs' variable only an absolute path is
 * used. */
static const char *ca_file(const struct conf_metrics *conf)
{
	const char *bundle = getenv("AWS_CA_BUNDLE");

	if (conf->ca_file[0])
		return conf->ca_file;
	return bundle && bundle[0] == '/' ? bundle : NULL;
}

/* One list of headers for both: what is signed is what is sent. */
int post_start(struct http *http, const struct conf_metrics *conf, const struct post *post,
               const struct creds *creds, http_done *done, void *arg, struct http_call **ret)
{
	char date[SIGV4_DATE], authorization[SIGV4_AUTHORIZATION];
	struct http_header headers[HEADERS_MAX] = {
		{ "content-type", post->type },
		{ "host", post->endpoint->host },
		{ "x-amz-date", date },
		{ "x-amz-security-token", creds->token },
	};
	size_t count = creds->token[0] ? 4 : 3;
	struct sigv4_request sign = {
		.headers = headers,
		.body = post->body,
		.body_len = post->len,
		.date = date,
		.region = post->endpoint->region,
		.service = post->service,
		.access_key = creds->access_key,
		.secret_key = creds->secret_key,
	};
	struct http_request request = {
		.method = "POST",
		.url = post->endpoint->url,
		.headers = headers,
		.body = post->body,
		.body_len = post->len,
		.connect_timeout_ms = conf->timeout_ms < CONNECT_MS ? conf->timeout_ms : CONNECT_MS,
		.timeout_ms = conf->timeout_ms,
		.ca_file = ca_file(conf),
	};
	int r;

	if (post->target)
		headers[count++] = (struct http_header){ "x-amz-target", post->target };
	sign.header_count = count;
	if (!sigv4_date(post->aws_ms, date))
		return -EINVAL;
	r = sigv4_sign(&sign, authorization);
	if (r < 0)
		return r;
	headers[count++] = (struct http_header){ "authorization", authorization };
	request.header_count = count;
	*ret = http_start(http, &request, done, arg);
	OPENSSL_cleanse(authorization, sizeof authorization);
	return *ret ? 0 : -EIO;
}
