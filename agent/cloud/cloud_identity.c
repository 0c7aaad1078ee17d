/*
 * Run by wna-cloud. Blocks on nothing but the writing of two small files in /run. Owns the facts of
 * this node, and keeps them while the metadata service is away (static stability).
 */
#include "cloud_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define META "/latest/meta-data/"

enum {
	REPORT_MS = 10 * 1000, /* all facts again */
	GIVE_UP = 3,           /* failures of an item; then others do not wait for it */
};

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms);

static const char *text_of(const struct facts *facts, enum fact_id id)
{
	const struct facts_item *item = FACTS_AT(facts, id);

	return item->have == FACTS_UNKNOWN ? NULL : item->text;
}

static void update(struct identity_job *job)
{
	const struct facts *facts = &job->facts;

	job->identity.instance_id = text_of(facts, FACT_INSTANCE_ID);
	job->identity.region = text_of(facts, FACT_REGION);
	job->identity.domain = text_of(facts, FACT_DOMAIN);
	job->identity.asg = text_of(facts, FACT_ASG);
	job->identity.target_state = text_of(facts, FACT_TARGET_STATE);
	job->identity.spot_action = text_of(facts, FACT_SPOT_ACTION);
	job->identity.rebalance = text_of(facts, FACT_REBALANCE);
	job->identity.scheduled = text_of(facts, FACT_SCHEDULED);
}

struct identity_job *identity_new(const struct worker *worker, struct imds *imds, int64_t now_ms)
{
	struct identity_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->worker = worker;
	job->conf = &worker->conf->imds;
	job->imds = imds;
	job->ask.done = on_answer;
	job->ask.arg = job;
	job->report_ms = now_ms;
	job->sent_state = -1;
	if (job->conf->asg[0])
		facts_set(&job->facts, FACT_ASG, job->conf->asg);
	identity_retry(job, now_ms);
	update(job);
	return job;
}

void identity_retry(struct identity_job *job, int64_t now_ms)
{
	for (int id = FACTS_FIRST; id <= FACTS_TAGS; id++)
		FACTS_AT(&job->facts, id)->due_ms = now_ms;
	if (job->conf->asg[0])
		FACTS_AT(&job->facts, FACT_ASG)->due_ms = INT64_MAX;
}

void identity_free(struct identity_job *job)
{
	if (!job)
		return;
	imds_withdraw(job->imds, &job->ask);
	free(job);
}

const struct identity *identity_get(const struct identity_job *job)
{
	return &job->identity;
}

/* The group's tag also disappears when tags in the metadata are switched off. The instance is still
 * in its group if it has a target state. True if the group stays. */
static bool keep_group(struct identity_job *job)
{
	struct facts_item *asg = FACTS_AT(&job->facts, FACT_ASG);

	if (asg->have != FACTS_PRESENT ||
	    FACTS_AT(&job->facts, FACT_TARGET_STATE)->have != FACTS_PRESENT)
		return false;
	if (asg->absences == 0)
		log_warning("imds: the group's tag is gone, but there is a target state: still %s",
		            asg->text);
	return true;
}

static void take(struct identity_job *job, int id, const char *text)
{
	if (id == FACT_ASG && !text && keep_group(job))
		return;
	if (!facts_set(&job->facts, id, text) || id == FACTS_MAC)
		return;
	job->unsaved = true;
	identity_send_text(job, id);
	if (id == FACT_TARGET_STATE || id == FACT_ASG || (notice_is(id) && text))
		log_info("imds: %s is %s", fact_info((uint16_t)id)->name, text ? text : "absent");
}

static void good(struct identity_job *job, int id, bool absent, int64_t now_ms)
{
	bool urgent = id == FACT_TARGET_STATE || id == FACT_SPOT_ACTION || id == FACT_REBALANCE;

	facts_good(FACTS_AT(&job->facts, id), absent, id == FACT_ASG || id == FACTS_TAGS,
	           urgent ? job->conf->state_ms : job->conf->refresh_ms, now_ms);
}

static bool askable(const struct identity_job *job, int id)
{
	const struct conf_life *life = &job->worker->conf->life;

	if (id == FACT_SPOT_ACTION || id == FACT_REBALANCE)
		return strcmp(FACTS_AT(&job->facts, FACT_INSTANCE_LIFE_CYCLE)->text, "spot") == 0;
	if (id == FACT_SCHEDULED)
		return life->launch_hook[0] || life->terminate_hook[0];
	return !strchr(facts_path(id), '*') || FACTS_AT(&job->facts, FACTS_MAC)->text[0];
}

/* The item that is due first, and when. */
static int due_first(const struct identity_job *job, int64_t *ret_due_ms)
{
	int first = FACTS_FIRST;

	*ret_due_ms = INT64_MAX;
	for (int id = FACTS_FIRST; id <= FACTS_TAGS; id++) {
		if (FACTS_AT(&job->facts, id)->due_ms < *ret_due_ms && askable(job, id)) {
			*ret_due_ms = FACTS_AT(&job->facts, id)->due_ms;
			first = id;
		}
	}
	return first;
}

/* One question at a time: the service limits connections and requests. */
static void ask_next(struct identity_job *job, int64_t now_ms)
{
	const char *path, *star;
	int64_t due_ms;
	int id = due_first(job, &due_ms);

	if (job->ask.waiting || due_ms > now_ms)
		return;
	path = facts_path(id);
	star = strchr(path, '*');
	if (star)
		snprintf(job->ask.path, sizeof job->ask.path, META "%.*s%s%s", (int)(star - path),
		         path, FACTS_AT(&job->facts, FACTS_MAC)->text, star + 1);
	else
		snprintf(job->ask.path, sizeof job->ask.path, META "%s", path);
	job->asked = id;
	if (id == FACTS_TAGS)
		tagwalk_begin(&job->walk);
	imds_ask(job->imds, &job->ask);
}

static void bad(struct identity_job *job, const char *why, int64_t now_ms)
{
	facts_bad(FACTS_AT(&job->facts, job->asked), why, job->conf->refresh_ms, now_ms);
	log_debug("imds: %s: %s", facts_path(job->asked), why);
}

/*
 * An outage of the service is reported once, not for each item. Whether the failure is this item's
 * own is found out by the instance id, which is asked for next: after an answer to that, the next
 * failure counts.
 */
static void failed(struct identity_job *job, int64_t now_ms)
{
	if (job->answered)
		bad(job, "no answer", now_ms);
	else
		FACTS_AT(&job->facts, job->asked)->due_ms = now_ms;
	job->answered = false;
	if (job->identity.instance_id)
		FACTS_AT(&job->facts, FACT_INSTANCE_ID)->due_ms = now_ms;
}

static void take_tags(struct identity_job *job, enum facts_have have, int64_t now_ms)
{
	struct facts_item *item = FACTS_AT(&job->facts, FACTS_TAGS);
	const struct tags *tags = &job->walk.tags;

	good(job, FACTS_TAGS, have == FACTS_ABSENT, now_ms);
	if (have == item->have && strcmp(job->facts.tags.json, tags->json) == 0)
		return;
	if (tags->left_out > 0)
		log_info("imds: %d tags left out: too many, too long or not allowed",
		         tags->left_out);
	job->facts.tags = *tags;
	item->have = have;
	job->unsaved = true;
	identity_send_tags(job);
}

/* `body` is NULL if the service has no such thing. */
static void take_tag_answer(struct identity_job *job, const char *body, size_t len, int64_t now_ms)
{
	if (!body && !job->walk.key) {
		take_tags(job, FACTS_ABSENT, now_ms);
		return;
	}
	switch (tagwalk_take(&job->walk, body, len)) {
	case TAGWALK_ASK:
		/* ':' and '=' need no escapes in a path, and the service accepts none. */
		snprintf(job->ask.path, sizeof job->ask.path, META "tags/instance/%s",
		         job->walk.key);
		imds_ask(job->imds, &job->ask);
		break;
	case TAGWALK_END: take_tags(job, FACTS_PRESENT, now_ms); break;
	case TAGWALK_BAD: bad(job, "the answer is not a list of keys", now_ms); break;
	}
}

static bool is_beyond_ascii(const char *body, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)body[i] > '~')
			return str_is_clean(body, len);
	return false;
}

static void take_answer(struct identity_job *job, const char *body, size_t len, int64_t now_ms)
{
	char text[LIMIT_HOST], notice[LIMIT_HOST], why[96];
	int r;

	if (body && notice_is(job->asked)) {
		r = notice_read(job->asked, body, len, notice, sizeof notice);
		if (r >= 0) {
			body = r > 0 ? notice : NULL;
			len = strlen(notice);
		}
	}
	if (job->asked == FACTS_TAGS) {
		take_tag_answer(job, body, len, now_ms);
	} else if (!body) {
		take(job, job->asked, NULL);
		good(job, job->asked, true, now_ms);
	} else if (shape_text(body, len, text, sizeof text) && facts_valid(job->asked, text)) {
		take(job, job->asked, text);
		good(job, job->asked, false, now_ms);
	} else {
		/* EC2 Auto Scaling takes such a name, and CloudWatch no such dimension. */
		if (job->asked == FACT_ASG && is_beyond_ascii(body, len))
			snprintf(why, sizeof why, "the group's name is outside ASCII");
		else
			snprintf(why, sizeof why, "%zu bytes that are not a valid value", len);
		bad(job, why, now_ms);
	}
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct identity_job *job = arg;

	job->answered |= reply != IMDS_REPLY_FAILED && job->identity.instance_id;
	switch (reply) {
	case IMDS_REPLY_ABSENT: take_answer(job, NULL, 0, now_ms); break;
	case IMDS_REPLY_VALUE: take_answer(job, body, len, now_ms); break;
	case IMDS_REPLY_BAD: bad(job, body, now_ms); break;
	case IMDS_REPLY_FAILED: failed(job, now_ms); break;
	}
	update(job);
	ask_next(job, now_ms);
}

static bool settled(const struct identity_job *job, enum fact_id id)
{
	const struct facts_item *item = FACTS_AT(&job->facts, id);

	return item->have != FACTS_UNKNOWN || item->failures >= GIVE_UP;
}

/* Whether the facts that the metric needs are there. An item without a good answer does not delay
 * the others for long; the gate reports what is missing. Without an instance id the queue has no
 * owner. */
static bool enough(const struct identity_job *job)
{
	return job->identity.instance_id && settled(job, FACT_REGION) &&
	       settled(job, FACT_TARGET_STATE) && settled(job, FACT_ASG);
}

int64_t identity_turn(struct identity_job *job, int64_t now_ms)
{
	bool report = now_ms >= job->report_ms, quiet;
	int64_t due_ms = INT64_MAX;

	ask_next(job, now_ms);
	imds_turn(job->imds, now_ms);
	if (!job->identity.known && enough(job)) {
		job->identity.known = true;
		log_info("imds: this is %s in %s", FACTS_AT(&job->facts, FACT_INSTANCE_ID)->text,
		         FACTS_AT(&job->facts, FACT_REGION)->text[0]
		                 ? FACTS_AT(&job->facts, FACT_REGION)->text
		                 : "a region not known yet");
	}
	identity_send_state(job, false);
	if (report) {
		identity_refresh(job);
		job->report_ms = now_ms + REPORT_MS;
	}
	/* Not after each answer of a round, and not each turn while the disk is full. A new
	 * process leaves the files of the former one alone until it knows as much. */
	quiet = !job->ask.waiting && !job->save_failed;
	if (job->unsaved && job->identity.known && (quiet || report))
		identity_save(job);
	if (!job->ask.waiting)
		due_first(job, &due_ms);
	return earlier(earlier(due_ms, job->report_ms), imds_deadline(job->imds));
}
