/*
 * Run by wna-cloud; the only place where that process waits. Blocks in
 * curl_multi_poll alone: names are resolved on libcurl's own threads, which are
 * let go and not joined when they are late (before libcurl 7.87 joined, for some
 * seconds at most), and every request has an end. Owns the multi handle, its
 * connections and TLS sessions.
 */
#include "cloud_http.h"

#include <assert.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cloud_http_call.h"
#include "str.h"

enum {
	CONNECTIONS_KEPT = 4, /* metadata, CloudWatch, and one spare of each */
	POLL_FAILED_MS = 50,  /* out of memory: no spinning until there is some */
	WAIT_FDS = 2,
};

struct http {
	CURLM *multi;
	CURLSH *share; /* TLS sessions, so that a reconnect is a resumption */
};

/*
 * libcurl's threads resolve names with libc, and one that a silent name server holds
 * must end by itself: before 7.87 it is joined, well within the time for which the unit's
 * watchdog lets this process be silent; later it would be left behind. libc's own limit is 5 s a
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
	struct http *http = calloc(1, sizeof *http);

	if (!http)
		return NULL;
	bound_resolver();
	/* OpenSSL writes to sockets without MSG_NOSIGNAL, and NOSIGNAL keeps
	 * libcurl from ignoring the signal on its own. */
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
	http_call_free(call);
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
	call->max = request->max_body;
	call->done = done;
	call->arg = arg;
	http_head_reset(&call->result);
	if (!http_call_setup(call, request, http->share))
		goto fail;
	call->started_ms = clock_ms();
	call->result.sent_wall_ms = clock_wall_ms();
	if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
		goto fail;
	return call;
fail:
	http_call_free(call);
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
		return named_us == 0 ? HTTP_UNREACHED : HTTP_TIMED_OUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT: return HTTP_UNREACHED;
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
		const char *why = call->too_large  ? "the answer is longer than expected"
		                  : call->error[0] ? call->error
		                                   : curl_easy_strerror(code);

		str_clean(result->why, sizeof result->why, why, strlen(why));
		http_head_reset(result);
	}
	if (call->body)
		call->body[result->body_len] = '\0';
	result->body = call->body ? call->body : "";
	curl_multi_remove_handle(http->multi, call->easy);
	call->done(call->arg, result);
	http_call_free(call);
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
	/* Asked again and not taken from curl_waitfd, which does not report a hang-up. */
	return count > 0 && poll(fds, count, 0) > 0;
}
