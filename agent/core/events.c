/*
 * wna-core, and the simulator. Never blocks. Owns nothing. Does not log: wnad
 * and the workers have logged their own doings, and the rest is the caller's.
 */
#include "events.h"

#include <stdio.h>
#include <string.h>

/* One-shots come and go; only their bad ends are news. */
static void note_child(char *text, size_t size, unsigned slot, const struct fact *before,
                       const struct fact *after)
{
	if (after->value == CHILD_STUCK && (!before->seen || before->value != CHILD_STUCK))
		snprintf(text, size, "wna-%s: stuck, survived SIGKILL", role_name(slot));
	else if (before->seen && before->value == CHILD_STUCK && after->value != CHILD_STUCK)
		snprintf(text, size, "wna-%s: no longer stuck", role_name(slot));
	else if (after->value == CHILD_BACKOFF && before->value != CHILD_BACKOFF)
		snprintf(text, size, "wna-%s: %s", role_name(slot),
		         after->why[0] ? after->why : "ended");
}

static void note_conf(char *text, size_t size, const struct fact *before, const struct fact *after)
{
	if (after->why[0] && strcmp(before->why, after->why) != 0)
		snprintf(text, size, "configuration: refused, the old one stays: %s", after->why);
	else if (before->seen && after->value > before->value)
		snprintf(text, size, "configuration: loaded again");
}

/* The bare directory: what it refuses, or why not, and what lies hidden in it. */
static void note_guard(char *text, size_t size, const struct fact *before, const struct fact *after)
{
	bool bad = after->value == 0 || after->why[0];

	if (before->seen ? before->value == after->value && strcmp(before->why, after->why) == 0
	                 : !bad)
		return;
	snprintf(text, size, "mount: the bare directory is %s%s%s",
	         after->value ? "guarded" : "not guarded", after->why[0] ? ": " : "", after->why);
}

/* Beside the state, which is the verdict's to tell: what the right one covers. */
static void note_mount(char *text, size_t size, const struct fact *before, const struct fact *after)
{
	if (after->value == MOUNT_RIGHT && after->why[0] && strcmp(before->why, after->why) != 0)
		snprintf(text, size, "mount: %s", after->why);
}

bool events_note(struct timeline *timeline, enum fact_id id, unsigned slot,
                 const struct fact *before, const struct fact *after, int64_t wall_ms)
{
	char text[TIMELINE_TEXT] = "";

	switch (id) {
	case FACT_CHILD: note_child(text, sizeof text, slot, before, after); break;
	case FACT_MOUNT: note_mount(text, sizeof text, before, after); break;
	case FACT_MOUNT_GUARD: note_guard(text, sizeof text, before, after); break;
	case FACT_CONF: note_conf(text, sizeof text, before, after); break;
	case FACT_RDS_CHANGE:
		if (after->value > 0 && before->seen && before->value != after->value)
			snprintf(text, sizeof text, "database: %.*s%s%.*s", LIMIT_FACT_TEXT,
			         after->text, after->why[0] ? ", " : "",
			         (int)sizeof text - LIMIT_FACT_TEXT - 16, after->why);
		break;
	case FACT_TARGET_STATE:
		if (before->seen && strcmp(before->text, after->text) != 0)
			snprintf(text, sizeof text, "identity: target state %s -> %s",
			         before->text[0] ? before->text : "unknown",
			         after->text[0] ? after->text : "unknown");
		break;
	case FACT_HOOK:
		snprintf(text, sizeof text, "hook: %.*s: %.*s", LIMIT_FACT_TEXT, after->text, 140,
		         after->why[0]       ? after->why
		         : after->value == 0 ? "done"
		                             : "failed");
		break;
	default: break;
	}
	if (!text[0])
		return false;
	timeline_add(timeline, wall_ms, text);
	return id == FACT_MOUNT || id == FACT_MOUNT_GUARD;
}
