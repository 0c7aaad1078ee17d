/*
 * Run by wna-cloud: tells the core and the node's other programs who this is.
 * Blocks on nothing but two small files in /run.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "identity_job.h"
#include "log.h"
#include "str.h"

void identity_send_text(const struct identity_job *job, enum fact_id id)
{
	const struct facts_text *at = facts_get(&job->facts, id);
	const char *why = at->asked ? "" : "remembered, not asked anew since start";

	if (id == FACT_ASG && job->conf->asg[0] != '\0' && strcmp(at->text, job->conf->asg) == 0)
		why = "configured";
	else if (id == FACT_ASG && job->item[ITEM_ASG].absences > 0 && at->have == FACTS_PRESENT)
		why = "its tag is gone; kept while there is a target state";
	if (at->have != FACTS_UNKNOWN)
		worker_fact(job->worker, id, 0, at->have == FACTS_PRESENT, at->text, why);
}

void identity_send_tags(const struct identity_job *job)
{
	if (job->facts.tags_have != FACTS_UNKNOWN)
		worker_fact(job->worker, FACT_TAGS, 0,
		            job->facts.tags_have == FACTS_PRESENT ? job->facts.tags.count : -1,
		            NULL, job->walk.why);
}

/* The session's state; a service that answers may still answer nonsense. */
static enum imds_state state_now(const struct identity_job *job, char *ret_why, size_t size)
{
	const char *why;
	enum imds_state state = imds_state(job->imds, &why);

	str_copy(ret_why, size, why);
	if (state != IMDS_OK && state != IMDS_STARTING)
		return state;
	for (int i = 0; i < ITEM_MAX; i++) {
		const struct item *item = &job->item[i];

		if (item->why[0] == '\0')
			continue;
		snprintf(ret_why, size, "%s: %s (%u in a row)", item->path, item->why,
		         item->failures);
		return IMDS_BAD;
	}
	if (job->walk.why[0] != '\0') {
		str_copy(ret_why, size, job->walk.why);
		return IMDS_BAD;
	}
	return state;
}

void identity_send_state(struct identity_job *job)
{
	char why[LIMIT_FACT_WHY];
	enum imds_state state = state_now(job, why, sizeof(why));

	worker_fact(job->worker, FACT_IMDS, 0, state, NULL, why);
	job->told_state = state;
}

bool identity_state_changed(const struct identity_job *job)
{
	char why[LIMIT_FACT_WHY];

	return state_now(job, why, sizeof(why)) != job->told_state;
}

void identity_refresh(struct identity_job *job)
{
	identity_send_state(job);
	for (int id = FACTS_FIRST; id < FACTS_END; id++)
		identity_send_text(job, id);
	identity_send_tags(job);
}

void identity_remember(struct identity_job *job)
{
	int error = facts_load(job->run_dir, &job->facts);

	if (error == 0) {
		/* Asked for anew: it may be another group's, or no group's. */
		if (job->facts.asg_configured)
			*facts_at(&job->facts, FACT_ASG) = (struct facts_text){ 0 };
		job->facts.asg_configured = false;
		job->identity.known =
		        facts_get(&job->facts, FACT_INSTANCE_ID)->have == FACTS_PRESENT;
		log_debug("imds: starting from the facts of %s", job->run_dir);
	} else if (error != -ENOENT) {
		log_info("imds: facts.json of %s not taken: %s", job->run_dir, strerror(-error));
	}
}

void identity_save(struct identity_job *job)
{
	int error = facts_store(&job->files, job->run_dir, &job->facts);

	job->unsaved = error != 0;
	if (error != 0 && !job->save_failed)
		log_warning("imds: facts not written to %s: %s", job->run_dir, strerror(-error));
	job->save_failed = error != 0;
}
