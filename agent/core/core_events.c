/*
 * wna-core, and the simulator. Never blocks. Owns nothing. Does not log: the
 * finders log their own doings.
 */
#include "core_events.h"

#include <stdio.h>
#include <string.h>

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

/* What of the keeper's children survived SIGKILL; NULL: neither has. */
static const char *stuck_child(const struct fact *mount)
{
	switch (mount->more[MOUNT_DOING]) {
	case MOUNT_HELPER_STUCK: return "the mount operation";
	case MOUNT_PROBE_STUCK: return "wna-probe";
	default: return NULL;
	}
}

/* Beside the state, which is the verdict's to tell: what is stuck, and what the right one
 * covers. */
static void note_mount(char *text, size_t size, const struct fact *before, const struct fact *after)
{
	const char *was = stuck_child(before), *is = stuck_child(after);

	if (is && !was)
		snprintf(text, size, "mount: %s: stuck, survived SIGKILL", is);
	else if (was && !is)
		snprintf(text, size, "mount: %s: no longer stuck", was);
	else if (after->value == MOUNT_RIGHT && after->why[0] && after->more[MOUNT_SIGN] >= 0 &&
	         strcmp(before->why, after->why) != 0)
		snprintf(text, size, "mount: %s", after->why);
}

void events_note(struct timeline *timeline, enum fact_id id, const struct fact *before,
                 const struct fact *after, int64_t wall_ms)
{
	char text[TIMELINE_TEXT] = "";

	switch (id) {
	case FACT_MOUNT: note_mount(text, sizeof text, before, after); break;
	case FACT_MOUNT_GUARD: note_guard(text, sizeof text, before, after); break;
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
		/* Said again after a reconnect, it is the same run. */
		if (!before->seen || before->at_ms != after->at_ms)
			snprintf(text, sizeof text, "hook: %.*s: %.*s", LIMIT_FACT_TEXT,
			         after->text, 140,
			         after->why[0]       ? after->why
			         : after->value == 0 ? "done"
			                             : "failed");
		break;
	default: break;
	}
	if (text[0])
		timeline_add(timeline, wall_ms, text);
}
