/* wna-rds; pure: never blocks, owns nothing. */
#include "rds_watch.h"

#include <string.h>

#include "clock.h"
#include "str.h"

enum {
	TTL_LEAST_MS = 1000,    /* a TTL of 0 is no reason to flood the name server */
	SPREAD_MS = 250,        /* logins of a fleet that saw the same change */
	STEADY_MS = 30000,      /* a session this old was a good one: back-off starts anew */
	RECENT_MS = 300 * 1000, /* after losing the writer a read-only answer counts as
	                         * a failover under way */
	SECRET_MS = 30000,      /* from a refused password to a look whether it has been replaced */
};

void watch_init(struct watch *ret, const struct conf_rds *conf, int64_t now)
{
	memset(ret, 0, sizeof *ret);
	ret->conf = conf;
	ret->resolve_ms = ret->connect_ms = ret->ask_ms = now;
	ret->secret_ms = INT64_MAX;
	ret->state = RDS_STARTING;
	ret->since_ms = now;
	ret->writable_ms = INT64_MIN;
	ret->rtt_us = -1;
	outage_init(&ret->outage);
}

static void set_state(struct watch *watch, int64_t now, enum rds_state state, const char *why)
{
	if (watch->state != state)
		watch->since_ms = now;
	watch->state = state;
	str_copy(watch->why, sizeof watch->why, why);
	if (state == RDS_DOWN || state == RDS_NO_NAME)
		watch->rtt_us = -1;
}

/* A member of ours stays a member while its family's question fails. */
static bool peer_left(const struct watch *watch)
{
	return watch->open && watch->name_ok && watch->peer.family != watch->answer.unknown &&
	       !answer_has(&watch->answer, &watch->peer);
}

/* The last writer is where the name leads, and we are with one that is none. */
static bool leads_back(const struct watch *watch)
{
	return watch->state != RDS_WRITABLE && answer_has(&watch->answer, &watch->outage.writer);
}

/*
 * From when on the session is given up for the servers that the name leads to
 * now. One that never was with the endpoint: at once. One that was answers
 * still, so it is kept until the others may be logged into, and a name that
 * moves to and fro is not followed each time.
 */
static int64_t drop_ms(const struct watch *watch, int64_t now)
{
	const struct place *longest = places_longest(&watch->places, &watch->answer, now);
	int64_t at = longest != NULL ? longest->connect_ms : now;

	if (!watch->asked)
		return now;
	if (!leads_back(watch) && places_move_ms(&watch->places) > at)
		at = places_move_ms(&watch->places);
	return at;
}

static bool hurried(const struct watch *watch, int64_t now)
{
	switch (watch->state) {
	case RDS_WRITABLE: return false;
	case RDS_READ_ONLY:
		/* An endpoint that never was writable is a reader's: no hurry. */
		return watch->writable_ms != INT64_MIN && now - watch->writable_ms < RECENT_MS;
	default: return true;
	}
}

enum watch_action watch_next(const struct watch *watch, int64_t now, int64_t *ret_until_ms)
{
	int64_t until = watch->resolve_ms;

	if (watch->secret_ms < until)
		until = watch->secret_ms;
	if (watch->open && watch->ask_ms < until)
		until = watch->ask_ms;
	if (!watch->open && watch->name_ok && watch->connect_ms < until)
		until = watch->connect_ms;
	*ret_until_ms = until;

	if (!watch->open && watch->secret_ms <= now)
		return WATCH_SECRET;
	if (peer_left(watch)) {
		int64_t at = drop_ms(watch, now);

		if (at <= now)
			return WATCH_DROP;
		if (at < until)
			*ret_until_ms = at;
	}
	if (watch->resolve_ms <= now)
		return WATCH_RESOLVE;
	if (watch->open)
		return watch->ask_ms <= now ? WATCH_ASK : WATCH_WAIT;
	return watch->name_ok && watch->connect_ms <= now ? WATCH_CONNECT : WATCH_WAIT;
}

static void resolve_by(struct watch *watch, int64_t at_ms)
{
	if (!watch->answer.literal && at_ms < watch->resolve_ms)
		watch->resolve_ms = at_ms;
}

/*
 * The name leads elsewhere while there is no session. A server that we have not
 * tried has counted nothing yet: no reason to wait. One that we have keeps the
 * wait that it earned.
 */
static void aim(struct watch *watch, int64_t now, uint32_t random)
{
	const struct place *longest = places_longest(&watch->places, &watch->answer, now);
	int64_t soon_ms = now + random % SPREAD_MS;

	if (longest != NULL) {
		watch->trouble = longest->trouble;
		watch->attempt = longest->attempt;
		watch->connect_ms = longest->connect_ms > soon_ms ? longest->connect_ms : soon_ms;
	} else if (places_take_move(&watch->places, now)) {
		watch->attempt = 0;
		watch->connect_ms = soon_ms;
	}
}

static void name_failed(struct watch *watch, int64_t start_ms, int64_t now, const char *why,
                        uint32_t random)
{
	const struct conf_rds *conf = watch->conf;

	watch->name_ok = false;
	watch->count.name_failures++;
	str_copy(watch->name_why, sizeof watch->name_why, why);
	if (watch->open) {
		/* The session answers; the name server need not be hurried. */
		watch->resolve_ms =
		        now + clock_backoff(watch->name_attempt++, 2 * conf->dns_fast_ms,
		                            conf->dns_max_ms, random);
		return;
	}
	watch->resolve_ms = now + clock_jitter(conf->dns_fast_ms, 10, random);
	set_state(watch, now, RDS_NO_NAME, why);
	outage_bad(&watch->outage, start_ms, now);
}

void watch_resolved(struct watch *watch, int64_t start_ms, int64_t now,
                    const struct rds_answer *answer, const char *why, uint32_t random)
{
	const struct conf_rds *conf = watch->conf;
	int64_t hold_ms;
	bool moved;

	if (answer == NULL) {
		name_failed(watch, start_ms, now, why, random);
		return;
	}
	moved = watch->answer.count > 0 && !answer_equal(&watch->answer, answer);
	watch->answer = *answer;
	watch->name_ok = true;
	watch->name_attempt = 0;
	str_copy(watch->name_why, sizeof watch->name_why, why);

	if (watch->state == RDS_NO_NAME)
		set_state(watch, now, RDS_DOWN, "the name resolves again; not connected yet");
	if (moved && !watch->open && trouble_is_of_server(watch->trouble))
		aim(watch, now, random);
	if (answer->literal) {
		watch->resolve_ms = INT64_MAX;
		return;
	}
	hold_ms = answer->ttl_s * 1000;
	if (hold_ms < TTL_LEAST_MS)
		hold_ms = TTL_LEAST_MS;
	/* After the TTL, never before: a caching name server would only repeat itself. */
	hold_ms += random % (hold_ms / 10 + 1);
	if (hold_ms > conf->dns_max_ms)
		hold_ms = clock_jitter(conf->dns_max_ms, 10, random);
	if (hurried(watch, now) && hold_ms > conf->dns_fast_ms)
		hold_ms = clock_jitter(conf->dns_fast_ms, 10, random);
	watch->resolve_ms = now + hold_ms;
}

void watch_connected(struct watch *watch, int64_t now, const struct net_addr *peer)
{
	watch->open = true;
	watch->asked = false;
	watch->peer = *peer;
	watch->opened_ms = watch->ask_ms = now;
	watch->secret_ms = INT64_MAX;
	watch->count.logins++;
}

void watch_answered(struct watch *watch, const struct watch_sample *sample, uint32_t random,
                    enum outage_end *ret, struct rds_change *ret_change)
{
	int64_t now = sample->end_ms;

	watch->asked = true;
	watch->trouble = TROUBLE_NONE;
	/* A server that comes and goes is not logged into at full speed again. */
	if (now - watch->opened_ms >= STEADY_MS) {
		watch->attempt = 0;
		places_forget(&watch->places, &watch->peer);
	} else if (watch->attempt > 2) {
		watch->attempt = 2;
	}
	watch->ask_ms = now + clock_jitter(watch->conf->interval_ms, 10, random);
	watch->rtt_us = sample->rtt_us;
	str_copy(watch->version, sizeof watch->version, sample->version);
	if (sample->read_only) {
		set_state(watch, now, RDS_READ_ONLY, "the server takes no writes (read_only)");
		outage_bad(&watch->outage, sample->start_ms, now);
		if (hurried(watch, now))
			resolve_by(watch, now + clock_jitter(watch->conf->dns_fast_ms, 10, random));
		*ret = OUTAGE_NONE;
		return;
	}
	set_state(watch, now, RDS_WRITABLE, "");
	watch->writable_ms = now;
	*ret = outage_good(&watch->outage, sample->start_ms, now, &watch->peer,
	                   watch->conf->interval_ms, ret_change);
}

static void note_addr(struct watch *watch, const struct net_addr *addr)
{
	if (trouble_is_of_server(watch->trouble))
		places_note(&watch->places, addr, watch->trouble, watch->attempt,
		            watch->connect_ms);
}

/* `peer`: whose failure it was; NULL: of any that the name leads to. */
static void wait_to_connect(struct watch *watch, int64_t now, enum rds_trouble trouble,
                            const struct net_addr *peer, uint32_t random)
{
	if (watch->trouble != TROUBLE_NONE && watch->trouble != trouble)
		watch->attempt = 0;
	watch->trouble = trouble;
	watch->connect_ms = now + trouble_backoff(trouble, watch->attempt, random);
	watch->attempt++;
	if (peer != NULL)
		note_addr(watch, peer);
	for (int i = 0; peer == NULL && i < watch->answer.count; i++)
		note_addr(watch, &watch->answer.addr[i]);
}

void watch_failed(struct watch *watch, const struct watch_sample *sample, uint32_t random)
{
	int64_t now = sample->end_ms;
	bool left = peer_left(watch);

	wait_to_connect(watch, now, sample->trouble, watch->open ? &watch->peer : NULL, random);
	watch->open = false;
	watch->count.failures++;
	outage_bad(&watch->outage, sample->start_ms, now);
	set_state(watch, now, RDS_DOWN, sample->why);
	if (left && trouble_is_of_server(sample->trouble))
		aim(watch, now, random);
	if (trouble_is_secret(sample->trouble))
		watch->secret_ms = now + clock_jitter(SECRET_MS, 20, random);
	/* Has it moved? The first failure asks at once, the others in the fast rhythm. */
	resolve_by(watch, watch->attempt == 1
	                          ? now
	                          : now + clock_jitter(watch->conf->dns_fast_ms, 10, random));
}

void watch_dropped(struct watch *watch, int64_t now, uint32_t random)
{
	char peer[NET_ADDR_TEXT], addresses[64], why[LIMIT_FACT_WHY];
	struct sb sb;

	watch->open = false;
	watch->count.dropped++;
	if (watch->asked) {
		/* The endpoint moved. The state stays until the new server has spoken,
		 * a few milliseconds from now. */
		const struct place *longest = places_longest(&watch->places, &watch->answer, now);

		if (!leads_back(watch))
			places_take_move(&watch->places, now);
		watch->trouble = longest != NULL ? longest->trouble : TROUBLE_NONE;
		watch->attempt = longest != NULL ? longest->attempt : 0;
		watch->connect_ms = now + random % SPREAD_MS;
		return;
	}
	/* The system's resolver knows better than DNS, or is behind it. */
	sb_init(&sb, why, sizeof why);
	sb_printf(&sb, "connected to %s, but the endpoint leads to %s",
	          net_addr_text(&watch->peer, peer, sizeof peer),
	          answer_text(&watch->answer, addresses, sizeof addresses));
	set_state(watch, now, RDS_DOWN, why);
	wait_to_connect(watch, now, TROUBLE_STALE, NULL, random);
	resolve_by(watch, now);
}

void watch_restore_denied(struct watch *watch, int64_t now, unsigned attempt, int64_t connect_ms,
                          uint32_t random)
{
	watch->trouble = TROUBLE_DENIED;
	watch->attempt = attempt;
	watch->connect_ms = connect_ms;
	set_state(watch, now, RDS_DOWN, "login refused with this password; it is not tried often");
	if (connect_ms - now > SECRET_MS)
		watch->secret_ms = now + clock_jitter(SECRET_MS, 20, random);
}

void watch_secret_seen(struct watch *watch, bool replaced, int64_t now, uint32_t random)
{
	watch->secret_ms = now + clock_jitter(SECRET_MS, 20, random);
	if (replaced)
		watch_retry(watch, now);
}

void watch_retry(struct watch *watch, int64_t now)
{
	if (watch->open)
		return;
	watch->attempt = 0;
	watch->connect_ms = watch->resolve_ms = now;
	watch->secret_ms = INT64_MAX;
}
