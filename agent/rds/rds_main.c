/*
 * wna-rds: watches the database endpoint. User wna-rds, no capabilities. Blocks on DNS,
 * TCP, TLS and SQL, each step under a time-out; systemd's watchdog ends it if it is
 * silent for 60 s. Owns one session and its folder in /run.
 */
#include <poll.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "rds_deadline.h"
#include "rds_memory.h"
#include "rds_report.h"
#include "rds_resolve.h"
#include "rds_session.h"
#include "rds_watch.h"
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
	/* On the disk before it is told: an event that was told keeps its number. */
	report_note(&rds->report, rds->sent_ms);
	memory_save(&rds->memory, &rds->watch, rds->sent_ms);
	report_send(&rds->report);
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
	secret_identify(rds->conf->password_file, rds->memory.secret, sizeof rds->memory.secret);
	if (session_open(&rds->session, rds->conf, rds->watch.answer.count, &sample, &peer) == 0)
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

/* A refused password that has been replaced, whichever way, is another one. */
static void look_at_secret(struct rds *rds)
{
	char id[SECRET_ID];

	secret_identify(rds->conf->password_file, id, sizeof id);
	watch_secret_seen(&rds->watch, strcmp(id, rds->memory.secret) != 0, clock_ms(),
	                  clock_random());
}

/* False: leave. */
static bool take_messages(struct rds *rds)
{
	struct msg msg;

	while (worker_recv(&rds->worker, &msg)) {
		if (msg.type != WORKER_RELOAD)
			continue;
		if (msg.value)
			return false;
		watch_retry(&rds->watch, clock_ms());
	}
	return true;
}

/* False: leave. */
static bool wait_until(struct rds *rds, int64_t until)
{
	struct pollfd poll_fd = { .fd = rds->worker.fd, .events = POLLIN };

	while (clock_ms() < until) {
		int64_t left = until - clock_ms();

		if (left > ALIVE_MS)
			left = ALIVE_MS;
		if (repeats(rds) && left > rds->conf->interval_ms)
			left = rds->conf->interval_ms;
		if (poll(&poll_fd, 1, left > 0 ? (int)left : 0) > 0) {
			if (!take_messages(rds))
				return false;
			break; /* what is due may have changed */
		}
		if (repeats(rds) && clock_ms() - rds->sent_ms >= rds->conf->interval_ms)
			tell(rds);
		worker_alive(&rds->worker);
	}
	return true;
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
		case WATCH_SECRET: look_at_secret(rds); break;
		case WATCH_WAIT:
		default:
			if (!wait_until(rds, until))
				return;
			break;
		}
	}
}

int main(int argc, char **argv)
{
	static struct rds rds;
	uint32_t random = clock_random();
	int64_t now;

	worker_init(&rds.worker, ROLE_RDS, 0, argc, argv, NULL);
	rds.conf = &rds.worker.conf->rds;
	if (deadline_init() < 0 || session_library() < 0 ||
	    resolver_init(&rds.resolver, rds.conf) < 0) {
		log_error("database: the client libraries do not start");
		return 1;
	}
	now = clock_ms();
	watch_init(&rds.watch, rds.conf, now);
	report_init(&rds.report, &rds.worker, &rds.watch);
	memory_restore(&rds.memory, &rds.watch, now, random);
	report_restore(&rds.report, &rds.watch.outage);
	worker_spoken(&rds.worker);
	run(&rds);
	session_close(&rds.session);
	resolver_fini(&rds.resolver);
	return 0;
}
