/*
 * One check being run: started, and at its end, or at its time-out, reported
 * once, always from the event loop. http and tcp wait in the loop; file,
 * disk and process have looked when run_start returns.
 */
#ifndef WNA_CHECK_RUN_H
#define WNA_CHECK_RUN_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>

#include "check.h"
#include "local.h"
#include "url.h"

enum {
	RUN_BODY_MAX = 1024 * 1024, /* bytes of an http answer's body; more is bad */
	RUN_HEADERS_MAX = 16 * 1024,
};

struct run {
	/* set by run_init */
	const struct conf_check *conf;
	const struct check_env *env;
	struct event_base *base;
	void (*done)(struct run *run, const struct check_result *result, void *arg);
	void *arg;
	struct event *timer; /* the time-out; made active by hand when there is a result */
	struct url_target target;
	const char *target_why; /* why the URL cannot be used; NULL if it can */
	struct local_memo memo;
	/* of the run under way */
	bool active;
	bool settled; /* result is filled */
	int64_t start_us;
	struct check_result result;
	int fd;           /* tcp: its socket, else -1 */
	struct event *io; /* tcp: its connect */
	struct evhttp_connection *http;
	bool http_headers;                 /* http: seen */
	bool http_chunked;                 /* http: the body comes in chunks */
	bufferevent_event_cb http_connect; /* http: evhttp's own, while connecting */
	int http_error;                    /* http: enum evhttp_request_error + 1, 0 = none */
	int http_errno;                    /* http: errno beside it */
};

/*
 * Prepares *ret; `done` is called at the end of each run with `arg`. The
 * pointers are kept. 0 or -ENOMEM.
 */
int run_init(struct run *ret, const struct conf_check *conf, const struct check_env *env,
             struct event_base *base,
             void (*done)(struct run *run, const struct check_result *result, void *arg),
             void *arg);

/* Starts a run; there must be none under way. wall_ms is Unix time. */
void run_start(struct run *run, int64_t wall_ms);

/* Ends the run under way, if there is one, without a report. */
void run_cancel(struct run *run);

/* True if a run is under way that waits in the loop (and so suffers, through
 * no fault of its own, when a disk stalls this process). */
bool run_waits(const struct run *run);

/* Within this room: the result is there; report it from the loop. */
void run_settle(struct run *run);

/* Within this room, of run_http.c and run_tcp.c. start: begins, or settles;
 * timeout: fills the result of a run that has none; clean: drops everything. */
void run_http_start(struct run *run);
void run_http_timeout(struct run *run);
void run_http_clean(struct run *run);
void run_tcp_start(struct run *run);
void run_tcp_timeout(struct run *run);
void run_tcp_clean(struct run *run);

#endif
