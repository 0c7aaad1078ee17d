/*
 * Run by wna-cloud: when to push, and what to do about each answer. Never waits;
 * the queue may block on the local disk.
 *
 * The newest data is sent first: scaling and alarms use the last minutes, and data that will soon
 * be too old for CloudWatch matters least. One request is under way at a time.
 *
 * A datum that CloudWatch does not accept is found by halving the request until it has only
 * that datum, which is then dropped and counted. The only state is the size of the next
 * request. If several data in a row are refused and none is accepted, the cause is not in the
 * data: no more is dropped, and pushes are rare.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cloud_push.h"
#include "log.h"

void send_init(struct push_send *send)
{
	*send = (struct push_send){
		.limit = PUSH_BATCH_FIRST,
		.due_ms = PUSH_NEVER,
		.state = PUSH_STARTING,
		.why = "the first window is not complete",
	};
}

static void set_state(struct push *push, enum push_state state, const char *why)
{
	struct push_send *send = &push->send;
	bool same = send->state == state && strcmp(send->why, why) == 0;

	if (!same) {
		push->facts_dirty = true;
		if (state == PUSH_OK)
			log_info("push: accepted, %" PRId64 " data queued",
			         queue_count(push->queue));
		else
			log_warning("push: %s: %s", push_state_name(state), why);
	} else if (state != PUSH_OK) {
		log_debug("push: still %s: %s", push_state_name(state), why);
	}
	send->state = state;
	str_copy(send->why, sizeof send->why, why);
}

void send_kick(struct push *push, int64_t now_ms, int64_t delay_ms)
{
	if (push->send.attempt == 0 && now_ms + delay_ms < push->send.due_ms)
		push->send.due_ms = now_ms + delay_ms;
}

static void put_off(struct push *push, int64_t now_ms, enum push_state state, const char *why,
                    int64_t base_ms, int64_t cap_ms)
{
	struct push_send *send = &push->send;

	set_state(push, state, why);
	send->due_ms = now_ms + clock_backoff(send->attempt, base_ms, cap_ms, clock_random());
	push->facts_dirty = true; /* due_ms is new */
	if (send->attempt < 32)
		send->attempt++;
}

/* After a failure that may end by itself. */
static void back_off(struct push *push, int64_t now_ms, enum push_state state, const char *why)
{
	put_off(push, now_ms, state, why, PUSH_BACKOFF_MS, push->conf->retry_max_ms);
}

/* After a refusal that an operator has to end. */
static void deny(struct push *push, int64_t now_ms)
{
	put_off(push, now_ms, PUSH_DENIED, push->send.answer.why, PUSH_DENIED_MS,
	        PUSH_DENIED_MAX_MS);
}

static void accepted(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	struct push_send *send = &push->send;

	queue_remove(push->queue, send->ids, send->count);
	send->accepted += (int64_t)send->count;
	send->accepted_at_ms = wall_ms;
	send->attempt = 0;
	send->drops = 0;
	send->clock_tried = false;
	send->refused_key[0] = '\0';
	creds_accepted(push->deps.creds);
	send->limit = send->limit * 2 < PUSH_BATCH_MAX ? send->limit * 2 : PUSH_BATCH_MAX;
	/* After an outage each node of a fleet has a backlog: one request a second. */
	send->due_ms = queue_count(push->queue) > 0
	                       ? now_ms + clock_jitter(PUSH_PACE_MS, 50, clock_random())
	                       : PUSH_NEVER;
	push->facts_dirty = true;
	set_state(push, PUSH_OK, "");
}

static void refused(struct push *push, int64_t now_ms)
{
	const struct creds *creds = creds_get(push->deps.creds);

	if (creds)
		str_copy(push->send.refused_key, sizeof push->send.refused_key, creds->access_key);
	creds_refused(push->deps.creds, now_ms, push->send.answer.code);
	back_off(push, now_ms, PUSH_RETRYING, push->send.answer.why);
}

static void bad_datum(struct push *push, int64_t now_ms)
{
	struct push_send *send = &push->send;

	/* A 413 without AWS's error code is from a proxy: the datum may be good. */
	if (send->count == 1 && (!send->answer.code[0] || send->drops >= PUSH_DROPS_MAX)) {
		deny(push, now_ms);
		return;
	}
	set_state(push, PUSH_RETRYING, send->answer.why);
	send->attempt = 0;
	if (send->count > 1) {
		send->limit = send->count / 2;
		send->due_ms = now_ms + clock_jitter(PUSH_PACE_MS / 5, 50, clock_random());
		return;
	}
	send->drops++;
	log_warning("push: a datum is refused and dropped: %s", send->answer.why);
	queue_drop(push->queue, send->ids[0], send->answer.why);
	send->limit = 1;
	send->due_ms = now_ms + clock_jitter(PUSH_PACE_MS, 50, clock_random());
	push->facts_dirty = true;
}

static bool is_signature(const char *code)
{
	return strcmp(code, "SignatureDoesNotMatch") == 0 || strcmp(code, "InvalidSignature") == 0;
}

/* `corrected`: this answer has corrected the skew. */
static void clock_doubted(struct push *push, int64_t now_ms, bool corrected)
{
	struct push_send *send = &push->send;

	if (corrected && !send->clock_tried) {
		send->clock_tried = true;
		send->due_ms = now_ms;
		set_state(push, PUSH_RETRYING, send->answer.why);
	} else if (is_signature(send->answer.code)) {
		/* The time is right: the secret is wrong. */
		refused(push, now_ms);
	} else {
		back_off(push, now_ms, PUSH_RETRYING, send->answer.why);
	}
}

static void act(struct push *push, int64_t now_ms, int64_t wall_ms, bool corrected)
{
	struct push_send *send = &push->send;

	if (send->answer.verdict != CWATCH_ACCEPTED && send->limit > PUSH_BATCH_FIRST)
		send->limit = PUSH_BATCH_FIRST;
	switch (send->answer.verdict) {
	case CWATCH_ACCEPTED: accepted(push, now_ms, wall_ms); break;
	case CWATCH_CLOCK: clock_doubted(push, now_ms, corrected); break;
	case CWATCH_REFUSED: refused(push, now_ms); break;
	case CWATCH_BAD_DATUM: bad_datum(push, now_ms); break;
	case CWATCH_DENIED: deny(push, now_ms); break;
	case CWATCH_UNKNOWN:
		/* Nothing is dropped for an unknown reason. If one datum is the cause, a smaller
		 * request has only newer data, and can be accepted. */
		send->limit = send->count > 1 ? send->count / 2 : 1;
		back_off(push, now_ms, PUSH_DENIED, send->answer.why);
		break;
	case CWATCH_RETRY: back_off(push, now_ms, PUSH_RETRYING, send->answer.why); break;
	}
}

static void take_answer(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	struct push_send *send = &push->send;
	bool known = push->skew.known;
	int64_t change = 0;

	send->answered = false;
	/* If the clock was set during the request, nothing can be learned from the answer. */
	if (!send->clock_was_set)
		change = skew_learn(&push->skew, send->answer.date_ms, send->answer.sent_ms,
		                    send->answer.took_ms);
	act(push, now_ms, wall_ms, change != 0);
	if (push->skew.known && (!known || change != 0))
		push_told_time(push, change);
}

static bool other_keys(const struct push *push, const struct creds *creds)
{
	return push->send.refused_key[0] && creds &&
	       strcmp(creds->access_key, push->send.refused_key) != 0;
}

static void expire(struct push *push, int64_t wall_ms)
{
	int64_t true_ms = push_aws_ms(push, wall_ms);

	/* Not before AWS's time is known: a clock that is a month off at boot must not empty the
	 * queue. */
	if (push->skew.known)
		queue_expire(push->queue, true_ms - push->conf->queue_age_ms,
		             true_ms + PUSH_FUTURE_MS);
}

static void push_now(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	const struct creds *creds = creds_get(push->deps.creds);
	const struct endpoint_service service = {
		.name = "monitoring",
		.variable = "AWS_ENDPOINT_URL_CLOUDWATCH",
		.url = push->conf->endpoint,
	};
	struct endpoint endpoint;
	char why[LIMIT_FACT_WHY];
	int r;

	/* Without credentials or endpoint nothing was tried: the next look is in a second. */
	if (!creds) {
		set_state(push, PUSH_RETRYING, "there are no credentials yet");
		push->send.due_ms = now_ms + 1000;
		return;
	}
	r = endpoint_find(push->conf, &service, getenv, push->deps.identity, &endpoint, why,
	                  sizeof why);
	if (r < 0) {
		set_state(push, r == -EAGAIN ? PUSH_RETRYING : PUSH_DENIED, why);
		push->send.due_ms = now_ms + 1000;
		return;
	}
	expire(push, wall_ms);
	r = request_start(push, &endpoint, creds, wall_ms);
	if (r == -ENODATA) {
		/* All data was too old, or is on a disk in trouble. */
		push->send.due_ms = now_ms + PUSH_PACE_MS;
	} else if (r < 0) {
		snprintf(why, sizeof why, "no request could be made: %s", strerror(-r));
		back_off(push, now_ms, PUSH_RETRYING, why);
	}
}

bool send_busy(const struct push *push)
{
	return push->send.call || push->send.answered;
}

int64_t send_turn(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	struct push_send *send = &push->send;

	if (send->answered)
		take_answer(push, now_ms, wall_ms);
	if (send->call || queue_count(push->queue) == 0 || !push->deps.identity->known)
		return PUSH_NEVER;
	if (send->due_ms == PUSH_NEVER) /* a backlog from before this start */
		send->due_ms = now_ms + clock_jitter(PUSH_PACE_MS, 50, clock_random());
	if (other_keys(push, creds_get(push->deps.creds))) {
		send->refused_key[0] = '\0';
		send->attempt = 0;
		send->due_ms = now_ms;
	}
	if (now_ms >= send->due_ms)
		push_now(push, now_ms, wall_ms);
	return send->call ? PUSH_NEVER : send->due_ms;
}
