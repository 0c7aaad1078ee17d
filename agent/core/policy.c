/* wna-core, and the simulator. Never blocks. Owns nothing. */
#include "policy.h"

#include <string.h>

#include "clock.h"

enum {
	ORDER_LOST_MS = 10 * 1000, /* an order that nobody took up is given again after this */
	JITTER_PERCENT = 10,
	LOOK_AGAIN_MS = 10 * 60 * 1000,
};

void policy_init(struct policy *policy, uint32_t seed)
{
	*policy = (struct policy){ .state = POLICY_START, .random = seed ? seed : 1 };
}

/* xorshift32 */
static uint32_t next_random(struct policy *policy)
{
	uint32_t x = policy->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	policy->random = x;
	return x;
}

bool policy_busy(const struct facts *facts, enum role role)
{
	const struct fact *child = facts_get(facts, FACT_CHILD, role);

	return child->seen && child->value != CHILD_OFF && child->value != CHILD_BACKOFF;
}

enum policy_sight policy_sight(const struct conf *conf, const struct facts *facts, int64_t now_ms)
{
	const struct fact *mount = facts_get(facts, FACT_MOUNT, 0);
	const struct fact *id = facts_get(facts, FACT_MOUNT_ID, 0);
	const struct fact *seen = facts_get(facts, FACT_PROBE_ID, 0);

	if (!seen->seen)
		return SIGHT_NONE;
	/* The id alone proves little: that of an unmounted one is given to the next. */
	if (mount->value == MOUNT_RIGHT && seen->value > 0 && seen->value == id->value &&
	    strcmp(seen->text, id->text) == 0)
		return facts_fresh(facts, conf, FACT_PROBE_ID, 0, now_ms) ? SIGHT_SAME : SIGHT_NONE;
	/* A probe that looked before wna-mount's last word does not refute it. */
	if (seen->seq < mount->seq || seen->seq < id->seq)
		return mount->value == MOUNT_RIGHT || seen->value == 0 ? SIGHT_DOUBT : SIGHT_NONE;
	/* Bad news does not age: a mount once seen to be gone is not taken for a
	 * silent one because the next probe got stuck. */
	if (seen->value == 0)
		return SIGHT_LOST;
	/* What could not be verified has no id to compare with. */
	if (mount->value == MOUNT_RIGHT)
		return SIGHT_CHANGED;
	return facts_fresh(facts, conf, FACT_PROBE_ID, 0, now_ms) ? SIGHT_SAME : SIGHT_NONE;
}

static void wait_and_retry(struct policy *policy, const struct conf *conf, int64_t now_ms)
{
	policy->state = POLICY_WAITING;
	policy->due_ms = now_ms + clock_backoff(policy->attempt, conf->mount.retry_min_ms,
	                                        conf->mount.retry_max_ms, next_random(policy));
	if (policy->attempt < 32)
		policy->attempt++;
}

/*
 * Two tunnels of mount.efs, which begin on loopback, may be alike in all that
 * mountinfo tells, so that a probe takes one for the other: then only wna-mount
 * knows, which reads the state file. A mount without the helper is told apart by
 * its mark, and needs no name server to be right a second time.
 */
static bool looks_again(const struct facts *facts)
{
	return strstr(facts_get(facts, FACT_MOUNT_ID, 0)->text, " 127.0.0.1:") != NULL;
}

static void take_outcome(struct policy *policy, const struct conf *conf, const struct fact *mount,
                         int64_t now_ms)
{
	policy->heard_seq = mount->seq;
	switch (mount->value) {
	case MOUNT_RIGHT:
		policy->state = POLICY_HELD;
		policy->probe_due_ms = now_ms;
		policy->due_ms =
		        now_ms + clock_jitter(LOOK_AGAIN_MS, JITTER_PERCENT, next_random(policy));
		break;
	case MOUNT_UNVERIFIED:
		policy->probe_due_ms = now_ms;
		wait_and_retry(policy, conf, now_ms);
		break;
	case MOUNT_WRONG:
		/* Never covered: somebody has to take it away. No hurry, then. */
		policy->state = POLICY_WAITING;
		policy->due_ms = now_ms + clock_jitter(conf->mount.retry_max_ms, JITTER_PERCENT,
		                                       next_random(policy));
		break;
	default: wait_and_retry(policy, conf, now_ms); break;
	}
}

static void expect_mount(struct policy *policy, const struct facts *facts, int64_t now_ms)
{
	policy->state = POLICY_ORDERED;
	policy->due_ms = now_ms + ORDER_LOST_MS;
	policy->began = policy_busy(facts, ROLE_MOUNT);
}

static unsigned order_mount(struct policy *policy, const struct facts *facts, int64_t now_ms)
{
	expect_mount(policy, facts, now_ms);
	/* One that runs already, ordered by an earlier core, will do. */
	return policy->began ? 0 : POLICY_MOUNT;
}

static unsigned step_held(struct policy *policy, const struct conf *conf, const struct facts *facts,
                          int64_t now_ms)
{
	switch (policy_sight(conf, facts, now_ms)) {
	case SIGHT_NONE:
	case SIGHT_DOUBT: break;
	case SIGHT_SAME: policy->attempt = 0; break;
	case SIGHT_LOST:
	case SIGHT_CHANGED:
		/* At once the first time; if the two go on disagreeing, ever slower. */
		if (policy->attempt > 0) {
			wait_and_retry(policy, conf, now_ms);
			return 0;
		}
		policy->attempt = 1;
		return order_mount(policy, facts, now_ms);
	}
	if (looks_again(facts) && now_ms >= policy->due_ms && !policy_busy(facts, ROLE_MOUNT))
		return order_mount(policy, facts, now_ms);
	return 0;
}

static unsigned step_ordered(struct policy *policy, const struct conf *conf,
                             const struct facts *facts, int64_t now_ms)
{
	if (policy_busy(facts, ROLE_MOUNT)) {
		policy->began = true;
		return 0;
	}
	/* Ended without a word (killed, crashed), or never begun. */
	if (policy->began || now_ms >= policy->due_ms)
		wait_and_retry(policy, conf, now_ms);
	return 0;
}

static bool probing(const struct facts *facts)
{
	const struct fact *mount = facts_get(facts, FACT_MOUNT, 0);

	return mount->seen && (mount->value == MOUNT_RIGHT || mount->value == MOUNT_UNVERIFIED);
}

/* wna-mount has said something that was not acted on yet. */
static bool has_outcome(const struct policy *policy, const struct fact *mount)
{
	return policy->state != POLICY_START && mount->seen && mount->value != MOUNT_STARTING &&
	       mount->value != MOUNT_ABSENT && mount->seq > policy->heard_seq;
}

static bool mount_due(const struct policy *policy, const struct facts *facts, int64_t now_ms)
{
	return policy->state == POLICY_START ||
	       (policy->state == POLICY_WAITING && now_ms >= policy->due_ms &&
	        !policy_busy(facts, ROLE_MOUNT));
}

unsigned policy_step(struct policy *policy, const struct conf *conf, const struct facts *facts,
                     int64_t now_ms)
{
	const struct fact *mount = facts_get(facts, FACT_MOUNT, 0);
	unsigned orders = 0;

	if (!conf->mount.enabled)
		return 0;
	/* Held no more, says one that is at it, whoever ordered it: its end is waited for. */
	if (policy->state == POLICY_HELD && mount->value == MOUNT_ABSENT)
		expect_mount(policy, facts, now_ms);
	if (has_outcome(policy, mount))
		take_outcome(policy, conf, mount, now_ms);
	else if (mount_due(policy, facts, now_ms))
		orders |= order_mount(policy, facts, now_ms);
	else if (policy->state == POLICY_ORDERED)
		orders |= step_ordered(policy, conf, facts, now_ms);
	else if (policy->state == POLICY_HELD)
		orders |= step_held(policy, conf, facts, now_ms);

	if (probing(facts) && now_ms >= policy->probe_due_ms && !policy_busy(facts, ROLE_PROBE)) {
		policy->probe_due_ms = now_ms + clock_jitter(conf->mount.probe_interval_ms,
		                                             JITTER_PERCENT, next_random(policy));
		orders |= POLICY_PROBE;
	}
	return orders;
}

int64_t policy_next_ms(const struct policy *policy, const struct conf *conf,
                       const struct facts *facts)
{
	int64_t next_ms = INT64_MAX;

	if (!conf->mount.enabled)
		return INT64_MAX;
	/* A taken slot wakes the policy by its own fact when it becomes free. */
	if (policy->state == POLICY_START)
		next_ms = 0;
	else if ((policy->state != POLICY_HELD || looks_again(facts)) &&
	         !policy_busy(facts, ROLE_MOUNT))
		next_ms = policy->due_ms;
	if (probing(facts) && !policy_busy(facts, ROLE_PROBE) && policy->probe_due_ms < next_ms)
		next_ms = policy->probe_due_ms;
	return next_ms;
}
