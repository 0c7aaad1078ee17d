/*
 * Run by wna-cloud each turn: when the group's lifecycle hooks are completed. Pure: blocks on
 * nothing, owns nothing.
 *
 * The metadata tell the target state only. It is InService before the hook waits, and stays so
 * after it; in a scale-in it may be Terminated long before the hook waits, since the load balancer
 * is left first. Therefore "no active action" is an answer that may come too early.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cloud_life.h"

static enum life_episode episode_of(enum life_episode before, const char *target_state)
{
	bool served = before == EPISODE_LAUNCH || before == EPISODE_RETURN;

	if (life_ends(target_state))
		return EPISODE_END;
	if (life_in_pool(target_state))
		return served ? EPISODE_RETURN : EPISODE_POOL;
	return strcmp(target_state, "InService") == 0 ? EPISODE_LAUNCH : EPISODE_NONE;
}

bool hook_begin(struct life_hook *hook, const char *target_state, int64_t now_ms)
{
	enum life_episode episode = hook->episode;

	if (target_state)
		episode = episode_of(episode, target_state);
	if (episode == hook->episode)
		return false;
	*hook = (struct life_hook){ .episode = episode,
		                    .since_ms = now_ms,
		                    .beat_ms = now_ms + HOOK_BEAT_MS };
	return true;
}

bool hook_leaves(const struct life_hook *hook)
{
	return hook->episode == EPISODE_RETURN || hook->episode == EPISODE_END;
}

const char *hook_name(const struct life_hook *hook, const struct conf_life *conf)
{
	if (hook->episode == EPISODE_NONE)
		return "";
	return hook_leaves(hook) ? conf->terminate_hook : conf->launch_hook;
}

bool hook_holds(const struct life_hook *hook, const struct conf_life *conf)
{
	return hook_name(hook, conf)[0] && !hook->over && !hook->released;
}

/* The node goes on without an answer of AWS. */
static enum life_call give_up(struct life_hook *hook)
{
	hook->over = hook->released = true;
	return HOOK_NO_CALL;
}

static enum life_call launch_due(struct life_hook *hook, const struct conf_life *conf,
                                 const struct life_seen *seen, int64_t now_ms)
{
	int64_t left_ms = hook->since_ms + conf->launch_deadline_ms - now_ms;
	bool expired = left_ms <= 0;

	if (seen->cannot[0])
		return expired ? give_up(hook) : HOOK_NO_CALL;
	if (hook->attempt > 0 && left_ms <= -HOOK_GRACE_MS)
		return give_up(hook);
	if (now_ms < hook->due_ms)
		return HOOK_NO_CALL;
	hook->missing = LIFE_JOBS & ~seen->well;
	if (expired && hook->released)
		return give_up(hook);
	if (hook->missing == 0)
		return HOOK_CONTINUE;
	if (expired)
		return HOOK_ABANDON;
	return now_ms >= hook->beat_ms ? HOOK_HEARTBEAT : HOOK_NO_CALL;
}

enum life_call hook_due(struct life_hook *hook, const struct conf_life *conf,
                        const struct life_seen *seen, int64_t now_ms)
{
	if (!hook_name(hook, conf)[0] || hook->over)
		return HOOK_NO_CALL;
	if (seen->cannot[0]) {
		str_copy(hook->why, sizeof hook->why, seen->cannot);
		hook->idle = false;
	}
	if (!hook_leaves(hook))
		return launch_due(hook, conf, seen, now_ms);
	if (seen->cannot[0] || now_ms < hook->due_ms ||
	    (seen->unsent > 0 && now_ms - hook->since_ms < HOOK_FLUSH_MS))
		return HOOK_NO_CALL;
	return HOOK_CONTINUE;
}

static void accepted(struct life_hook *hook, enum life_call call, int64_t now_ms)
{
	hook->attempt = 0;
	hook->why[0] = '\0';
	hook->beat_ms = now_ms + HOOK_BEAT_MS;
	if (call != HOOK_HEARTBEAT) {
		hook->over = true;
		hook->released = false;
	}
	hook->abandoned = call == HOOK_ABANDON;
}

/* AWS takes the call for none of its business, or the role must not make it. */
static void refused(struct life_hook *hook, enum life_call call, int64_t now_ms, int64_t wait_ms)
{
	hook->attempt = 0;
	if (call == HOOK_HEARTBEAT)
		hook->beat_ms = now_ms + wait_ms;
	else
		hook->due_ms = now_ms + wait_ms;
	if (hook_leaves(hook) || call == HOOK_HEARTBEAT)
		return;
	hook->released = true;
	hook->over = call == HOOK_ABANDON;
}

void hook_answer(struct life_hook *hook, enum life_call call, const struct cwatch_answer *answer,
                 int64_t now_ms)
{
	const char *action = call == HOOK_HEARTBEAT ? "RecordLifecycleActionHeartbeat"
	                                            : "CompleteLifecycleAction";

	hook->idle = answer->verdict == CWATCH_BAD_DATUM;
	switch (answer->verdict) {
	case CWATCH_ACCEPTED: accepted(hook, call, now_ms); break;
	case CWATCH_BAD_DATUM:
		str_copy(hook->why, sizeof hook->why, answer->why);
		refused(hook, call, now_ms, HOOK_EARLY_MS);
		if (now_ms - hook->since_ms >= (hook_leaves(hook) ? HOOK_LEAVE_MS : HOOK_LATE_MS))
			give_up(hook);
		if (hook->over)
			hook->why[0] = '\0'; /* it is told once: the group has no hook */
		break;
	case CWATCH_DENIED:
		snprintf(hook->why, sizeof hook->why,
		         "the instance's role must not do autoscaling:%s (%.40s)", action,
		         answer->code);
		refused(hook, call, now_ms, HOOK_DENIED_MS);
		break;
	default:
		snprintf(hook->why, sizeof hook->why, "%s", answer->why);
		/* A heartbeat that fails does not delay CONTINUE. */
		*(call == HOOK_HEARTBEAT ? &hook->beat_ms : &hook->due_ms) =
		        now_ms + clock_backoff(hook->attempt, HOOK_BACKOFF_MS, HOOK_BACKOFF_MAX_MS,
		                               clock_random());
		hook->attempt += hook->attempt < 16;
		break;
	}
}

void hook_body(struct sb *sb, enum life_call call, const char *hook, const char *group,
               const char *instance)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                           "0123456789-_.~";
	const char *const names[] = { "LifecycleHookName", "AutoScalingGroupName", "InstanceId" };
	const char *const values[] = { hook, group, instance };

	sb_printf(sb, "Action=%s&Version=2011-01-01",
	          call == HOOK_HEARTBEAT ? "RecordLifecycleActionHeartbeat"
	                                 : "CompleteLifecycleAction");
	for (int i = 0; i < 3; i++) {
		sb_printf(sb, "&%s=", names[i]);
		for (const char *c = values[i]; *c; c++)
			sb_printf(sb, strchr(safe, *c) ? "%c" : "%%%02X", (unsigned char)*c);
	}
	if (call != HOOK_HEARTBEAT)
		sb_printf(sb, "&LifecycleActionResult=%s",
		          call == HOOK_CONTINUE ? "CONTINUE" : "ABANDON");
}
