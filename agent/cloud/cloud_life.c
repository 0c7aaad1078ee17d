/* Run by wna-cloud each turn. Pure: blocks on nothing, owns nothing. */
#include "cloud_life.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

bool life_ends(const char *target_state)
{
	return is(target_state, "Terminated") || is(target_state, "Warmed:Terminated");
}

bool life_in_pool(const char *target_state)
{
	return target_state && strncmp(target_state, "Warmed:", strlen("Warmed:")) == 0 &&
	       !life_ends(target_state);
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

static void warm(struct life *life, unsigned missing)
{
	struct sb why;

	set(life, LIFE_WARMING, "", "in service when all of them are well");
	sb_init(&why, life->why, sizeof life->why);
	sb_put(&why, "not well yet: ");
	name_jobs(missing, &why);
}

static void abandon(struct life *life, const struct conf_life *conf)
{
	char span[32];
	struct sb why;

	set(life, LIFE_GONE, "", "the group replaces the instance");
	sb_init(&why, life->why, sizeof life->why);
	sb_printf(&why, "launch abandoned, not well after %s: ",
	          clock_span(conf->launch_deadline_ms, span, sizeof span));
	name_jobs(life->hook.missing, &why);
}

/* The jobs are well. */
static void await_hook(struct life *life, const struct conf_life *conf)
{
	char next[LIMIT_FACT_TEXT];

	snprintf(next, sizeof next, "completes hook %.64s", conf->launch_hook);
	set(life, LIFE_WARMING, life->hook.why, next);
}

/* The group has taken the node out of service, for good or into its warm pool. */
static void leave(struct life *life, const struct conf_life *conf, const struct life_seen *seen)
{
	const struct life_hook *hook = &life->hook;
	char next[LIMIT_FACT_TEXT];

	set(life, LIFE_GONE, "", "");
	snprintf(life->why, sizeof life->why, "target state %.32s%s%.*s", seen->target_state,
	         hook->why[0] ? ", " : "", LIMIT_FACT_WHY - 48, hook->why);
	if (!hook_holds(hook, conf))
		return;
	snprintf(next, sizeof next, "sends the metrics, completes hook %.60s",
	         conf->terminate_hook);
	step(life, LIFE_DRAINED, next);
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
		snprintf(text, sizeof text, "clients connected: %d; drained in %s at the latest",
		         seen->connections, span);
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
static void serve(struct life *life, const struct conf_life *conf, const struct life_seen *seen)
{
	unsigned missing = LIFE_JOBS & ~seen->well;

	if (life->hook.abandoned) {
		abandon(life, conf);
	} else if (!seen->heard) {
		set(life, LIFE_STARTING, "wna-core has not told its verdict yet", "");
	} else if (conf->launch_hook[0] && !seen->target_state) {
		set(life, LIFE_STARTING, "the target state is not known yet", "");
	} else if (life_in_pool(seen->target_state) && !hook_holds(&life->hook, conf)) {
		set(life, LIFE_WARMING, "", "in service when the group wants the instance");
		snprintf(life->why, sizeof life->why, "target state %s", seen->target_state);
	} else if (is(seen->target_state, "Standby")) {
		set(life, LIFE_DRAINED, "target state Standby",
		    "in service when the group wants it");
	} else if (!life->served && missing) {
		warm(life, missing);
	} else if (hook_holds(&life->hook, conf)) {
		await_hook(life, conf);
	} else {
		life->served = true;
		set(life, LIFE_IN_SERVICE, life->hook.why, "");
		tell_notices(life, seen);
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
	if (cause == LIFE_SERVES)
		life->drain_ms = 0;
	else if (life->drain_ms == 0)
		life->drain_ms = now_ms;
	life->cause = cause;
	if (life_in_pool(seen->target_state))
		life->served = false;
	if (life_ends(seen->target_state) ||
	    (hook_leaves(&life->hook) && hook_holds(&life->hook, conf)))
		leave(life, conf, seen);
	else if (cause != LIFE_SERVES)
		drain(life, conf, seen, now_ms);
	else
		serve(life, conf, seen);
}
