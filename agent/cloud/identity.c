/*
 * Run by wna-cloud. Blocks on nothing but the writing of two small files in
 * /run. Owns what is known of this node; what was once known stays, also while
 * the metadata service is away (static stability), until an answer replaces it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "identity_job.h"
#include "log.h"
#include "shape.h"
#include "str.h"

enum {
	REPORT_MS = 10 * 1000, /* all facts again */
	RETRY_FIRST_MS = 2000, /* after an answer that cannot be true */
	JITTER_PERCENT = 20,
	GIVE_UP = 3, /* failures of an item until the others do not wait for it */
};

/* In the order of asking: what the metric waits for comes first. */
static const struct {
	enum fact_id fact;
	const char *path;
} items[ITEM_MAX] = {
	[ITEM_INSTANCE_ID] = { FACT_INSTANCE_ID, "instance-id" },
	[ITEM_REGION] = { FACT_REGION, "placement/region" },
	[ITEM_TARGET_STATE] = { FACT_TARGET_STATE, "autoscaling/target-lifecycle-state" },
	[ITEM_ASG] = { FACT_ASG, "tags/instance/aws:autoscaling:groupName" },
	[ITEM_AZ] = { FACT_AZ, "placement/availability-zone" },
	[ITEM_DOMAIN] = { FACT_DOMAIN, "services/domain" },
	[ITEM_PARTITION] = { FACT_PARTITION, "services/partition" },
	[ITEM_INSTANCE_TYPE] = { FACT_INSTANCE_TYPE, "instance-type" },
	[ITEM_AMI_ID] = { FACT_AMI_ID, "ami-id" },
	[ITEM_PRIVATE_IPV4] = { FACT_PRIVATE_IPV4, "local-ipv4" },
	[ITEM_PUBLIC_IPV4] = { FACT_PUBLIC_IPV4, "public-ipv4" },
	[ITEM_AZ_ID] = { FACT_AZ_ID, "placement/availability-zone-id" },
	[ITEM_LIFE_CYCLE] = { FACT_LIFE_CYCLE, "instance-life-cycle" },
	[ITEM_MAC] = { FACT_NONE, "mac" },
	[ITEM_VPC_ID] = { FACT_VPC_ID, "network/interfaces/macs/*/vpc-id" },
	[ITEM_SUBNET_ID] = { FACT_SUBNET_ID, "network/interfaces/macs/*/subnet-id" },
};

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms);

static void configure_group(struct identity_job *job)
{
	if (job->conf->asg[0] == '\0')
		return;
	facts_set(&job->facts, FACT_ASG, job->conf->asg);
	job->facts.asg_configured = true;
	job->item[ITEM_ASG].due_ms = INT64_MAX;
	job->item[ITEM_ASG].answered = true;
	job->unsaved = true;
}

struct identity_job *identity_new(const struct worker *worker, struct imds *imds,
                                  const char *run_dir, int64_t now_ms)
{
	struct identity_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->worker = worker;
	job->conf = &worker->conf->imds;
	job->imds = imds;
	job->run_dir = run_dir;
	job->ask.done = on_answer;
	job->ask.arg = job;
	job->report_ms = now_ms;
	job->told_state = -1;
	for (int i = 0; i < ITEM_MAX; i++) {
		job->item[i].path = items[i].path;
		job->item[i].due_ms = now_ms;
	}
	identity_remember(job);
	configure_group(job);
	tagwalk_init(&job->walk, imds, &job->facts, job->conf->refresh_ms, now_ms);
	facts_identity(&job->facts, &job->identity);
	return job;
}

void identity_free(struct identity_job *job)
{
	if (job == NULL)
		return;
	imds_withdraw(job->imds, &job->ask);
	imds_withdraw(job->imds, &job->walk.ask);
	free(job);
}

const struct identity *identity_get(const struct identity_job *job)
{
	return &job->identity;
}

/* A remembered file may be another node's (an image made of a running one). */
static void check_instance(struct identity_job *job, const char *id, int64_t now_ms)
{
	const struct facts_text *at = facts_get(&job->facts, FACT_INSTANCE_ID);

	if (at->have != FACTS_PRESENT || strcmp(at->text, id) == 0)
		return;
	log_warning("imds: this is %s and no longer %s: all facts are asked anew", id, at->text);
	memset(&job->facts, 0, sizeof(job->facts));
	job->identity.known = false;
	job->identity.target_state_at_ms = 0;
	job->mac[0] = '\0';
	job->walk.due_ms = now_ms;
	for (int i = 0; i < ITEM_MAX; i++) {
		job->item[i].answered = false;
		job->item[i].failures = 0;
		job->item[i].due_ms = now_ms;
	}
	configure_group(job);
}

/* The tag can go, as when somebody switches tags off in the metadata, while the
 * target state shows that the instance is in its group as before. */
static bool group_stands(const struct identity_job *job)
{
	return facts_get(&job->facts, FACT_ASG)->have == FACTS_PRESENT &&
	       facts_get(&job->facts, FACT_TARGET_STATE)->have == FACTS_PRESENT;
}

static void keep_group(struct identity_job *job)
{
	if (job->item[ITEM_ASG].absences == 0)
		log_warning("imds: the group's tag is gone, the target state is not: still %s",
		            job->identity.asg);
	job->unsaved = job->unsaved || !facts_get(&job->facts, FACT_ASG)->asked;
	facts_at(&job->facts, FACT_ASG)->asked = true;
}

static void take(struct identity_job *job, enum item_id i, const char *text, int64_t now_ms)
{
	enum fact_id id = items[i].fact;

	if (i == ITEM_MAC) {
		str_copy(job->mac, sizeof(job->mac), text != NULL ? text : "");
		return;
	}
	if (i == ITEM_INSTANCE_ID && text != NULL)
		check_instance(job, text, now_ms);
	if (i == ITEM_TARGET_STATE)
		job->identity.target_state_at_ms = now_ms;
	if (i == ITEM_ASG && text == NULL && group_stands(job)) {
		keep_group(job);
		return;
	}
	if (!facts_set(&job->facts, id, text))
		return;
	job->unsaved = true;
	identity_send_text(job, id);
	if (i == ITEM_TARGET_STATE || i == ITEM_ASG)
		log_info("imds: %s is %s", fact_info((uint16_t)id)->name,
		         text != NULL ? text : "absent");
}

static void bad(struct identity_job *job, struct item *item, const char *why, int64_t now_ms)
{
	item->failures++;
	item->due_ms = now_ms + clock_backoff(item->failures - 1, RETRY_FIRST_MS,
	                                      job->conf->refresh_ms, clock_random());
	str_copy(item->why, sizeof(item->why), why);
}

static void good(struct identity_job *job, enum item_id i, bool absent, int64_t now_ms)
{
	struct item *item = &job->item[i];
	int64_t period_ms = i == ITEM_TARGET_STATE ? job->conf->state_ms : job->conf->refresh_ms;

	item->answered = true;
	item->failures = 0;
	item->why[0] = '\0';
	item->absences = absent ? item->absences + 1 : 0;
	/* The group's tag comes some time after boot. */
	item->due_ms =
	        now_ms + (i == ITEM_ASG && absent
	                          ? tagwalk_absent_ms(item->absences, period_ms, clock_random())
	                          : clock_jitter(period_ms, JITTER_PERCENT, clock_random()));
}

static bool item_valid(enum item_id i, const char *text)
{
	return i == ITEM_MAC ? shape_mac(text) : facts_valid(items[i].fact, text);
}

static void ask_next(struct identity_job *job, int64_t now_ms);

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct identity_job *job = arg;
	enum item_id i = job->asked;
	char text[LIMIT_HOST], why[96];

	switch (reply) {
	case IMDS_REPLY_ABSENT:
		take(job, i, NULL, now_ms);
		good(job, i, true, now_ms);
		break;
	case IMDS_REPLY_VALUE:
		if (shape_text(body, len, text, sizeof(text)) && item_valid(i, text)) {
			take(job, i, text, now_ms);
			good(job, i, false, now_ms);
			break;
		}
		snprintf(why, sizeof(why), "%zu bytes that cannot be it", len);
		bad(job, &job->item[i], why, now_ms);
		log_debug("imds: %s: %s", items[i].path, why);
		break;
	case IMDS_REPLY_BAD: bad(job, &job->item[i], body, now_ms); break;
	case IMDS_REPLY_FAILED:
		/* That the service is away is said once and not of every item. */
		job->item[i].due_ms = now_ms;
		break;
	}
	facts_identity(&job->facts, &job->identity);
	ask_next(job, now_ms);
}

static bool askable(const struct identity_job *job, enum item_id i)
{
	return strchr(items[i].path, '*') == NULL || job->mac[0] != '\0';
}

/* One question at a time: the service limits connections and requests. */
static void ask_next(struct identity_job *job, int64_t now_ms)
{
	enum item_id best = ITEM_MAX;

	if (job->ask.waiting)
		return;
	for (int i = 0; i < ITEM_MAX; i++)
		if (job->item[i].due_ms <= now_ms && askable(job, i) &&
		    (best == ITEM_MAX || job->item[i].due_ms < job->item[best].due_ms))
			best = i;
	if (best == ITEM_MAX)
		return;
	const char *path = items[best].path, *star = strchr(path, '*');

	if (star != NULL)
		snprintf(job->ask.path, sizeof(job->ask.path), "/latest/meta-data/%.*s%s%s",
		         (int)(star - path), path, job->mac, star + 1);
	else
		snprintf(job->ask.path, sizeof(job->ask.path), "/latest/meta-data/%s", path);
	job->asked = best;
	imds_ask(job->imds, &job->ask);
}

static bool settled(const struct identity_job *job, enum item_id i)
{
	return job->item[i].answered || job->item[i].failures >= GIVE_UP;
}

/* What the metric stands on. One item that is never answered well does not hold
 * up the others: what is lacking then is said by who needs it. But for the id:
 * whose queue this is must not be guessed. */
static bool enough(const struct identity_job *job)
{
	return job->item[ITEM_INSTANCE_ID].answered && settled(job, ITEM_REGION) &&
	       settled(job, ITEM_TARGET_STATE) && settled(job, ITEM_ASG);
}

void identity_turn(struct identity_job *job, int64_t now_ms)
{
	ask_next(job, now_ms);
	tagwalk_turn(&job->walk, now_ms);
	imds_turn(job->imds, now_ms);
	if (job->walk.changed) {
		job->walk.changed = false;
		job->unsaved = true;
		identity_send_tags(job);
	}
	if (!job->identity.known && enough(job)) {
		job->identity.known = true;
		log_info("imds: this is %s in %s", job->identity.instance_id,
		         job->identity.region[0] != '\0' ? job->identity.region
		                                         : "a region not known yet");
	}
	bool report = now_ms >= job->report_ms;

	if (identity_state_changed(job))
		identity_send_state(job);
	if (report) {
		identity_refresh(job);
		job->report_ms = now_ms + REPORT_MS;
	}
	/* Not once for every answer of a round, nor at every turn to a full disk. */
	bool quiet = !job->ask.waiting && !job->walk.walking && !job->save_failed;

	if (job->unsaved && (quiet || report))
		identity_save(job);
}

int64_t identity_deadline(const struct identity_job *job)
{
	int64_t deadline = job->report_ms;

	for (int i = 0; i < ITEM_MAX && !job->ask.waiting; i++)
		if (job->item[i].due_ms < deadline && askable(job, i))
			deadline = job->item[i].due_ms;
	if (tagwalk_deadline(&job->walk) < deadline)
		deadline = tagwalk_deadline(&job->walk);
	if (imds_deadline(job->imds) < deadline)
		deadline = imds_deadline(job->imds);
	return deadline;
}
