/*
 * wna-rds: watches the database endpoint. Run by wnad as its own user, with the
 * password file open as RDS_FD_PASSWORD. Blocks on DNS, TCP, TLS and SQL, each
 * step under a time-out; wnad kills it if it is silent for 60 s. Owns one
 * session and RDS_DIR.
 */
#include <poll.h>

#include "clock.h"
#include "deadline.h"
#include "log.h"
#include "memory.h"
#include "report.h"
#include "resolve.h"
#include "session.h"
#include "watch.h"
#include "worker.h"

enum { ALIVE_MS = 2000 };

struct rds {
	struct worker worker;
	const struct conf_rds *conf;
	struct watch watch;
	struct resolver resolver;
	struct session session;
	struct report report;
	struct memory memory;
	int64_t sent_ms; /* facts, last */
};

static void tell(struct rds *rds)
{
	rds->sent_ms = clock_ms();
	report_send(&rds->report, rds->sent_ms);
	memory_save(&rds->memory, &rds->watch, rds->sent_ms);
}

static void resolve(struct rds *rds)
{
	struct rds_answer answer;
	char why[LIMIT_FACT_WHY];
	int64_t start = clock_ms();
	int rc;

	worker_alive(&rds->worker);
	rc = resolver_ask(&rds->resolver, &answer, why, sizeof why);
	watch_resolved(&rds->watch, start, clock_ms(), rc < 0 ? NULL : &answer, why,
	               clock_random());
}

static void connect_to(struct rds *rds)
{
	struct watch_sample sample;
	struct net_addr peer;

	worker_alive(&rds->worker);
	if (session_open(&rds->session, rds->conf, RDS_FD_PASSWORD, rds->watch.answer.count,
	                 &sample, &peer) == 0)
		watch_connected(&rds->watch, sample.end_ms, &peer);
	else
		watch_failed(&rds->watch, &sample, clock_random());
}

static void ask(struct rds *rds)
{
	struct watch_sample sample;
	struct rds_change change;
	enum outage_end end;

	worker_alive(&rds->worker);
	if (session_ask(&rds->session, rds->conf, &sample) < 0) {
		watch_failed(&rds->watch, &sample, clock_random());
		tell(rds);
		return;
	}
	watch_answered(&rds->watch, &sample, clock_random(), &end, &change);
	tell(rds);
	report_end(&rds->report, end, &change);
}

static void drop(struct rds *rds)
{
	char peer[NET_ADDR_TEXT];

	log_info("database: leaving %s, which %s does not lead to",
	         net_addr_text(&rds->watch.peer, peer, sizeof peer), rds->conf->endpoint);
	session_close(&rds->session);
	watch_dropped(&rds->watch, clock_ms(), clock_random());
	if (rds->watch.state == RDS_DOWN)
		tell(rds);
}

/* A failure is current truth and is told again every interval; an answer is
 * not: only the next answer makes it younger. */
static bool repeats(const struct rds *rds)
{
	return rds->watch.state != RDS_WRITABLE && rds->watch.state != RDS_READ_ONLY;
}

static void wait_until(struct rds *rds, int64_t until)
{
	struct pollfd poll_fd = { .fd = rds->worker.fd, .events = POLLIN };
	struct msg msg;

	while (clock_ms() < until) {
		int64_t left = until - clock_ms();

		if (left > ALIVE_MS)
			left = ALIVE_MS;
		if (repeats(rds) && left > rds->conf->interval_ms)
			left = rds->conf->interval_ms;
		poll(&poll_fd, 1, left > 0 ? (int)left : 0);
		while (worker_recv(&rds->worker, &msg)) {
			if (msg.type == MSG_REFRESH)
				tell(rds);
		}
		if (repeats(rds) && clock_ms() - rds->sent_ms >= rds->conf->interval_ms)
			tell(rds);
		worker_alive(&rds->worker);
	}
}

static void run(struct rds *rds)
{
	int64_t until;

	for (;;) {
		switch (watch_next(&rds->watch, clock_ms(), &until)) {
		case WATCH_RESOLVE:
			resolve(rds);
			if (!rds->watch.open || !rds->watch.name_ok)
				tell(rds);
			break;
		case WATCH_CONNECT:
			connect_to(rds);
			if (!rds->watch.open)
				tell(rds);
			break;
		case WATCH_ASK: ask(rds); break;
		case WATCH_DROP: drop(rds); break;
		case WATCH_LEAVE: tell(rds); return;
		case WATCH_WAIT:
		default: wait_until(rds, until); break;
		}
	}
}

int main(int argc, char **argv)
{
	static struct rds rds;
	uint32_t random = clock_random();
	int64_t now;

	worker_init(&rds.worker, ROLE_RDS, argc, argv);
	rds.conf = &rds.worker.conf->rds;
	if (deadline_init() < 0 || session_library() < 0 ||
	    resolver_init(&rds.resolver, rds.conf) < 0) {
		log_error("database: the client libraries do not start");
		return 1;
	}
	now = clock_ms();
	watch_init(&rds.watch, rds.conf, now);
	report_init(&rds.report, &rds.worker, &rds.watch);
	report_restore(&rds.report, &rds.watch.outage);
	memory_restore(&rds.memory, &rds.watch, now, random);
	tell(&rds);
	run(&rds);
	log_info("database: asking for the password file anew");
	session_close(&rds.session);
	resolver_fini(&rds.resolver);
	return WORKER_EXIT_REOPEN;
}
