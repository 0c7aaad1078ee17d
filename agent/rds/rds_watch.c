/* wna-rds; pure. */
#include "rds_watch.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "str.h"

enum {
	TTL_LEAST_MS = 1000,    /* a TTL of 0 must not flood the name server */
	SPREAD_MS = 250,        /* over which a fleet's logins spread after a change */
	STEADY_MS = 30000,      /* a session of this age ends the server's back-off */
	RECENT_MS = 300 * 1000, /* for this long after the last good answer, a read-only one
	                         * means that a failover is under way */
};

void watch_init(struct watch *ret, const struct conf_rds *conf, int64_t now)
{
	memset(ret, 0, sizeof *ret);
	ret->conf = conf;
	ret->resolve_ms = ret->backoff.connect_ms = ret->ask_ms = now;
	ret->state = RDS_STARTING;
	ret->since_ms = now;
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

/* Whether the name no longer resolves to the peer. */
static bool peer_left(const struct watch *watch)
{
	return watch->open && watch->name_ok && answer_lacks(&watch->answer, &watch->peer);
}

/* The session is with another server than the last writer, to which the name resolves. */
static bool leads_back(const struct watch *watch)
{
	return watch->state != RDS_WRITABLE && answer_has(&watch->answer, &watch->outage.writer);
}

/*
 * When to leave a session whose peer is not in the answer: when a login at the new addresses
 * is allowed, and within the budget of moves. A working session is worth more than a name that
 * moves to and fro.
 */
static int64_t drop_ms(const struct watch *watch, int64_t now)
{
	const struct backoff *longest = places_longest(&watch->places, &watch->answer, now);
	int64_t at = longest ? longest->connect_ms : now;

	if (!leads_back(watch) && places_move_ms(&watch->places) > at)
		at = places_move_ms(&watch->places);
	return at;
}

static bool hurried(const struct watch *watch, int64_t now)
{
	switch (watch->state) {
	case RDS_WRITABLE: return false;
	case RDS_READ_ONLY:
		/* An endpoint that was never writable is a reader's: no hurry. */
		return watch->outage.good_ms >= 0 && now - watch->outage.good_ms < RECENT_MS;
	default: return true;
	}
}

enum watch_action watch_next(const struct watch *watch, int64_t now, int64_t *ret_until_ms)
{
	int64_t until = watch->resolve_ms;

	if (watch->open && watch->ask_ms < until)
		until = watch->ask_ms;
	if (!watch->open && watch->name_ok && watch->backoff.connect_ms < until)
		until = watch->backoff.connect_ms;
	*ret_until_ms = until;

	/* What the server says decides whether its session is left. */
	if (watch->open && watch->ask_ms <= now)
		return WATCH_ASK;
	if (peer_left(watch) && (watch->state != RDS_WRITABLE || watch->absence.twice)) {
		int64_t at = drop_ms(watch, now);

		if (at <= now)
			return WATCH_DROP;
		if (at < until)
			*ret_until_ms = at;
	}
	if (watch->resolve_ms <= now)
		return WATCH_RESOLVE;
	return !watch->open && watch->name_ok && watch->backoff.connect_ms <= now ? WATCH_CONNECT
	                                                                          : WATCH_WAIT;
}

void watch_resolve(struct watch *watch, int64_t at_ms)
{
	if (!watch->answer.literal && at_ms < watch->resolve_ms)
		watch->resolve_ms = at_ms;
}

/* Whether DNS still has the last writer. */
static void note_name(struct watch *watch, int64_t now)
{
	struct outage *outage = &watch->outage;

	if (outage->writer.family == watch->answer.unknown ||
	    answer_has(&watch->answer, &outage->writer))
		outage->named_ms = -1;
	else if (outage->named_ms < 0)
		outage->named_ms = now;
}

/* After each answer of DNS; `ttl_ms`: from now on. */
static void look_twice(struct absence *absence, bool absent, int64_t start_ms, int64_t now,
                       int64_t ttl_ms)
{
	if (!absent)
		*absence = (struct absence){ 0 };
	else if (absence->away_ms == 0)
		absence->away_ms = now + ttl_ms;
	else if (start_ms >= absence->away_ms)
		absence->twice = true;
}

/*
 * The name moved, and there is no session. An address that has failed lately keeps its
 * back-off; at any other address a login is tried at once, if the budget of moves allows it.
 */
static void aim(struct watch *watch, int64_t now, uint32_t random)
{
	const struct backoff *longest = places_longest(&watch->places, &watch->answer, now);
	int64_t soon_ms = now + random % SPREAD_MS;

	if (longest) {
		watch->backoff = *longest;
		if (watch->backoff.connect_ms < soon_ms)
			watch->backoff.connect_ms = soon_ms;
	} else if (places_take_move(&watch->places, now)) {
		watch->backoff.failures = 0;
		watch->backoff.connect_ms = soon_ms;
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
		/* The session answers: no hurry. */
		watch->resolve_ms =
		        now + clock_backoff(watch->name_failures++, 2 * conf->dns_fast_ms,
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

	if (!answer) {
		name_failed(watch, start_ms, now, why, random);
		return;
	}
	moved = watch->answer.count > 0 && !answer_equal(&watch->answer, answer);
	watch->answer = *answer;
	watch->name_ok = true;
	watch->name_failures = 0;
	str_copy(watch->name_why, sizeof watch->name_why, why);
	note_name(watch, now);

	if (watch->state == RDS_NO_NAME)
		set_state(watch, now, RDS_DOWN, "the name resolves again; not connected yet");
	if (moved && !watch->open && !trouble_is_secret(watch->backoff.trouble))
		aim(watch, now, random);
	if (answer->literal) {
		watch->resolve_ms = INT64_MAX;
		return;
	}
	hold_ms = answer->ttl_s * 1000;
	if (hold_ms < TTL_LEAST_MS)
		hold_ms = TTL_LEAST_MS;
	/* A failover moves the name: does the session still accept writes? */
	if (peer_left(watch) && watch->absence.away_ms == 0 && watch->state == RDS_WRITABLE)
		watch->ask_ms = now;
	look_twice(&watch->absence, peer_left(watch), start_ms, now, hold_ms);
	look_twice(&watch->stale.absence, answer_lacks(answer, &watch->stale.former), start_ms, now,
	           hold_ms);
	/* Not before the TTL is over: a caching name server would only repeat itself. */
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
	watch->peer = *peer;
	watch->absence = (struct absence){ 0 };
	watch->opened_ms = watch->ask_ms = now;
	watch->count.logins++;
}

/* `before` had failed, and the peer may be another server: the end of that outage is kept. */
static void doubt(struct watch *watch, const struct net_addr *before, const struct rds_change *end)
{
	watch->doubted = *end;
	watch->doubted.from = *before;
}

/* Whether the doubted address was another server's: the name has replaced it. */
static bool was_another(struct watch *watch, const struct net_addr *peer)
{
	const struct net_addr *from = &watch->doubted.from;

	if (net_addr_equal(from, peer))
		watch->doubted.from.family = 0;
	return answer_replaced(&watch->answer, from);
}

/*
 * A server's address of the other family is no other server. But while a failover goes on, the name may
 * have the former server's address of one family and the new server's of the other one.
 */
static bool take_good(struct watch *watch, const struct rds_sample *sample, struct rds_change *ret)
{
	struct outage *outage = &watch->outage;
	const struct net_addr before = outage->writer;
	int64_t changes = outage->changes;
	bool same = before.family != watch->peer.family && answer_has(&watch->answer, &before);
	bool doubtful = same && outage_sure(outage), ended;

	if (same)
		outage->writer = watch->peer;
	ended = outage_good(outage, sample, &watch->peer, watch->conf->interval_ms, ret);
	if (doubtful) {
		doubt(watch, &before, ret);
	} else if (outage->changes != changes) {
		watch->doubted.from.family = 0;
	} else if (was_another(watch, &watch->peer)) {
		outage_moved(outage, &watch->doubted);
		*ret = outage->moved;
		watch->doubted.from.family = 0;
		return true;
	}
	return ended;
}

bool watch_answered(struct watch *watch, const struct rds_sample *sample, uint32_t random,
                    struct rds_change *ret)
{
	int64_t now = sample->end_ms;

	watch->backoff.trouble = TROUBLE_NONE;
	/* The back-off of a server that comes and goes does not start from 0 each time. */
	if (now - watch->opened_ms >= STEADY_MS) {
		watch->backoff.failures = 0;
		places_forget(&watch->places, &watch->peer);
	} else if (watch->backoff.failures > 2) {
		watch->backoff.failures = 2;
	}
	watch->ask_ms = now + clock_jitter(watch->conf->interval_ms, 10, random);
	watch->rtt_us = sample->rtt_us;
	str_copy(watch->version, sizeof watch->version, sample->version);
	if (sample->read_only) {
		set_state(watch, now, RDS_READ_ONLY, "the server refuses writes (read_only)");
		watch->outage.read_only = true;
		outage_bad(&watch->outage, sample->start_ms, now);
		if (hurried(watch, now))
			watch_resolve(watch,
			              now + clock_jitter(watch->conf->dns_fast_ms, 10, random));
		return false;
	}
	set_state(watch, now, RDS_WRITABLE, "");
	return take_good(watch, sample, ret);
}

/* `peer`: the server that failed; NULL: any of those that the name resolves to. */
static void back_off(struct watch *watch, int64_t now, enum rds_trouble trouble,
                     const struct net_addr *peer, uint32_t random)
{
	struct backoff *backoff = &watch->backoff;

	if (backoff->trouble != TROUBLE_NONE && backoff->trouble != trouble)
		backoff->failures = 0;
	backoff->trouble = trouble;
	backoff->connect_ms = now + trouble_backoff(trouble, backoff->failures++, random);
	if (trouble_is_secret(trouble))
		return;
	if (peer)
		places_note(&watch->places, peer, backoff);
	for (int i = 0; !peer && i < watch->answer.count; i++)
		places_note(&watch->places, &watch->answer.addr[i], backoff);
}

void watch_failed(struct watch *watch, const struct rds_sample *sample, uint32_t random)
{
	int64_t now = sample->end_ms;
	bool left = peer_left(watch);

	back_off(watch, now, sample->trouble, watch->open ? &watch->peer : NULL, random);
	if (!watch->open && trouble_is_down(sample->trouble))
		outage_down(&watch->outage);
	if (watch->open && now - sample->start_ms >= watch->conf->timeout_ms)
		watch->outage.silent = true;
	watch->open = false;
	watch->count.failures++;
	outage_bad(&watch->outage, sample->start_ms, now);
	set_state(watch, now, RDS_DOWN, sample->why);
	if (left && !trouble_is_secret(sample->trouble))
		aim(watch, now, random);
	/* Has the name moved? The first failure asks at once. */
	watch_resolve(watch, watch->backoff.failures == 1
	                             ? now
	                             : now + clock_jitter(watch->conf->dns_fast_ms, 10, random));
}

void watch_dropped(struct watch *watch, int64_t now, uint32_t random)
{
	const struct backoff *longest = places_longest(&watch->places, &watch->answer, now);

	watch->open = false;
	watch->count.dropped++;
	if (!leads_back(watch))
		places_take_move(&watch->places, now);
	watch->backoff = longest ? *longest : (struct backoff){ TROUBLE_NONE, 0, 0 };
	watch->backoff.connect_ms = now + random % SPREAD_MS;
}

void watch_restore_denied(struct watch *watch, int64_t now, unsigned failures, int64_t connect_ms)
{
	char why[LIMIT_FACT_WHY];

	watch->backoff = (struct backoff){ TROUBLE_DENIED, failures, connect_ms };
	snprintf(why, sizeof why, "login refused for '%s', also before this process began",
	         watch->conf->user);
	set_state(watch, now, RDS_DOWN, why);
}

int64_t watch_retry_ms(const struct watch *watch)
{
	if (watch->open)
		return 0;
	return watch->name_ok ? watch->backoff.connect_ms : watch->resolve_ms;
}

void watch_retry(struct watch *watch, int64_t now)
{
	if (watch->open)
		return;
	watch->backoff.failures = 0;
	watch->backoff.connect_ms = watch->resolve_ms = now;
}
