/*
 * wna-core, and the simulator. Never blocks. Owns nothing.
 *
 * Nothing, or the wrong thing, mounted is this node's own failure: it would
 * serve, and write, the wrong files. The right thing that does not answer is
 * everybody's at once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "judge_parts.h"

static const char *why_or(const struct fact *fact, const char *otherwise)
{
	return fact->why[0] ? fact->why : otherwise;
}

/* The right file system, but no sign of life. */
static void find_silent(struct judge *judge, struct finding *ret)
{
	const struct conf_mount *conf = &judge->conf->mount;
	const struct fact *child = facts_get(judge->facts, FACT_CHILD, ROLE_PROBE);
	const struct fact *probe = facts_get(judge->facts, FACT_PROBE, 0);
	bool fails = conf->hang == HANG_FAIL;
	enum verdict_level level = fails ? LEVEL_FAIL : LEVEL_DEGRADED;
	enum reach reach = fails ? REACH_HEALTH : REACH_READY;
	char text[32];

	if (child->seen && child->value == CHILD_STUCK)
		judge_find(ret, level, reach, "no answer: the probe is stuck since %s",
		           clock_iso8601(child->changed_wall_ms, text, sizeof text));
	else if (judge_fresh(judge, FACT_PROBE, 0) && probe->value < 0)
		judge_find(ret, level, reach, "no answer: %s", why_or(probe, "the probe failed"));
	else
		judge_find(ret, level, reach, "no answer for more than %s",
		           clock_span(conf->max_age_ms, text, sizeof text));
}

/* Probed since wna-mount's last word; or before it, when that was not the first to
 * say so and the mount is the same. What cannot be proved has nothing to be the
 * same by, and wna-mount says it again with each attempt. */
static bool has_looked(const struct judge *judge)
{
	const struct fact *mount = facts_get(judge->facts, FACT_MOUNT, 0);
	const struct fact *probe = facts_get(judge->facts, FACT_PROBE, 0);

	if (!probe->seen || probe->seq > mount->seq)
		return probe->seen;
	return probe->at_ms >= mount->changed_ms &&
	       (mount->value == MOUNT_UNVERIFIED ||
	        policy_sight(judge->conf, judge->facts, judge->now_ms) == SIGHT_SAME);
}

/*
 * What a probe found lost or changed stays so until a probe has come through to
 * the mount that wna-mount calls right: the two may go on disagreeing, and the
 * answer must not change with each of their words.
 */
static bool is_doubted(struct judge *judge)
{
	const struct fact *mount = facts_get(judge->facts, FACT_MOUNT, 0);
	const struct fact *id = facts_get(judge->facts, FACT_MOUNT_ID, 0);
	const struct fact *probe = facts_get(judge->facts, FACT_PROBE, 0);
	const struct fact *seen = facts_get(judge->facts, FACT_PROBE_ID, 0);
	/* The id comes first: by then wna-mount's last word may be an old one. */
	int64_t said_ms = id->seq > mount->seq ? id->at_ms : mount->at_ms;

	/* The id has come, but not yet the sign of life: the last one went astray. */
	if (policy_sight(judge->conf, judge->facts, judge->now_ms) != SIGHT_DOUBT &&
	    (!probe->seen || probe->value != -ENODEV || probe->seq > seen->seq))
		return false;
	return judge_before(judge, said_ms + judge->conf->mount.max_age_ms);
}

/* The probe got no answer, or has been waiting for one for too long. */
static bool is_silent(struct judge *judge)
{
	const struct fact *probe = facts_get(judge->facts, FACT_PROBE, 0);
	const struct fact *child = facts_get(judge->facts, FACT_CHILD, ROLE_PROBE);

	return (child->seen && child->value == CHILD_STUCK) ||
	       (has_looked(judge) && (probe->value < 0 || !judge_fresh(judge, FACT_PROBE, 0)));
}

/* Right by wna-mount's word; the probes say whether it still is, and lives. */
static void judge_right(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = facts_get(judge->facts, FACT_MOUNT, 0);
	const struct fact *seen = facts_get(judge->facts, FACT_PROBE_ID, 0);

	judge_fresh(judge, FACT_PROBE_ID, 0);
	switch (policy_sight(judge->conf, judge->facts, judge->now_ms)) {
	case SIGHT_LOST:
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "nothing is mounted there any more");
		return;
	case SIGHT_CHANGED:
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "something else is mounted there now: %s",
		           seen->text);
		return;
	case SIGHT_NONE:
	case SIGHT_DOUBT:
	case SIGHT_SAME: break;
	}
	if (is_doubted(judge)) {
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "mounted again, not yet probed");
		return;
	}
	if (is_silent(judge)) {
		find_silent(judge, ret);
		return;
	}
	/* Alive, but is it still the mount that wna-mount saw? The two facts come
	 * from one probe, so this passes at once. */
	if (has_looked(judge) &&
	    policy_sight(judge->conf, judge->facts, judge->now_ms) == SIGHT_SAME) {
		judge_find(ret, LEVEL_OK, REACH_NONE, NULL);
		return;
	}
	if (!judge_before(judge, mount->at_ms + judge->conf->mount.max_age_ms))
		find_silent(judge, ret);
	else if (judge_assume(judge, judge->assume_shared))
		judge_find(ret, LEVEL_OK, REACH_NONE, NULL);
	else
		judge_find(ret, LEVEL_WAITING, REACH_READY, "mounted, not yet probed");
}

/* Whatever a core before this one said. */
static void judge_absent(struct judge *judge, struct finding *ret)
{
	const struct fact *child = facts_get(judge->facts, FACT_CHILD, ROLE_MOUNT);
	char text[32];

	if (child->seen && child->value == CHILD_STUCK)
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "the mount operation is stuck since %s",
		           clock_iso8601(child->changed_wall_ms, text, sizeof text));
	else
		judge_find(ret, LEVEL_WAITING, REACH_HEALTH, "not mounted yet%s%s",
		           child->why[0] ? ": " : "", child->why);
}

static void judge_unheard(struct judge *judge, struct finding *ret)
{
	if (judge_assume(judge, judge->assume_shared))
		judge_find(ret, LEVEL_OK, REACH_NONE, NULL);
	else if (judge_assume(judge, judge->assume_local))
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, "not looked yet since the restart");
	else
		judge_absent(judge, ret);
}

static void tell_what(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = facts_get(judge->facts, FACT_MOUNT, 0);
	const struct fact *probe = facts_get(judge->facts, FACT_PROBE, 0);
	const struct fact *guard = facts_get(judge->facts, FACT_MOUNT_GUARD, 0);
	size_t len;

	snprintf(ret->what, sizeof ret->what, "%.*s%s%s", 120, judge->conf->mount.path,
	         mount->text[0] ? ": " : "", mount->text);
	len = strlen(ret->what);
	if (probe->seen && probe->value >= 0)
		snprintf(ret->what + len, sizeof ret->what - len, ", answers in %.1f ms",
		         (double)probe->value / 1000.0);
	len = strlen(ret->what);
	if (mount->value == MOUNT_RIGHT && mount->why[0])
		snprintf(ret->what + len, sizeof ret->what - len, ", %s", mount->why);
	len = strlen(ret->what);
	if (guard->seen && guard->value == 0 && judge->conf->mount.guard)
		snprintf(ret->what + len, sizeof ret->what - len, ", directory not guarded: %s",
		         why_or(guard, "no reason given"));
	else if (guard->seen && guard->value == 1 && guard->why[0])
		snprintf(ret->what + len, sizeof ret->what - len, ", %s", guard->why);
}

static void tell_next(struct judge *judge, struct finding *ret)
{
	const struct policy *policy = &judge->state->policy;
	const struct fact *child = facts_get(judge->facts, FACT_CHILD, ROLE_MOUNT);
	char span[32];
	bool stuck = child->seen && child->value == CHILD_STUCK;

	if (stuck)
		snprintf(ret->next, sizeof ret->next, "waits for the stuck mount operation to end");
	else if (policy_busy(judge->facts, ROLE_MOUNT) || policy->state == POLICY_ORDERED)
		snprintf(ret->next, sizeof ret->next, "looks and mounts now");
	else if (policy->state == POLICY_WAITING)
		snprintf(ret->next, sizeof ret->next, "looks again in %s",
		         clock_span(policy->due_ms - judge->now_ms, span, sizeof span));
	else if (policy_busy(judge->facts, ROLE_PROBE))
		snprintf(ret->next, sizeof ret->next, "waits for the probe");
	else if (policy->state == POLICY_HELD)
		snprintf(ret->next, sizeof ret->next, "probes in %s",
		         clock_span(policy->probe_due_ms - judge->now_ms, span, sizeof span));
}

void judge_mount(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = facts_get(judge->facts, FACT_MOUNT, 0);

	if (!judge->conf->mount.enabled) {
		judge_find(ret, LEVEL_OFF, REACH_NONE, NULL);
		return;
	}
	tell_what(judge, ret);
	tell_next(judge, ret);
	if (!mount->seen || mount->value == MOUNT_STARTING) {
		judge_unheard(judge, ret);
		return;
	}
	switch (mount->value) {
	case MOUNT_RIGHT: judge_right(judge, ret); return;
	case MOUNT_ABSENT: judge_absent(judge, ret); return;
	case MOUNT_UNVERIFIED:
		judge_fresh(judge, FACT_PROBE_ID, 0);
		if (policy_sight(judge->conf, judge->facts, judge->now_ms) == SIGHT_LOST)
			judge_find(ret, LEVEL_FAIL, REACH_HEALTH,
			           "nothing is mounted there any more");
		else if (is_doubted(judge))
			judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "mounted again, not yet probed");
		else if (is_silent(judge))
			find_silent(judge, ret);
		else
			judge_find(ret, LEVEL_DEGRADED, REACH_READY, "not verified: %s",
			           why_or(mount, "no reason given"));
		return;
	case MOUNT_WRONG:
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "the wrong thing is mounted: %s",
		           why_or(mount, mount->text));
		return;
	default:
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, "nothing is mounted: %s",
		           why_or(mount, "no reason given"));
		return;
	}
}
