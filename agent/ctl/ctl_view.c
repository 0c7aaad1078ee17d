/*
 * Run by wnactl. Blocks on nothing. Owns the JSON tree while it reads it.
 */
#include "ctl.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "str.h"

/* The place in the tree that is read, and the first complaint. */
struct reader {
	char *why;
	size_t why_size;
	bool bad;
	char at[64]; /* "jobs[1]." */
};

static void complain(struct reader *reader, const char *key, const char *expected)
{
	if (!reader->bad)
		snprintf(reader->why, reader->why_size, "%s%s: expected %s", reader->at, key,
		         expected);
	reader->bad = true;
}

/* NULL if absent, which only matters when it is needed. */
static const cJSON *member(struct reader *reader, const cJSON *object, const char *key, bool needed)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (item == NULL && needed)
		complain(reader, key, "to be there");
	return item;
}

static void take_text(struct reader *reader, const cJSON *object, const char *key, bool needed,
                      char *ret, size_t size)
{
	const cJSON *item = member(reader, object, key, needed);

	if (item == NULL)
		return;
	if (!cJSON_IsString(item))
		complain(reader, key, "a text");
	else
		str_clean(ret, size, item->valuestring, strlen(item->valuestring));
}

static bool is_integer(const cJSON *item)
{
	/* Beyond 2^53 a double is no integer any more; NaN fails both. */
	return cJSON_IsNumber(item) && item->valuedouble >= -9007199254740992.0 &&
	       item->valuedouble <= 9007199254740992.0 &&
	       (double)(int64_t)item->valuedouble == item->valuedouble;
}

static void take_integer(struct reader *reader, const cJSON *object, const char *key, bool needed,
                         int64_t *ret)
{
	const cJSON *item = member(reader, object, key, needed);

	if (item == NULL)
		return;
	if (!is_integer(item))
		complain(reader, key, "an integer");
	else
		*ret = (int64_t)item->valuedouble;
}

static void take_level(struct reader *reader, const cJSON *object, enum verdict_level *ret)
{
	char text[16] = "";

	take_text(reader, object, "level", true, text, sizeof text);
	for (int level = 0; level < LEVEL_MAX; level++) {
		if (strcmp(text, verdict_level_name(level)) == 0) {
			*ret = (enum verdict_level)level;
			return;
		}
	}
	complain(reader, "level", "off, waiting, ok, degraded or fail");
}

/* "2026-11-23T08:15:30Z" as Unix ms; false if it is anything else. */
static bool parse_time(const char *text, int64_t *ret_ms)
{
	struct tm tm = { .tm_sec = 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t t;

	if (end == NULL || *end != '\0')
		return false;
	t = timegm(&tm);
	if (t < 0)
		return false;
	*ret_ms = (int64_t)t * 1000;
	return true;
}

static void take_time(struct reader *reader, const cJSON *object, const char *key, int64_t *ret)
{
	char text[32] = "";

	take_text(reader, object, key, false, text, sizeof text);
	if (text[0] != '\0' && !parse_time(text, ret))
		complain(reader, key, "a time like 2026-11-23T08:15:30Z");
}

static void take_page(struct reader *reader, const cJSON *root, const char *key,
                      struct view_page *ret)
{
	const cJSON *page = member(reader, root, key, true);
	int64_t code = 0;

	snprintf(reader->at, sizeof reader->at, "%s.", key);
	take_integer(reader, page, "code", true, &code);
	if (code < 100 || code > 599)
		complain(reader, "code", "an HTTP status");
	else
		ret->code = (int)code;
	take_level(reader, page, &ret->level);
	take_time(reader, page, "since", &ret->since_ms);
	take_text(reader, page, "why", false, ret->why, sizeof ret->why);
	take_text(reader, page, "do", false, ret->todo, sizeof ret->todo);
	reader->at[0] = '\0';
}

static void take_job(struct reader *reader, const cJSON *item, struct view *ret, int i)
{
	struct view_job *job = &ret->job[i];

	take_text(reader, item, "name", true, job->name, sizeof job->name);
	take_level(reader, item, &job->level);
	take_time(reader, item, "since", &job->since_ms);
	take_text(reader, item, "what", false, job->what, sizeof job->what);
	take_text(reader, item, "why", false, job->why, sizeof job->why);
	take_text(reader, item, "reason", false, job->reason, sizeof job->reason);
	take_text(reader, item, "do", false, job->todo, sizeof job->todo);
	take_text(reader, item, "next", false, job->next, sizeof job->next);
}

static void take_check(struct reader *reader, const cJSON *item, struct view *ret, int i)
{
	struct view_check *check = &ret->check[i];

	check->last_us = -1;
	take_text(reader, item, "name", true, check->name, sizeof check->name);
	take_text(reader, item, "type", false, check->type, sizeof check->type);
	take_text(reader, item, "scope", false, check->scope, sizeof check->scope);
	take_level(reader, item, &check->level);
	take_time(reader, item, "since", &check->since_ms);
	take_text(reader, item, "what", false, check->what, sizeof check->what);
	take_text(reader, item, "next", false, check->next, sizeof check->next);
	take_integer(reader, item, "last_us", false, &check->last_us);
	take_text(reader, item, "why", false, check->why, sizeof check->why);
	take_text(reader, item, "reason", false, check->reason, sizeof check->reason);
	take_text(reader, item, "do", false, check->todo, sizeof check->todo);
}

static void take_process(struct reader *reader, const cJSON *item, struct view *ret, int i)
{
	struct view_process *process = &ret->process[i];

	take_text(reader, item, "role", true, process->role, sizeof process->role);
	take_text(reader, item, "state", true, process->state, sizeof process->state);
	take_time(reader, item, "since", &process->since_ms);
	take_text(reader, item, "what", false, process->what, sizeof process->what);
	take_text(reader, item, "why", false, process->why, sizeof process->why);
	take_text(reader, item, "reason", false, process->reason, sizeof process->reason);
	take_text(reader, item, "do", false, process->todo, sizeof process->todo);
}

static void take_event(struct reader *reader, const cJSON *item, struct view *ret, int i)
{
	take_time(reader, item, "at", &ret->event[i].at_ms);
	take_text(reader, item, "what", true, ret->event[i].what, sizeof ret->event[i].what);
}

/* Entries past `max` are passed over; a newer agent may have more of them. */
static void take_array(struct reader *reader, const cJSON *root, const char *key, bool needed,
                       int max, void (*take)(struct reader *, const cJSON *, struct view *, int),
                       struct view *ret, int *ret_count)
{
	const cJSON *array = member(reader, root, key, needed);
	const cJSON *item;
	int count = 0;

	if (array != NULL && !cJSON_IsArray(array))
		complain(reader, key, "an array");
	if (!cJSON_IsArray(array))
		return;
	cJSON_ArrayForEach(item, array)
	{
		if (count == max)
			break;
		snprintf(reader->at, sizeof reader->at, "%s[%d].", key, count);
		if (cJSON_IsObject(item))
			take(reader, item, ret, count++);
		else
			complain(reader, "", "an object");
	}
	reader->at[0] = '\0';
	*ret_count = count;
}

static void take_counters(struct reader *reader, const cJSON *root, struct view *ret)
{
	const cJSON *counters = member(reader, root, "counters", false);
	const cJSON *item;

	cJSON_ArrayForEach(item, counters)
	{
		struct view_counter *counter = &ret->counter[ret->counters];

		if (ret->counters == VIEW_COUNTERS)
			break;
		if (item->string == NULL || !is_integer(item))
			continue; /* a kind of counter that is not known yet */
		str_clean(counter->name, sizeof counter->name, item->string, strlen(item->string));
		counter->value = (int64_t)item->valuedouble;
		ret->counters++;
	}
}

static void take_service(struct reader *reader, const cJSON *fact, struct view_service *ret)
{
	const cJSON *more;
	int64_t value = -1;

	ret->state = SERVICE_STATE_MAX;
	if (fact == NULL)
		return;
	snprintf(reader->at, sizeof reader->at, "facts.mount-service.");
	take_integer(reader, fact, "value", true, &value);
	take_time(reader, fact, "since", &ret->since_ms);
	take_text(reader, fact, "text", false, ret->last, sizeof ret->last);
	take_text(reader, fact, "why", false, ret->why, sizeof ret->why);
	more = member(reader, fact, "more", true);
	if (value < 0 || value >= SERVICE_STATE_MAX || cJSON_GetArraySize(more) != HUB_MORE) {
		complain(reader, "value", "a state of a mount");
		return;
	}
	ret->state = (enum service_state)value;
	ret->cause = (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(more, SERVICE_CAUSE));
	ret->tries = (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(more, SERVICE_TRIES));
	ret->repairs = (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(more, SERVICE_REPAIRS));
}

static void take_life(struct reader *reader, const cJSON *life, struct view_life *ret)
{
	char state[32] = "";

	ret->state = LIFE_STATE_MAX;
	if (life == NULL)
		return;
	snprintf(reader->at, sizeof reader->at, "lifecycle.");
	take_text(reader, life, "state", true, state, sizeof state);
	take_time(reader, life, "since", &ret->since_ms);
	take_text(reader, life, "why", false, ret->why, sizeof ret->why);
	take_text(reader, life, "next", false, ret->next, sizeof ret->next);
	for (int i = 0; i < LIFE_STATE_MAX; i++)
		if (strcmp(state, life_state_name(i)) == 0)
			ret->state = (enum life_state)i;
	reader->at[0] = '\0';
}

static void take_root(struct reader *reader, const cJSON *root, struct view *ret)
{
	const cJSON *config, *facts, *sent;

	take_text(reader, root, "version", false, ret->version, sizeof ret->version);
	take_time(reader, root, "started", &ret->started_ms);
	take_time(reader, root, "now", &ret->now_ms);
	take_page(reader, root, "healthz", &ret->healthz);
	take_page(reader, root, "readyz", &ret->readyz);
	take_life(reader, member(reader, root, "lifecycle", false), &ret->life);
	take_array(reader, root, "jobs", true, VIEW_JOBS, take_job, ret, &ret->jobs);
	take_array(reader, root, "checks", false, LIMIT_CHECKS, take_check, ret, &ret->checks);
	take_array(reader, root, "processes", false, VIEW_PROCESSES, take_process, ret,
	           &ret->processes);
	take_array(reader, root, "timeline", false, LIMIT_TIMELINE, take_event, ret, &ret->events);
	take_counters(reader, root, ret);

	config = member(reader, root, "config", true);
	snprintf(reader->at, sizeof reader->at, "config.");
	take_time(reader, config, "loaded", &ret->loaded_ms);
	take_text(reader, config, "error", false, ret->error, sizeof ret->error);

	ret->push_sent = -1;
	facts = member(reader, root, "facts", false);
	take_service(reader, cJSON_GetObjectItemCaseSensitive(facts, "mount-service"),
	             &ret->service);
	sent = cJSON_GetObjectItemCaseSensitive(facts, "push-sent");
	snprintf(reader->at, sizeof reader->at, "facts.push-sent.");
	if (sent != NULL)
		take_integer(reader, sent, "value", true, &ret->push_sent);
}

/* The whole text must be one JSON object, and nothing after it. */
static cJSON *parse(const char *text, size_t len)
{
	const char *end = NULL;
	cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, 0);

	if (root == NULL)
		return NULL;
	while (end < text + len && (*end == '\n' || *end == ' ' || *end == '\r' || *end == '\t'))
		end++;
	if (end == text + len && cJSON_IsObject(root))
		return root;
	cJSON_Delete(root);
	return NULL;
}

int view_parse(const char *text, size_t len, struct view *ret, char *why, size_t why_size)
{
	struct reader reader = { .why = why, .why_size = why_size };
	struct view *view = NULL;
	cJSON *root;
	int r = -EBADMSG;

	root = parse(text, len);
	if (root == NULL) {
		snprintf(why, why_size, "not a JSON object");
		return r;
	}
	view = calloc(1, sizeof *view);
	if (view == NULL) {
		r = -ENOMEM;
		goto out;
	}
	why[0] = '\0';
	take_root(&reader, root, view);
	if (reader.bad)
		goto out;
	*ret = *view;
	r = 0;
out:
	free(view);
	cJSON_Delete(root);
	return r;
}

const struct view_job *view_job(const struct view *view, const char *name)
{
	for (int i = 0; i < view->jobs; i++)
		if (strcmp(view->job[i].name, name) == 0)
			return &view->job[i];
	return NULL;
}
