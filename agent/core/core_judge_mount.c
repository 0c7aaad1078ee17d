/*
 * wna-core, and the simulator. Never blocks. Owns nothing.
 *
 * Nothing, or the wrong file system, mounted is this node's own failure: it would serve,
 * and write, the wrong files. The right file system that does not answer fails all nodes
 * at once.
 */
#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "core.h"
#include "str.h"

static const struct fact *report(const struct judge *judge)
{
	return facts_get(judge->facts, FACT_MOUNT, 0);
}

/* An instant of more[]; 0 if the number cannot be one. */
static int64_t instant(const struct fact *mount, enum mount_more place)
{
	int64_t at_ms = mount->more[place];

	return at_ms < 0 || at_ms > INT64_MAX / 2 ? 0 : at_ms;
}

/* Since when the helper or probe is stuck, for people. Returns `ret`. */
static char *stuck_since(const struct fact *mount, char *ret, size_t size)
{
	return clock_iso8601(mount->since_wall_ms + instant(mount, MOUNT_DUE_MS) - mount->since_ms,
	                     ret, size);
}

/* A dead proxy is this node's own failure, once nothing is left that would start a new one: with
 * repair = force a new mount is still due after the last proxy. */
static bool is_given_up(const struct judge *judge)
{
	const struct fact *service = facts_get(judge->facts, FACT_MOUNT_SERVICE, 0);

	return service->seen && service->value == SERVICE_HUNG &&
	       service->more[SERVICE_CAUSE] == CAUSE_DEAD_PROXY &&
	       (judge->conf->mount.repair == REPAIR_OFF ||
	        (service->more[SERVICE_TRIES] >= SERVICE_TRIES_MAX &&
	         service->more[SERVICE_DUE_MS] == 0));
}

static bool is_repaired(const struct judge *judge)
{
	const struct fact *service = facts_get(judge->facts, FACT_MOUNT_SERVICE, 0);

	return service->seen && service->value == SERVICE_REPAIRING;
}

/* The right file system, but no sign of life. */
static void find_silent(struct judge *judge, struct finding *ret)
{
	const struct conf_mount *conf = &judge->conf->mount;
	const struct fact *mount = report(judge);
	const struct fact *service = facts_get(judge->facts, FACT_MOUNT_SERVICE, 0);
	bool fails = (conf->hang == HANG_FAIL && !is_repaired(judge)) || is_given_up(judge);
	enum verdict_level level = fails ? LEVEL_FAIL : LEVEL_DEGRADED;
	enum reach reach = fails ? REACH_HEALTH : REACH_READY;
	enum reason reason = is_given_up(judge) ? REASON_MOUNT_PROXY : REASON_MOUNT_SILENT;
	char text[32];

	if (mount->more[MOUNT_DOING] == MOUNT_PROBE_STUCK)
		judge_find(ret, level, reach, reason, "no answer: the probe is stuck since %s",
		           stuck_since(mount, text, sizeof text));
	else if (mount->more[MOUNT_SIGN] < 0 && mount->more[MOUNT_SIGN] > MOUNT_CAME_BACK)
		judge_find(ret, level, reach, reason, "no answer: %s",
		           judge_why(mount, "the probe failed"));
	else
		judge_find(ret, level, reach, reason, "no answer for more than %s%s%s",
		           clock_span(conf->max_age_ms, text, sizeof text),
		           service->why[0] ? ": " : "", service->why);
}

/* The right file system is mounted, as far as is known: does this very mount answer? */
static void judge_present(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = report(judge);
	int64_t sign = mount->more[MOUNT_SIGN], answered_ms = instant(mount, MOUNT_SIGN_MS);
	int64_t from_ms = answered_ms > 0 ? answered_ms : mount->since_ms;
	bool probed = sign != MOUNT_NOT_PROBED && sign != MOUNT_CAME_BACK;
	bool young = judge_before(judge, from_ms + judge->conf->mount.max_age_ms + 1);

	if (sign == -ENODEV)
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, REASON_MOUNT_WRONG,
		           "something else is mounted there now: %s",
		           judge_why(mount, "the probe came to another mount"));
	else if ((probed && sign < 0) || !young || mount->more[MOUNT_DOING] == MOUNT_PROBE_STUCK)
		find_silent(judge, ret);
	else if (sign == MOUNT_CAME_BACK)
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, REASON_MOUNT_NEW,
		           "mounted again, not yet probed");
	else if (!probed)
		judge_find(ret, LEVEL_WAITING, REACH_READY, REASON_MOUNT_NEW,
		           "mounted, not yet probed");
	else if (mount->value == MOUNT_UNVERIFIED)
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, REASON_MOUNT_UNVERIFIED,
		           "not verified: %s", judge_why(mount, "no reason given"));
	else
		judge_well(ret, LEVEL_OK);
}

static void judge_absent(const struct judge *judge, struct finding *ret)
{
	const struct fact *mount = report(judge);
	bool down = !mount->seen && !judge->state->link[ROLE_MOUNT].up;
	char text[32];

	if (mount->seen && mount->more[MOUNT_DOING] == MOUNT_HELPER_STUCK)
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, REASON_MOUNT_STUCK,
		           "nothing is mounted: the mount operation is stuck since %s",
		           stuck_since(mount, text, sizeof text));
	else if (mount->seen && mount->why[0])
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, REASON_MOUNT_FAILED,
		           "nothing is mounted: %s", mount->why);
	else
		judge_find(ret, LEVEL_WAITING, REACH_HEALTH,
		           down ? REASON_PROCESS_DOWN : REASON_MOUNT_STARTING, "not mounted yet");
}

static void tell_what(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = report(judge);
	const struct fact *guard = facts_get(judge->facts, FACT_MOUNT_GUARD, 0);
	int64_t sign = mount->more[MOUNT_SIGN];
	struct sb what;

	sb_init(&what, ret->what, sizeof ret->what);
	sb_printf(&what, "%.*s%s%s", 120, judge->conf->mount.path, mount->text[0] ? ": " : "",
	          mount->text);
	if (mount->seen && sign >= 0 && ret->level != LEVEL_DEGRADED && ret->level != LEVEL_FAIL)
		sb_printf(&what, ", answers in %.1f ms", (double)sign / 1000.0);
	if (mount->value == MOUNT_RIGHT && mount->why[0] && sign >= 0)
		sb_printf(&what, ", %s", mount->why);
	if (guard->seen && guard->value == 0 && judge->conf->mount.guard)
		sb_printf(&what, ", directory not guarded: %s",
		          judge_why(guard, "no reason given"));
	else if (guard->seen && guard->value == 1 && guard->why[0])
		sb_printf(&what, ", %s", guard->why);
}

/* True if the next step is a repair, or that none is left. */
static bool tell_repair(struct judge *judge, struct finding *ret)
{
	const struct fact *service = facts_get(judge->facts, FACT_MOUNT_SERVICE, 0);
	int64_t due_ms = service->more[SERVICE_DUE_MS];
	char span[32];

	if (!service->seen)
		return false;
	if (service->value == SERVICE_REPAIRING)
		snprintf(ret->next, sizeof ret->next, "waits for the new proxy");
	else if (service->value == SERVICE_HUNG && due_ms > 0)
		snprintf(ret->next, sizeof ret->next, "a new %s in %s",
		         service->more[SERVICE_TRIES] < SERVICE_TRIES_MAX ? "proxy" : "mount",
		         clock_span(due_ms - judge->now_ms, span, sizeof span));
	else if (service->value == SERVICE_HUNG &&
	         service->more[SERVICE_TRIES] >= SERVICE_TRIES_MAX)
		snprintf(ret->next, sizeof ret->next, "nothing: %d new proxies did not help",
		         SERVICE_TRIES_MAX);
	else
		return false;
	return true;
}

static void tell_next(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = report(judge);
	int64_t left_ms = instant(mount, MOUNT_DUE_MS) - judge->now_ms;
	const char *next = NULL;
	char span[32];

	if (!judge_fresh(judge, FACT_MOUNT, 0)) {
		snprintf(ret->next, sizeof ret->next, "waits for wna-mount");
		return;
	}
	if (tell_repair(judge, ret))
		return;
	switch ((enum mount_doing)mount->more[MOUNT_DOING]) {
	case MOUNT_MOUNTING: next = "looks and mounts now"; break;
	case MOUNT_HELPER_STUCK: next = "waits for the stuck mount operation to end"; break;
	case MOUNT_PROBING:
	case MOUNT_PROBE_STUCK: next = "waits for the probe"; break;
	default: break;
	}
	if (next)
		snprintf(ret->next, sizeof ret->next, "%s", next);
	else
		snprintf(ret->next, sizeof ret->next,
		         mount->more[MOUNT_DOING] == MOUNT_WAITING
		                 ? "looks again in %s or at a reload"
		                 : "probes in %s",
		         clock_span(left_ms, span, sizeof span));
}

void judge_mount(struct judge *judge, struct finding *ret)
{
	const struct fact *mount = report(judge);
	char span[32];

	if (!judge->conf->mount.enabled) {
		judge_well(ret, LEVEL_OFF);
		return;
	}
	if (!mount->seen || mount->value == MOUNT_ABSENT)
		judge_absent(judge, ret);
	else if (mount->value == MOUNT_WRONG)
		judge_find(ret, LEVEL_FAIL, REACH_HEALTH, REASON_MOUNT_WRONG,
		           "the wrong thing is mounted: %s", judge_why(mount, mount->text));
	else if (!judge_fresh(judge, FACT_MOUNT, 0))
		judge_find(ret, LEVEL_DEGRADED, REACH_READY, REASON_PROCESS_SILENT,
		           "unknown: no report from wna-mount for more than %s",
		           clock_span(judge->conf->mount.max_age_ms, span, sizeof span));
	else
		judge_present(judge, ret);
	tell_what(judge, ret);
	tell_next(judge, ret);
}
