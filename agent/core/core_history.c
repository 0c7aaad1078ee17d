/* wna-core, and the simulator. Never blocks. Owns nothing; the timeline is the core's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "core.h"
#include "log.h"
#include "str.h"

/* syslog(3) */
enum { PRIORITY_ERR = 3, PRIORITY_WARNING = 4, PRIORITY_NOTICE = 5, PRIORITY_INFO = 6 };

void timeline_add(struct timeline *timeline, int64_t wall_ms, const char *what)
{
	struct timeline_entry *entry = &timeline->item[timeline->count % LIMIT_TIMELINE];

	entry->wall_ms = wall_ms;
	str_clean(entry->what, sizeof entry->what, what, strlen(what));
	timeline->count++;
}

unsigned timeline_kept(const struct timeline *timeline)
{
	return timeline->count < LIMIT_TIMELINE ? timeline->count : LIMIT_TIMELINE;
}

const struct timeline_entry *timeline_get(const struct timeline *timeline, unsigned i)
{
	unsigned kept = timeline_kept(timeline);

	if (i >= kept)
		return NULL;
	return &timeline->item[(timeline->count - kept + i) % LIMIT_TIMELINE];
}

static int priority(enum verdict_level to)
{
	switch (to) {
	case LEVEL_FAIL: return PRIORITY_ERR;
	case LEVEL_DRAINING:
	case LEVEL_DEGRADED: return PRIORITY_WARNING;
	case LEVEL_OK: return PRIORITY_NOTICE;
	default: return PRIORITY_INFO;
	}
}

/* `what` went from one level to another; `text` is the line for people. */
static void journal_flip(const char *what, enum verdict_level from, enum verdict_level to,
                         const char *why, const char *text)
{
	char entry[2048];
	struct sb sb;

	sb_init(&sb, entry, sizeof entry);
	log_field(&sb, "MESSAGE_ID", JOURNAL_FLIP_ID);
	log_field(&sb, "WNA_JOB", what);
	log_field(&sb, "WNA_FROM", verdict_level_name(from));
	log_field(&sb, "WNA_TO", verdict_level_name(to));
	log_field(&sb, "WNA_WHY", why);
	log_entry(priority(to), text, &sb);
}

static void journal_database(const char *event, const struct fact *fact, const char *text)
{
	static const char *const times[] = { "IMPACT", "DETECTED", "NAME_CHANGED", "WRITABLE" };
	bool up = strcmp(event, "database-up") == 0;
	char entry[2048], name[40], value[32];
	struct sb sb;

	sb_init(&sb, entry, sizeof entry);
	log_field(&sb, "MESSAGE_ID", JOURNAL_DATABASE_ID);
	log_field(&sb, "WNA_EVENT", event);
	snprintf(value, sizeof value, "%" PRId64, fact->value);
	log_field(&sb, "WNA_NUMBER", value);
	log_field(&sb, "WNA_ADDRESS", fact->text);
	for (int i = 0; up && i <= RDS_UP_WRITABLE_MS; i++) {
		if (fact->more[i] < 0)
			continue;
		snprintf(name, sizeof name, "WNA_%s_UNIX_MS", times[i]);
		snprintf(value, sizeof value, "%" PRId64, fact->more[i]);
		log_field(&sb, name, value);
	}
	log_entry(up ? PRIORITY_NOTICE : PRIORITY_WARNING, text, &sb);
}

/* When a level changes: one entry of the journal, and one line of the timeline. */
static bool note_level(struct core *core, struct core_since *since, const char *kind,
                       const char *name, enum verdict_level level, const char *why, int64_t now_ms,
                       int64_t wall_ms)
{
	char text[TIMELINE_TEXT], what[LIMIT_NAME + 8], span[32];

	if (since->level == level)
		return false;
	snprintf(what, sizeof what, "%s%.*s", kind, LIMIT_NAME - 1, name);
	snprintf(text, sizeof text, "%s: %s -> %s after %s%s%.*s", what,
	         verdict_level_name(since->level), verdict_level_name(level),
	         clock_span(now_ms - since->at_ms, span, sizeof span), why[0] ? ": " : "",
	         (int)sizeof text - LIMIT_NAME - 64, why);
	journal_flip(what, since->level, level, why, text);
	*since = (struct core_since){ .level = level, .at_ms = now_ms, .wall_ms = wall_ms };
	timeline_add(&core->timeline, wall_ms, text);
	return true;
}

bool history_verdict(struct core *core, int64_t now_ms, int64_t wall_ms)
{
	const struct verdict *verdict = &core->verdict;
	const struct conf_checks *checks = &core->state.conf->checks;
	bool changed;

	for (int i = 0; i < checks->count; i++)
		note_level(core, &core->check[i], "check ", checks->item[i].name,
		           verdict->check[i].level, verdict->check[i].why, now_ms, wall_ms);
	for (int i = 0; i < JOB_MAX; i++) {
		const struct finding *job = &verdict->job[i];

		if (i != JOB_CHECKS)
			note_level(core, &core->job[i], "", job_name(i), job->level, job->why,
			           now_ms, wall_ms);
		else if (core->job[i].level != job->level) /* each check has its own line */
			core->job[i] = (struct core_since){ job->level, now_ms, wall_ms };
	}
	changed = note_level(core, &core->health, "", "healthz", verdict->health, verdict->why,
	                     now_ms, wall_ms);
	return note_level(core, &core->ready, "", "readyz", verdict->ready, verdict->why, now_ms,
	                  wall_ms) ||
	       changed;
}

/* Whether the bare directory is guarded, why not, and what lies hidden in it. */
static void note_guard(char *text, size_t size, const struct fact *before, const struct fact *after)
{
	bool bad = after->value == 0 || after->why[0];

	if (before->seen ? before->value == after->value && strcmp(before->why, after->why) == 0
	                 : !bad)
		return;
	snprintf(text, size, "mount: the bare directory is %s%s%s",
	         after->value ? "guarded" : "not guarded", after->why[0] ? ": " : "", after->why);
}

/* The keeper's child that survived SIGKILL; NULL if there is no such child. */
static const char *stuck_child(const struct fact *mount)
{
	switch (mount->more[MOUNT_DOING]) {
	case MOUNT_HELPER_STUCK: return "the mount operation";
	case MOUNT_PROBE_STUCK: return "wna-probe";
	default: return NULL;
	}
}

/* What is stuck, and what the right mount covers. The verdict's changes tell the state itself. */
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

/* Why no connection can be ended, and what was ended. */
static void note_sockets(char *text, size_t size, const struct fact *before,
                         const struct fact *after)
{
	if (after->why[0] && strcmp(before->why, after->why) != 0)
		snprintf(text, size, "sockets: %s", after->why);
	else if (before->seen && before->value < after->value)
		snprintf(text, size, "sockets: ended %s", after->text);
}

/* `words` stand before the address. */
static void note_database(char *text, size_t size, const char *event, const char *words,
                          const struct fact *before, const struct fact *after)
{
	/* 0: wna-rds counts anew. */
	if (after->value == 0 || !before->seen || before->value == after->value)
		return;
	snprintf(text, size, "%s%.*s%s%.*s", words, LIMIT_FACT_TEXT, after->text,
	         after->why[0] ? ", " : "", LIMIT_FACT_WHY - 32, after->why);
	journal_database(event, after, text);
}

/* A hung mount and its repair. That it is slow, or mounted, is no event. */
static void note_service(char *text, size_t size, const struct fact *before,
                         const struct fact *after)
{
	if (after->text[0] && strcmp(before->text, after->text) != 0)
		snprintf(text, size, "mount: %s", after->text);
	else if (after->value >= SERVICE_HUNG &&
	         (before->value < SERVICE_HUNG ||
	          before->more[SERVICE_CAUSE] != after->more[SERVICE_CAUSE]))
		snprintf(text, size, "mount: hung: %s", after->why);
}

/* A start or a wait for the jobs is in the verdict's changes already. */
static void note_lifecycle(char *text, size_t size, const struct fact *before,
                           const struct fact *after)
{
	bool drains = before->value >= LIFE_DRAINING || after->value >= LIFE_DRAINING;

	if (before->seen ? before->value != after->value && drains : drains)
		snprintf(text, size, "lifecycle: %s%s%s%s%s",
		         before->seen ? life_state_name(before->value) : "",
		         before->seen ? " -> " : "", life_state_name(after->value),
		         after->why[0] ? ": " : "", after->why);
}

void history_fact(struct timeline *timeline, enum fact_id id, const struct fact *before,
                  const struct fact *after, int64_t wall_ms)
{
	char text[TIMELINE_TEXT] = "";

	switch (id) {
	case FACT_MOUNT: note_mount(text, sizeof text, before, after); break;
	case FACT_MOUNT_GUARD: note_guard(text, sizeof text, before, after); break;
	case FACT_MOUNT_SERVICE: note_service(text, sizeof text, before, after); break;
	case FACT_RDS_CHANGE:
		note_database(text, sizeof text, "database-moved", "database: ", before, after);
		break;
	case FACT_RDS_DOWN:
		note_database(text, sizeof text, "database-down", "database: no answer from ",
		              before, after);
		break;
	case FACT_RDS_UP:
		note_database(text, sizeof text, "database-up", "database: writable at ", before,
		              after);
		break;
	case FACT_TARGET_STATE:
		if (before->seen && strcmp(before->text, after->text) != 0)
			snprintf(text, sizeof text, "identity: target state %s -> %s",
			         before->text[0] ? before->text : "unknown",
			         after->text[0] ? after->text : "unknown");
		break;
	case FACT_LIFECYCLE: note_lifecycle(text, sizeof text, before, after); break;
	case FACT_HOOK:
		/* With the same instant it is the same run, said again after a reconnect. */
		if (!before->seen || before->at_ms != after->at_ms)
			snprintf(text, sizeof text, "hook: %.*s: %.*s", LIMIT_FACT_TEXT,
			         after->text, 140,
			         after->why[0]       ? after->why
			         : after->value == 0 ? "done"
			                             : "failed");
		break;
	case FACT_SOCKETS: note_sockets(text, sizeof text, before, after); break;
	default: break;
	}
	if (text[0])
		timeline_add(timeline, wall_ms, text);
}
