/*
 * Run by wna-cloud; the only place where that process waits. Blocks in curl_multi_poll alone:
 * names are resolved on libcurl's own threads, and late ones are left behind (before libcurl
 * 7.87 they are waited for, some seconds at most), and every request has an end. Owns the
 * multi handle, its connections and TLS sessions, and the copies of headers and answers, which
 * may hold credentials and are wiped.
 */
#include "cloud_http.h"

#include <assert.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "str.h"

/*
 * EL 9's libcurl, 7.76, has neither of these, and the agent is built with it too:
 *	CURLOPT_QUICK_EXIT leaves a late resolver thread behind, for which the loop would
 *	otherwise wait; see bound_resolver()
 *	CURLOPT_CA_CACHE_TIMEOUT keeps the parsed bundle of certificates, which is
 *	otherwise loaded for each TLS connection
 */
#define HAS_7_87 (LIBCURL_VERSION_NUM >= 0x075700)

enum {
	CONNECTIONS_KEPT = 4, /* metadata, CloudWatch, and one spare of each */
	POLL_FAILED_MS = 50,  /* out of memory: no busy loop */
	WAIT_FDS = 2,
	HEADER_MAX_BYTES = 6144, /* one of the request's; session tokens have up to 4096 */
	HEADERS_MAX_BYTES = 32 * 1024,
	CA_CACHE_S = 24 * 60 * 60, /* loading the bundle costs 29 ms of CPU */
};

struct http {
	CURLM *multi;
	CURLSH *share; /* TLS sessions, to resume them after a reconnect */
};

/* One request under way. */
struct http_call {
	CURL *easy;
	struct curl_slist *headers;
	char body[HTTP_BODY_MAX + 1];
	size_t len;
	size_t header_bytes;
	bool too_large;
	int64_t started_ms;
	char error[CURL_ERROR_SIZE];
	http_done *done;
	void *arg;
	struct http_result result;
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t len = size * count;

	if (len > HTTP_BODY_MAX - call->len) {
		call->too_large = true;
		return 0;
	}
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
	/* A name without a value removes a header that libcurl would add. */
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
#if HAS_7_87
	char *built_in = NULL;

	/* The parsed bundle is cached only if no directory is set beside it. */
	curl_easy_getinfo(easy, CURLINFO_CAINFO, &built_in);
	if (ca_file || built_in)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
#endif
}

/* These fail only in a library that was built without them. */
static bool call_bounds(CURL *easy)
{
#if HAS_7_87
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

static bool call_setup(struct http_call *call, const struct http_request *request, CURLSH *share)
{
	call->easy = curl_easy_init();
	return call->easy && call_headers(call, request) && call_method(call->easy, request) &&
	       call_options(call, request, share);
}

static void call_free(struct http_call *call)
{
	/* The easy handle first: it points into the rest. */
	curl_easy_cleanup(call->easy);
	for (struct curl_slist *at = call->headers; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(call->headers);
	explicit_bzero(call, sizeof *call);
	free(call);
}

/*
 * libcurl resolves names with libc on threads. A thread that waits for a silent name server must
 * end soon: libcurl before 7.87 waits for it, while the unit's watchdog runs; a later one leaves it
 * behind. libc's own limit is 5 s a server, twice, and all of it once more for the search
 * list. With these options it is 3 s for one server and 6 s for three, twice. They win over
 * resolv.conf, and each new thread reads them.
 */
static void bound_resolver(void)
{
	setenv("RES_OPTIONS", "timeout:1 attempts:2", 1);
}

struct http *http_new(void)
{
	struct http *http = calloc(1, sizeof *http);

	if (!http)
		return NULL;
	bound_resolver();
	/* OpenSSL writes to sockets without MSG_NOSIGNAL, and with CURLOPT_NOSIGNAL libcurl
	 * does not ignore the signal itself. */
	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto fail;
	http->multi = curl_multi_init();
	http->share = curl_share_init();
	if (!http->multi || !http->share)
		goto fail;
	curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
#if LIBCURL_VERSION_NUM >= 0x081400
	curl_multi_setopt(http->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
	return http;
fail:
	http_free(http);
	return NULL;
}

void http_cancel(struct http *http, struct http_call *call)
{
	if (!call)
		return;
	curl_multi_remove_handle(http->multi, call->easy);
	call_free(call);
}

void http_free(struct http *http)
{
	if (!http)
		return;
	curl_multi_cleanup(http->multi);
	curl_share_cleanup(http->share);
	curl_global_cleanup();
	free(http);
}

struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg)
{
	struct http_call *call = calloc(1, sizeof *call);

	if (!call)
		return NULL;
	call->done = done;
	call->arg = arg;
	http_head_reset(&call->result);
	if (!call_setup(call, request, http->share))
		goto fail;
	call->started_ms = clock_ms();
	call->result.sent_wall_ms = clock_wall_ms();
	if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
		goto fail;
	return call;
fail:
	call_free(call);
	return NULL;
}

static enum http_outcome outcome_of(const struct http_call *call, CURLcode code)
{
	curl_off_t named_us = 0;

	switch (code) {
	case CURLE_OK: return HTTP_ANSWERED;
	case CURLE_OPERATION_TIMEDOUT:
		/* Zero until the name was resolved; literals count as resolved. */
		curl_easy_getinfo(call->easy, CURLINFO_NAMELOOKUP_TIME_T, &named_us);
		return named_us == 0 ? HTTP_UNREACHED : HTTP_TIMED_OUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT: return HTTP_UNREACHED;
	default: return HTTP_BROKEN;
	}
}

static void call_finish(struct http *http, struct http_call *call, CURLcode code)
{
	struct http_result *result = &call->result;

	result->outcome = outcome_of(call, code);
	result->done_ms = clock_ms();
	result->took_ms = result->done_ms - call->started_ms;
	if (result->outcome == HTTP_ANSWERED) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &result->status);
		result->body_len = call->len;
	} else {
		const char *why = call->too_large  ? "the answer is longer than expected"
		                  : call->error[0] ? call->error
		                                   : curl_easy_strerror(code);

		str_clean(result->why, sizeof result->why, why, strlen(why));
		http_head_reset(result);
	}
	call->body[result->body_len] = '\0';
	result->body = call->body;
	curl_multi_remove_handle(http->multi, call->easy);
	call->done(call->arg, result);
	call_free(call);
}

bool http_wait(struct http *http, struct pollfd *fds, unsigned count, int64_t timeout_ms)
{
	struct curl_waitfd extra[WAIT_FDS];
	int timeout = (int)(timeout_ms < 0 ? 0 : timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms);
	struct http_call *call;
	CURLMsg *message;
	int running, left;

	assert(count <= WAIT_FDS);
	for (unsigned i = 0; i < count; i++)
		extra[i] = (struct curl_waitfd){ .fd = fds[i].fd, .events = CURL_WAIT_POLLIN };
	if (curl_multi_poll(http->multi, extra, count, timeout, NULL) != CURLM_OK)
		poll(fds, count, timeout < POLL_FAILED_MS ? timeout : POLL_FAILED_MS);
	curl_multi_perform(http->multi, &running);
	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		call_finish(http, call, message->data.result);
	}
	/* curl_waitfd does not report a hang-up, hence a poll of our own. */
	return count > 0 && poll(fds, count, 0) > 0;
}
