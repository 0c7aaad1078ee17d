/* Run by wna-cloud each turn. Pure: blocks on nothing, owns nothing. */
#include "cloud_life.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

/* The states of a warm pool are "Warmed:Stopped" and others. */
static bool in_pool(const char *target_state)
{
	return target_state && strncmp(target_state, "Warmed:", strlen("Warmed:")) == 0;
}

static bool ends(const char *target_state)
{
	return is(target_state, "Terminated") || is(target_state, "Warmed:Terminated");
}

static bool given(const char *text)
{
	return text && text[0];
}

/* The reason stays. */
static void step(struct life *life, enum life_state state, const char *next)
{
	life->state = state;
	str_copy(life->next, sizeof life->next, next);
}

static void set(struct life *life, enum life_state state, const char *why, const char *next)
{
	step(life, state, next);
	str_copy(life->why, sizeof life->why, why);
}

/* "mount, database" */
static void name_jobs(unsigned jobs, struct sb *sb)
{
	const char *between = "";

	for (int job = 0; job < JOB_MAX; job++) {
		if (!(jobs & 1u << job))
			continue;
		sb_printf(sb, "%s%s", between, job_name(job));
		between = ", ";
	}
}

static void warm(struct life *life, const struct life_seen *seen)
{
	unsigned missing = LIFE_JOBS & ~seen->well;
	struct sb why;

	set(life, LIFE_WARMING, "", "in service when all of them are well");
	sb_init(&why, life->why, sizeof life->why);
	sb_put(&why, "not well yet: ");
	name_jobs(missing, &why);
}

/* Not at once without a connection: the load balancer needs some bad answers first. */
static void drain(struct life *life, const struct conf_life *conf, const struct life_seen *seen,
                  int64_t now_ms)
{
	bool spot = life->cause == LIFE_SPOT;
	int64_t delay_ms =
	        spot ? earlier(LIFE_SPOT_MS, conf->drain_delay_ms) : conf->drain_delay_ms;
	int64_t left_ms = life->drain_ms + delay_ms - now_ms, quiet_ms = now_ms - life->active_ms;
	const char *then = spot ? "" : "; wnactl undrain ends it";
	char span[32], text[LIMIT_FACT_TEXT];

	if (seen->connections != 0) {
		life->active_ms = now_ms;
		quiet_ms = 0;
	}
	if (life->state == LIFE_DRAINED)
		return; /* a late connection does not bring the node back */
	if ((seen->connections == 0 && quiet_ms >= conf->drain_quiet_ms) || left_ms <= 0) {
		if (seen->connections < 0)
			snprintf(text, sizeof text, "the delay is over%s", then);
		else
			snprintf(text, sizeof text, "clients still connected: %d%s",
			         seen->connections, then);
		step(life, LIFE_DRAINED, text);
		return;
	}
	clock_span(left_ms, span, sizeof span);
	if (seen->connections < 0)
		snprintf(text, sizeof text, "connections cannot be counted: drained in %s", span);
	else
		snprintf(text, sizeof text,
		         "%d connections on port %d, drained in %s at the latest",
		         seen->connections, (int)conf->web_port, span);
	step(life, LIFE_DRAINING, text);
}

/* They change nothing: the group replaces the instance in its own way, if it wants to. */
static void tell_notices(struct life *life, const struct life_seen *seen)
{
	if (given(seen->rebalance))
		snprintf(life->why, sizeof life->why, "EC2 recommends a rebalance, %s",
		         seen->rebalance);
	else if (given(seen->scheduled))
		snprintf(life->why, sizeof life->why, "EC2 has scheduled %s", seen->scheduled);
}

/* Without a reason to drain. */
static void serve(struct life *life, const struct life_seen *seen)
{
	if (!seen->heard) {
		set(life, LIFE_STARTING, "wna-core has not told its verdict yet", "");
	} else if (in_pool(seen->target_state)) {
		set(life, LIFE_WARMING, "", "in service when the group wants the instance");
		snprintf(life->why, sizeof life->why, "target state %s", seen->target_state);
	} else if (is(seen->target_state, "Standby")) {
		set(life, LIFE_DRAINED, "target state Standby",
		    "in service when the group wants it");
	} else if (life->served || (seen->well & LIFE_JOBS) == LIFE_JOBS) {
		life->served = true;
		set(life, LIFE_IN_SERVICE, "", "");
		tell_notices(life, seen);
	} else {
		warm(life, seen);
	}
}

void life_decide(struct life *life, const struct conf_life *conf, const struct life_seen *seen,
                 int64_t now_ms)
{
	enum life_cause cause = given(seen->spot_action) ? LIFE_SPOT
	                        : seen->ordered          ? LIFE_ORDERED
	                                                 : LIFE_SERVES;

	if (cause != life->cause && cause == LIFE_ORDERED)
		str_copy(life->why, sizeof life->why, "ordered by wnactl drain");
	else if (cause != life->cause && cause == LIFE_SPOT)
		snprintf(life->why, sizeof life->why, "spot notice: %s", seen->spot_action);
	if (cause != LIFE_SERVES && life->cause == LIFE_SERVES) {
		step(life, LIFE_DRAINING, "");
		life->active_ms = now_ms;
	}
	if (cause == LIFE_SPOT && life->cause == LIFE_SERVES)
		life->drain_ms = now_ms;
	life->cause = cause;
	if (ends(seen->target_state)) {
		set(life, LIFE_GONE, "", "");
		snprintf(life->why, sizeof life->why, "target state %s", seen->target_state);
	} else if (cause != LIFE_SERVES) {
		drain(life, conf, seen, now_ms);
	} else {
		serve(life, seen);
	}
}
