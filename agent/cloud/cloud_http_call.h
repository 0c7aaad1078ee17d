/*
 * One request under way. For cloud_http.c, which runs it, and cloud_http_call.c, which sets it
 * up and takes the answer in.
 */
#ifndef CLOUD_HTTP_CALL_H
#define CLOUD_HTTP_CALL_H

#include <curl/curl.h>

#include "cloud_http.h"

/*
 * EL 9's libcurl, 7.76, has neither of these, and the agent is built with it too:
 *	CURLOPT_QUICK_EXIT lets a late resolver thread go, which the loop would
 *	otherwise join; see http_new()
 *	CURLOPT_CA_CACHE_TIMEOUT keeps the parsed bundle of certificates, which is
 *	otherwise loaded for each TLS connection
 */
#define HTTP_LETS_RESOLVER_GO (LIBCURL_VERSION_NUM >= 0x075700)
#define HTTP_HAS_CA_CACHE     (LIBCURL_VERSION_NUM >= 0x075700)

struct http_call {
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	size_t len, size, max;
	size_t header_bytes;
	bool too_large;
	int64_t started_ms;
	char error[CURL_ERROR_SIZE];
	http_done *done;
	void *arg;
	struct http_result result;
};

/* Makes call->easy, which shares its TLS sessions by `share`. False if the request is
 * not well-formed, or out of memory; then and at the end of the call http_call_free is
 * due. */
bool http_call_setup(struct http_call *call, const struct http_request *request, CURLSH *share);

/* Wipes what the headers and the answer held, and frees the call. NULL is allowed. */
void http_call_free(struct http_call *call);

#endif
