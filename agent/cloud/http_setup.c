/*
 * Run by wna-cloud: turns a struct http_request into libcurl's options and takes
 * in the answer's bytes, both bounded. Blocks on nothing; owns the copies of
 * request and answer, which may hold credentials and leave no trace in the heap.
 */
#include "http_setup.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_head.h"

enum {
	BODY_FIRST_BYTES = 4096, /* what nearly every answer fits in */
	HEADERS_MAX_BYTES = 32 * 1024,
	CA_CACHE_S = 24 * 60 * 60, /* loading the bundle costs 29 ms of CPU */
};

static void wipe_free(char *bytes, size_t len)
{
	if (bytes == NULL)
		return;
	explicit_bzero(bytes, len);
	free(bytes);
}

static void headers_free(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at != NULL; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

/* Grows by copying, so that what is left behind can be wiped. */
static bool body_reserve(struct http_call *call, size_t need)
{
	size_t size = call->size != 0 ? call->size : BODY_FIRST_BYTES;

	while (size < need)
		size *= 2;
	if (size == call->size)
		return true;
	char *grown = malloc(size);

	if (grown == NULL)
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

/* The caller's headers, and before them what libcurl must not add by itself. */
static bool call_headers(struct http_call *call, const struct http_request *request)
{
	struct curl_slist *list = NULL;
	bool typed = false;

	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
		const char *header = request->headers[i];
		struct curl_slist *more;

		if (strpbrk(header, "\r\n") != NULL ||
		    (more = curl_slist_append(list, header)) == NULL)
			goto fail;
		list = more;
		if (strncasecmp(header, "Content-Type:", 13) == 0)
			typed = true;
	}
	const char *const unwanted[] = { "Expect:", typed ? NULL : "Content-Type:" };

	for (size_t i = 0; i < 2 && unwanted[i] != NULL; i++) {
		struct curl_slist *more = curl_slist_append(list, unwanted[i]);

		if (more == NULL)
			goto fail;
		list = more;
	}
	call->headers = list;
	return true;
fail:
	headers_free(list);
	return false;
}

static bool call_method(struct http_call *call, const struct http_request *request)
{
	CURL *easy = call->easy;

	if (strcmp(request->method, "GET") == 0)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	if (request->body_len > 0) {
		call->sent = malloc(request->body_len);
		if (call->sent == NULL)
			return false;
		call->sent_len = request->body_len;
		memcpy(call->sent, request->body, request->body_len);
	}
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->sent_len);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->sent != NULL ? call->sent : "");
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

static void call_trust(CURL *easy, const char *ca_file)
{
	if (ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
#if HTTP_HAS_CA_CACHE
	char *built_in = NULL;

	/* The parsed bundle is cached only if no directory is set beside it. */
	curl_easy_getinfo(easy, CURLINFO_CAINFO, &built_in);
	if (ca_file != NULL || built_in != NULL)
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
	return curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
}

static bool call_options(struct http_call *call, const struct http_request *request, CURLSH *share)
{
	CURL *easy = call->easy;

	if (!call_bounds(easy) || curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
		return false;
	if (request->local) {
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	}
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

bool http_setup(struct http_call *call, const struct http_request *request, CURLSH *share)
{
	return call_headers(call, request) && call_method(call, request) &&
	       call_options(call, request, share);
}

void http_setup_free(struct http_call *call)
{
	headers_free(call->headers);
	wipe_free(call->sent, call->sent_len);
	wipe_free(call->body, call->size);
}
