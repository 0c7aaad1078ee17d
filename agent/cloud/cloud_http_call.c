/*
 * Run by wna-cloud: turns a struct http_request into libcurl's options and takes
 * in the answer's bytes, both bounded. Blocks on nothing; owns the copies of
 * headers and answer, which may hold credentials and leave no trace in the heap.
 */
#include "cloud_http_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "str.h"

enum {
	BODY_FIRST_BYTES = 4096, /* what nearly every answer fits in */
	HEADER_MAX_BYTES = 6144, /* one of the request's; session tokens have up to 4096 */
	HEADERS_MAX_BYTES = 32 * 1024,
	VALUE_MAX = 256,           /* the values read here are shorter in honest answers */
	CA_CACHE_S = 24 * 60 * 60, /* loading the bundle costs 29 ms of CPU */
};

void http_head_reset(struct http_result *result)
{
	result->date_wall_ms = 0;
	result->ttl_s = -1;
	result->error_type[0] = '\0';
	result->query_error[0] = '\0';
	result->content_type[0] = '\0';
}

static bool is_name(const char *line, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(line, name, len) == 0;
}

static void take_date(struct http_result *result, const char *value)
{
	time_t date = curl_getdate(value, NULL);

	/* 1970 to 9999: outside of it is no clock to learn from. */
	if (date > 0 && date < INT64_C(253402300800))
		result->date_wall_ms = (int64_t)date * 1000;
}

void http_head_line(struct http_result *result, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *text;
	size_t name_len, rest;
	char value[VALUE_MAX];

	if (!colon)
		return;
	name_len = (size_t)(colon - line);
	rest = len - name_len - 1;
	if (rest >= sizeof value)
		rest = sizeof value - 1;
	if (memchr(colon + 1, '\0', rest))
		return;
	memcpy(value, colon + 1, rest);
	value[rest] = '\0';
	text = str_trim(value);
	if (is_name(line, name_len, "date"))
		take_date(result, text);
	else if (is_name(line, name_len, "x-aws-ec2-metadata-token-ttl-seconds"))
		str_int64(text, 0, 21600, &result->ttl_s);
	else if (is_name(line, name_len, "x-amzn-errortype"))
		str_clean(result->error_type, sizeof result->error_type, text, strlen(text));
	else if (is_name(line, name_len, "x-amzn-query-error"))
		str_clean(result->query_error, sizeof result->query_error, text, strlen(text));
	else if (is_name(line, name_len, "content-type"))
		str_clean(result->content_type, sizeof result->content_type, text, strlen(text));
}

static void wipe_free(char *bytes, size_t len)
{
	if (!bytes)
		return;
	explicit_bzero(bytes, len);
	free(bytes);
}

/* Grows by copying, since what is left behind must be wiped. */
static bool body_reserve(struct http_call *call, size_t need)
{
	size_t size = call->size ? call->size : BODY_FIRST_BYTES;
	char *grown;

	while (size < need)
		size *= 2;
	if (size == call->size)
		return true;
	grown = malloc(size);
	if (!grown)
		return false;
	if (call->len > 0)
		memcpy(grown, call->body, call->len);
	wipe_free(call->body, call->size);
	call->body = grown;
	call->size = size;
	return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t len = size * count;

	if (len > call->max - call->len) {
		call->too_large = true;
		return 0;
	}
	if (!body_reserve(call, call->len + len + 1))
		return 0;
	memcpy(call->body + call->len, data, len);
	call->len += len;
	return len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t len = size * count;

	call->header_bytes += len;
	if (call->header_bytes > HEADERS_MAX_BYTES) {
		call->too_large = true;
		return 0;
	}
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		http_head_reset(&call->result);
	else
		http_head_line(&call->result, data, len);
	return len;
}

static bool add_line(struct http_call *call, const char *line)
{
	struct curl_slist *more = curl_slist_append(call->headers, line);

	if (more)
		call->headers = more;
	return more;
}

static bool call_headers(struct http_call *call, const struct http_request *request)
{
	char line[HEADER_MAX_BYTES];
	bool typed = false, ok = true;
	int len;

	for (size_t i = 0; ok && i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];

		typed = typed || strcasecmp(header->name, "content-type") == 0;
		len = snprintf(line, sizeof line, "%s: %s", header->name, header->value);
		ok = len > 0 && (size_t)len < sizeof line && !strpbrk(line, "\r\n") &&
		     add_line(call, line);
	}
	explicit_bzero(line, sizeof line);
	/* A name without a value is a header that libcurl must not add by itself. */
	return ok && add_line(call, "Expect:") && (typed || add_line(call, "Content-Type:"));
}

/* The body has no secret in it: libcurl keeps its own copy. */
static bool call_method(CURL *easy, const struct http_request *request)
{
	if (strcmp(request->method, "GET") == 0)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	return curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "") ==
	               CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

static void call_trust(CURL *easy, const char *ca_file)
{
	if (ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
#if HTTP_HAS_CA_CACHE
	char *built_in = NULL;

	/* The parsed bundle is cached only if no directory is set beside it. */
	curl_easy_getinfo(easy, CURLINFO_CAINFO, &built_in);
	if (ca_file || built_in)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
#endif
}

/* These fail only in a library without them, which must not go unseen. */
static bool call_bounds(CURL *easy)
{
#if HTTP_LETS_RESOLVER_GO
	if (curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK)
		return false;
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
	if (curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
		return false;
#else
	if (curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) != CURLE_OK)
		return false;
#endif
	return curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
}

static bool call_options(struct http_call *call, const struct http_request *request, CURLSH *share)
{
	CURL *easy = call->easy;

	if (!call_bounds(easy) || curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
		return false;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "web-node-agent/" WNA_VERSION);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_body);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	curl_easy_setopt(easy, CURLOPT_SHARE, share);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	call_trust(easy, request->ca_file);
	return true;
}

bool http_call_setup(struct http_call *call, const struct http_request *request, CURLSH *share)
{
	call->easy = curl_easy_init();
	return call->easy && call_headers(call, request) && call_method(call->easy, request) &&
	       call_options(call, request, share);
}

void http_call_free(struct http_call *call)
{
	if (!call)
		return;
	/* The easy handle first: it points into the rest. */
	curl_easy_cleanup(call->easy);
	for (struct curl_slist *at = call->headers; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(call->headers);
	wipe_free(call->body, call->size);
	free(call);
}
