/*
 * Run by wna-check. Blocks on nothing: libevent's HTTP client (event_extra) has a literal
 * address and its family, therefore it asks no resolver. Owns the connection.
 *
 * The answer is judged when it is complete: a server that sends "200 OK" and then hangs does
 * not work. The body is read and not kept.
 */
#include "check.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "str.h"

static bool http_connected(const struct check_run *run)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int fd;

	if (!run->http)
		return false;
	fd = bufferevent_getfd(evhttp_connection_get_bufferevent(run->http));
	return fd >= 0 && getpeername(fd, (struct sockaddr *)&ss, &len) == 0;
}

/* The status is known. If it is wrong, the rest of the answer is not waited for. */
static int http_on_headers(struct evhttp_request *request, void *arg)
{
	struct check_run *run = arg;
	int status = evhttp_request_get_response_code(request);

	if (status == 100) /* an interim answer; RFC 9110, 15.2.1 */
		return 0;
	run->http_headers = true;
	run->http_chunked = evhttp_find_header(evhttp_request_get_input_headers(request),
	                                       "Transfer-Encoding") != NULL;
	if (status >= run->conf->status_min && status <= run->conf->status_max)
		return 0;
	check_bad(&run->result, EPROTO, "%d, wanted %d-%d", status, run->conf->status_min,
	          run->conf->status_max);
	check_run_settle(run);
	return -1;
}

/* libevent drops what this callback leaves, therefore the body is not kept. */
static void http_on_body(struct evhttp_request *request, void *arg)
{
	(void)request;
	(void)arg;
}

static void http_on_error(enum evhttp_request_error error, void *arg)
{
	struct check_run *run = arg;

	run->http_errno = errno;
	run->http_error = (int)error + 1;
}

/* Runs before evhttp's own callback while it connects: when evhttp reports a failed connect, it
 * has closed the socket, and errno is that of another call. */
static void http_on_connect(struct bufferevent *bev, short what, void *arg)
{
	struct check_run *run = arg;
	bufferevent_event_cb next = run->http_connect;

	if (what & BEV_EVENT_ERROR)
		run->http_errno = errno;
	/* This callback removes itself first: evhttp's, called next, may set another one. */
	bufferevent_setcb(bev, NULL, NULL, next, run->http);
	next(bev, what, run->http);
}

static void http_watch_connect(struct check_run *run)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(run->http);
	bufferevent_data_cb read_cb, write_cb;
	void *arg;

	bufferevent_getcb(bev, &read_cb, &write_cb, &run->http_connect, &arg);
	if (!read_cb && !write_cb && run->http_connect && arg == run->http)
		bufferevent_setcb(bev, NULL, NULL, http_on_connect, run);
}

/* There is no answer: says why. */
static void http_failed(struct check_run *run)
{
	int error = run->http_errno;
	char word[128];

	switch (run->http_error - 1) {
	case EVREQ_HTTP_DATA_TOO_LONG:
		/* libevent says the same of a malformed chunk. */
		check_bad(&run->result, EMSGSIZE, "body %sover %d KiB",
		          run->http_chunked ? "malformed or " : "", CHECK_BODY_MAX / 1024);
		break;
	case EVREQ_HTTP_INVALID_HEADER:
		check_bad(&run->result, EPROTO, "the answer is not HTTP");
		break;
	case EVREQ_HTTP_EOF:
		if (error == ECONNRESET) {
			check_bad(&run->result, error, "connection reset by peer");
			break;
		}
		check_bad(&run->result, EPROTO, "connection closed %s",
		          run->http_headers ? "before the end of the answer" : "without an answer");
		break;
	case EVREQ_HTTP_BUFFER_ERROR:
		check_bad(&run->result, EIO, "the answer could not be read");
		break;
	default: /* never connected */
		if (error <= 0)
			error = ECONNREFUSED;
		check_bad(&run->result, error, "%s", str_errno(error, word, sizeof word));
		break;
	}
	check_run_settle(run);
}

static void http_on_end(struct evhttp_request *request, void *arg)
{
	struct check_run *run = arg;
	int status = request ? evhttp_request_get_response_code(request) : 0;

	if (run->settled)
		return;
	if (status == 0 || run->http_error != 0) {
		http_failed(run);
		return;
	}
	check_good(&run->result, clock_us() - run->start_us, "status %d", status);
	check_run_settle(run);
}

static bool http_headers(struct evhttp_request *request, const struct url_target *target)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	return evhttp_add_header(headers, "Host", target->host) == 0 &&
	       evhttp_add_header(headers, "User-Agent", "web-node-agent/" WNA_VERSION) == 0 &&
	       evhttp_add_header(headers, "Accept", "*/*") == 0 &&
	       evhttp_add_header(headers, "Connection", "close") == 0;
}

void check_http_start(struct check_run *run)
{
	const struct url_target *target = &run->target;
	struct evhttp_request *request;

	/* libevent reports an end and a reset in the same way; errno is different. */
	errno = 0;
	run->http_headers = false;
	run->http_chunked = false;
	run->http_error = 0;
	run->http_errno = 0;
	if (run->target_why) {
		check_bad(&run->result, EINVAL, "url: %s", run->target_why);
		check_run_settle(run);
		return;
	}
	run->http =
	        evhttp_connection_base_new(run->base, NULL, target->address, target->endpoint.port);
	request = evhttp_request_new(http_on_end, run);
	if (!run->http || !request || !http_headers(request, target)) {
		if (request)
			evhttp_request_free(request);
		check_bad(&run->result, ENOMEM, "out of memory");
		check_run_settle(run);
		return;
	}
	evhttp_connection_set_family(run->http, target->endpoint.addr.family);
	evhttp_connection_set_max_headers_size(run->http, CHECK_HEADERS_MAX);
	evhttp_connection_set_max_body_size(run->http, CHECK_BODY_MAX);
	/* The run's own timer is the only limit. */
	evhttp_connection_set_timeout_tv(run->http, &(struct timeval){ .tv_sec = 86400 });
	evhttp_request_set_header_cb(request, http_on_headers);
	evhttp_request_set_chunked_cb(request, http_on_body);
	evhttp_request_set_error_cb(request, http_on_error);
	/* Owns the request from here on, also when it fails. */
	if (evhttp_make_request(run->http, request, EVHTTP_REQ_GET, target->resource) < 0) {
		run->http_errno = errno;
		if (!run->settled)
			http_failed(run);
		return;
	}
	http_watch_connect(run);
}

void check_http_timeout(struct check_run *run)
{
	const char *what = "not connected";
	char span[32];

	if (run->http_headers)
		what = "answer not complete";
	else if (http_connected(run))
		what = "no answer";
	check_bad(&run->result, ETIMEDOUT, "%s within %s", what,
	          clock_span(run->conf->timeout_ms, span, sizeof span));
}

void check_http_clean(struct check_run *run)
{
	if (run->http)
		evhttp_connection_free(run->http);
	run->http = NULL;
}
