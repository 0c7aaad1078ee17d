/*
 * wna-rds: watches the database's endpoint. User wna-rds, no capabilities. Blocks on DNS,
 * TCP, TLS and SQL, each step under a time-out; systemd's watchdog ends it if it is
 * silent for 60 s. Owns one session and its folder in /run.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "rds.h"
#include "str.h"

struct rds {
	struct worker worker;
	const struct conf_rds *conf;
	struct watch watch;
	struct resolver resolver;
	struct session session;
	struct report report;
	struct memory memory;
	struct trend hour; /* of the round trip */
	int64_t sent_ms;   /* when the facts were last sent */
};

static void tell(struct rds *rds)
{
	rds->sent_ms = clock_ms();
	/* Saved before it is told: after a restart the change must have the same number. */
	memory_save(&rds->memory, &rds->watch);
	report_send(&rds->report);
}

static void resolve(struct rds *rds)
{
	struct rds_answer answer;
	char why[LIMIT_FACT_WHY];
	int64_t start = clock_ms();
	bool ok = resolver_ask(&rds->resolver, rds->conf, &answer, why, sizeof why);

	watch_resolved(&rds->watch, start, clock_ms(), ok ? &answer : NULL, why, clock_random());
	if (!rds->watch.open || !ok)
		tell(rds);
}

static void connect_to(struct rds *rds)
{
	struct rds_sample sample;
	struct net_addr peer;

	secret_identify(rds->conf, rds->memory.secret, sizeof rds->memory.secret);
	if (session_open(&rds->session, rds->conf, &rds->watch.answer, &sample, &peer)) {
		watch_connected(&rds->watch, sample.end_ms, &peer);
		stale_connected(&rds->watch);
		return;
	}
	watch_failed(&rds->watch, &sample, clock_random());
	stale_refused(&rds->watch, &sample);
	tell(rds);
}

static void ask(struct rds *rds)
{
	struct rds_sample sample;
	struct rds_change change;
	bool changed = false;

	if (session_ask(&rds->session, rds->conf, &sample)) {
		changed = watch_answered(&rds->watch, &sample, clock_random(), &change);
		stale_answered(&rds->watch, sample.end_ms);
		worker_trend(&rds->worker, FACT_RDS_HOUR, &rds->hour, sample.end_ms, sample.rtt_us);
	} else {
		watch_failed(&rds->watch, &sample, clock_random());
		stale_lost(&rds->watch, &sample);
	}
	tell(rds);
	if (changed)
		report_change(&rds->report, &change);
}

static void drop(struct rds *rds)
{
	char peer[NET_ADDR_TEXT];

	log_info("database: leaving %s: %s does not resolve to it",
	         net_addr_text(&rds->watch.peer, peer, sizeof peer), rds->conf->endpoint);
	session_close(&rds->session);
	watch_dropped(&rds->watch, clock_ms(), clock_random());
}

/* A failure stays true until the next attempt and is sent again every interval. An answer
 * is sent once: the core must see its age. */
static bool repeats(const struct rds *rds)
{
	return rds->watch.state != RDS_WRITABLE && rds->watch.state != RDS_READ_ONLY;
}

/* Whether the file of the refused password or token was edited or replaced since the last look. */
static bool password_replaced(struct rds *rds)
{
	char id[FILE_ID_SIZE];
	bool replaced;

	if (rds->watch.open || !trouble_is_secret(rds->watch.backoff.trouble))
		return false;
	secret_identify(rds->conf, id, sizeof id);
	replaced = strcmp(id, rds->memory.secret) != 0;
	str_copy(rds->memory.secret, sizeof rds->memory.secret, id);
	return replaced;
}

/* False: the process must end. */
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

/* Waits for a message, for 2 s at most. False: the process must end. */
static bool wait_until(struct rds *rds, int64_t until_ms)
{
	struct pollfd poll_fd = { .fd = rds->worker.fd, .events = POLLIN };
	int64_t left_ms = until_ms - clock_ms();

	if (left_ms > WORKER_ALIVE_MS)
		left_ms = WORKER_ALIVE_MS;
	if (repeats(rds) && left_ms > rds->conf->interval_ms)
		left_ms = rds->conf->interval_ms;
	if (poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0) > 0 && !take_messages(rds))
		return false;
	if (password_replaced(rds))
		watch_retry(&rds->watch, clock_ms());
	else if (!rds->watch.name_ok && resolver_outdated(&rds->resolver, rds->conf))
		watch_resolve(&rds->watch, clock_ms());
	else if (repeats(rds) && clock_ms() - rds->sent_ms >= rds->conf->interval_ms)
		tell(rds);
	return true;
}

static void run(struct rds *rds)
{
	int64_t until_ms;

	for (;;) {
		enum watch_action action = watch_next(&rds->watch, clock_ms(), &until_ms);

		worker_alive(&rds->worker);
		switch (action) {
		case WATCH_RESOLVE: resolve(rds); break;
		case WATCH_CONNECT: connect_to(rds); break;
		case WATCH_ASK: ask(rds); break;
		case WATCH_DROP: drop(rds); break;
		case WATCH_WAIT:
			if (!wait_until(rds, until_ms))
				return;
		}
	}
}

int main(int argc, char **argv)
{
	static struct rds rds;
	int64_t now = clock_ms();

	worker_init(&rds.worker, ROLE_RDS, 0, argc, argv, NULL);
	rds.conf = &rds.worker.conf->rds;
	if (deadline_init() < 0) {
		log_error("database: time limits cannot be set: %s", strerror(errno));
		return 1;
	}
	watch_init(&rds.watch, rds.conf, now);
	memory_restore(&rds.memory, &rds.watch, now);
	rds.report.worker = &rds.worker;
	rds.report.watch = &rds.watch;
	worker_spoken(&rds.worker);
	run(&rds);
	session_close(&rds.session);
	resolver_close(&rds.resolver);
	return 0;
}
