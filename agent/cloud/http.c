/*
 * Run by wna-cloud; the only place where that process waits. Blocks in
 * curl_multi_poll alone: names are resolved on libcurl's own threads, which are
 * let go and not joined when they are late (before libcurl 7.87 joined, for some
 * seconds at most), and every request has an end. Owns the multi handle, its
 * connections and TLS sessions.
 */
#include "http.h"

#include <assert.h>
#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "http_head.h"
#include "http_setup.h"
#include "str.h"

enum {
	CONNECTIONS_KEPT = 4, /* metadata, CloudWatch, and one spare of each */
	POLL_FAILED_MS = 50,  /* out of memory: no spinning until there is some */
};

struct http {
	CURLM *multi;
	CURLSH *share; /* TLS sessions, so that a reconnect is a resumption */
	struct http_call *calls;
};

const char *http_outcome_name(enum http_outcome outcome)
{
	static const char *const names[] = {
		[HTTP_ANSWERED] = "answered", [HTTP_TIMED_OUT] = "timed-out",
		[HTTP_NO_NAME] = "no-name",   [HTTP_NO_CONNECT] = "no-connect",
		[HTTP_NO_TLS] = "no-tls",     [HTTP_TOO_LARGE] = "too-large",
		[HTTP_BROKEN] = "broken",
	};

	if ((size_t)outcome >= sizeof(names) / sizeof(names[0]))
		return "?";
	return names[outcome];
}

/*
 * libcurl's threads resolve names with libc, and one that a silent name server holds
 * must end by itself: before 7.87 it is joined, well within the time for which wnad lets
 * this process be silent; later it would be left behind. libc's own limit is 5 s a
 * server, twice, and all of it once more for the search list. With these it is 3 s for
 * one server and 6 s for three, twice. They go before what resolv.conf and the
 * environment say; each new thread reads them.
 */
static void bound_resolver(void)
{
	setenv("RES_OPTIONS", "timeout:1 attempts:2", 1);
}

struct http *http_new(void)
{
	struct http *http = calloc(1, sizeof(*http));

	if (http == NULL)
		return NULL;
	bound_resolver();
	/* OpenSSL writes to sockets without MSG_NOSIGNAL, and NOSIGNAL keeps
	 * libcurl from ignoring the signal on its own. */
	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto fail;
	http->multi = curl_multi_init();
	http->share = curl_share_init();
	if (http->multi == NULL || http->share == NULL)
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

static void call_free(struct http_call *call)
{
	if (call == NULL)
		return;
	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	http_setup_free(call);
	free(call);
}

static void call_unlink(struct http *http, struct http_call *call)
{
	struct http_call **at = &http->calls;

	while (*at != NULL && *at != call)
		at = &(*at)->next;
	assert(*at == call);
	*at = call->next;
	curl_multi_remove_handle(http->multi, call->easy);
}

void http_cancel(struct http *http, struct http_call *call)
{
	if (call == NULL)
		return;
	call_unlink(http, call);
	call_free(call);
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	while (http->calls != NULL)
		http_cancel(http, http->calls);
	if (http->multi != NULL)
		curl_multi_cleanup(http->multi);
	if (http->share != NULL)
		curl_share_cleanup(http->share);
	curl_global_cleanup();
	free(http);
}

struct http_call *http_start(struct http *http, const struct http_request *request, http_done *done,
                             void *arg)
{
	struct http_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->max = request->max_body;
	call->done = done;
	call->arg = arg;
	http_head_reset(&call->result);
	call->easy = curl_easy_init();
	if (call->easy == NULL || !http_setup(call, request, http->share))
		goto fail;
	call->started_ms = clock_ms();
	call->result.sent_wall_ms = clock_wall_ms();
	if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
		goto fail;
	call->next = http->calls;
	http->calls = call;
	return call;
fail:
	call_free(call);
	return NULL;
}

static enum http_outcome outcome_of(const struct http_call *call, CURLcode code)
{
	curl_off_t named_us = 0;

	if (call->too_large)
		return HTTP_TOO_LARGE;
	switch (code) {
	case CURLE_OK: return HTTP_ANSWERED;
	case CURLE_OPERATION_TIMEDOUT:
		/* Zero until the name was resolved; literals count as resolved. */
		curl_easy_getinfo(call->easy, CURLINFO_NAMELOOKUP_TIME_T, &named_us);
		return named_us == 0 ? HTTP_NO_NAME : HTTP_TIMED_OUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return HTTP_NO_NAME;
	case CURLE_COULDNT_CONNECT: return HTTP_NO_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR: return HTTP_NO_TLS;
	case CURLE_FILESIZE_EXCEEDED: return HTTP_TOO_LARGE;
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
		const char *why = call->too_large          ? "the answer is longer than expected"
		                  : call->error[0] != '\0' ? call->error
		                                           : curl_easy_strerror(code);

		str_clean(result->why, sizeof(result->why), why, strlen(why));
		http_head_reset(result);
	}
	if (call->body != NULL)
		call->body[result->body_len] = '\0';
	result->body = call->body != NULL ? call->body : "";
	call_unlink(http, call);
	call->done(call->arg, result);
	call_free(call);
}

bool http_wait(struct http *http, int fd, int64_t timeout_ms)
{
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int running, left;
	CURLMsg *message;

	if (timeout_ms < 0)
		timeout_ms = 0;
	if (timeout_ms > INT32_MAX)
		timeout_ms = INT32_MAX;
	if (curl_multi_poll(http->multi, &extra, fd >= 0, (int)timeout_ms, NULL) != CURLM_OK)
		poll(&ready, fd >= 0,
		     timeout_ms < POLL_FAILED_MS ? (int)timeout_ms : POLL_FAILED_MS);
	curl_multi_perform(http->multi, &running);
	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		call_finish(http, call, message->data.result);
	}
	/* Asked again and not taken from curl_waitfd, which does not report a hang-up. */
	return fd >= 0 && poll(&ready, 1, 0) > 0;
}
