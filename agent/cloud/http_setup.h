/*
 * One request under way, and how it is set up. Shared by http.c, which runs it,
 * and http_setup.c alone.
 */
#ifndef CLOUD_HTTP_SETUP_H
#define CLOUD_HTTP_SETUP_H

#include <curl/curl.h>

#include "http.h"

/*
 * What EL 9's libcurl, 7.76, cannot do, and ours is built with too:
 *	let a late resolver thread go (CURLOPT_QUICK_EXIT) instead of joining it in the
 *	loop; see http_new()
 *	keep the parsed bundle of certificates (CURLOPT_CA_CACHE_TIMEOUT) instead of
 *	loading it for each TLS connection
 */
#define HTTP_LETS_RESOLVER_GO (LIBCURL_VERSION_NUM >= 0x075700)
#define HTTP_HAS_CA_CACHE     (LIBCURL_VERSION_NUM >= 0x075700)

struct http_call {
	struct http_call *next;
	CURL *easy;
	struct curl_slist *headers;
	char *sent; /* our copy of the request's body */
	size_t sent_len;
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

/* Fills call->easy (already made), which shares its TLS sessions by `share`.
 * False if the request is not well-formed, or out of memory; then and at the
 * end of the call http_setup_free is due. */
bool http_setup(struct http_call *call, const struct http_request *request, CURLSH *share);

/* Wipes and frees what the request and the answer held; after the easy handle
 * is gone, which points into it. */
void http_setup_free(struct http_call *call);

#endif
