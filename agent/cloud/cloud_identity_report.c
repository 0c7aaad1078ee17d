/*
 * Run by wna-cloud: reports the identity to the core, and writes it for the node's other programs.
 * Blocks on the local disk alone (/run is memory). Owns the two files.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_identity.h"
#include "log.h"

static const char *fact_name(int id)
{
	return fact_info((uint16_t)id)->name;
}

void facts_json(const struct facts *facts, struct sb *sb)
{
	const char *between = "\n  ";

	sb_put(sb, "{");
	for (int id = FACTS_FIRST; id < FACTS_END; id++) {
		const struct facts_item *item = FACTS_AT(facts, id);

		if (item->have == FACTS_UNKNOWN)
			continue;
		sb_printf(sb, "%s\"%s\": ", between, fact_name(id));
		if (item->have == FACTS_PRESENT)
			sb_json(sb, item->text);
		else
			sb_put(sb, "null");
		between = ",\n  ";
	}
	if (FACTS_AT(facts, FACTS_TAGS)->have == FACTS_ABSENT)
		sb_printf(sb, "%s\"tags\": null", between);
	else if (FACTS_AT(facts, FACTS_TAGS)->have == FACTS_PRESENT)
		sb_printf(sb, "%s\"tags\": {%s%s}", between, facts->tags.json,
		          facts->tags.count > 0 ? "\n  " : "");
	sb_put(sb, "\n}\n");
}

/* "instance-id" is WNA_INSTANCE_ID. */
void facts_env(const struct facts *facts, struct sb *sb)
{
	for (int id = FACTS_FIRST; id < FACTS_END; id++) {
		const struct facts_item *item = FACTS_AT(facts, id);

		if (item->have != FACTS_PRESENT || !str_only(item->text, "._:/-"))
			continue;
		sb_put(sb, "WNA_");
		for (const char *c = fact_name(id); *c; c++)
			sb_char(sb, *c == '-' ? '_' : (char)toupper((unsigned char)*c));
		sb_printf(sb, "=%s\n", item->text);
	}
}

void identity_send_text(const struct identity_job *job, enum fact_id id)
{
	const struct facts_item *item = FACTS_AT(&job->facts, id);
	const char *why = "";

	if (id == FACT_INSTANCE_ID && !job->tried)
		return;
	if (id == FACT_ASG && job->conf->asg[0] && strcmp(item->text, job->conf->asg) == 0)
		why = "configured";
	else if (id == FACT_ASG && item->absences > 0 && item->have == FACTS_PRESENT)
		why = "its tag is gone; kept while there is a target state";
	if (item->have != FACTS_UNKNOWN)
		worker_fact(job->worker, id, item->have == FACTS_PRESENT, item->text, why);
}

void identity_send_tags(const struct identity_job *job)
{
	const struct facts_item *item = FACTS_AT(&job->facts, FACTS_TAGS);

	if (item->have != FACTS_UNKNOWN)
		worker_fact(job->worker, FACT_TAGS,
		            item->have == FACTS_PRESENT ? job->facts.tags.count : -1, NULL,
		            item->why);
}

/* The session's state; or IMDS_BAD if the service answers, but not all questions well. */
static void state_now(const struct identity_job *job, struct msg *ret)
{
	const char *why;

	*ret = (struct msg){ .id = FACT_IMDS, .value = imds_state(job->imds, &why) };
	str_copy(ret->why, sizeof ret->why, why);
	if (ret->value != IMDS_OK && ret->value != IMDS_STARTING) {
		ret->more[RETRY_AT_MS] = imds_retry_ms(job->imds);
		return;
	}
	for (int id = FACTS_FIRST; id <= FACTS_TAGS; id++) {
		const struct facts_item *item = FACTS_AT(&job->facts, id);

		if (!item->why[0])
			continue;
		snprintf(ret->why, sizeof ret->why, "%s: %s (%u in a row)", facts_path(id),
		         item->why, item->failures);
		ret->value = IMDS_BAD;
		ret->more[RETRY_AT_MS] = item->due_ms;
		return;
	}
}

void identity_send_state(struct identity_job *job, bool again)
{
	struct msg now;

	state_now(job, &now);
	/* An item's next time alone can wait for the next report. */
	if (again || now.value != job->sent_state ||
	    (now.value != IMDS_BAD && now.more[RETRY_AT_MS] != job->sent_next_ms))
		worker_say(job->worker, &now);
	job->sent_state = now.value;
	job->sent_next_ms = now.more[RETRY_AT_MS];
}

void identity_refresh(struct identity_job *job)
{
	identity_send_state(job, true);
	for (int id = FACTS_FIRST; id < FACTS_END; id++)
		identity_send_text(job, id);
	identity_send_tags(job);
}

static int write_files(const struct identity_job *job)
{
	char *text = malloc(FACTS_FILE_MAX);
	struct sb sb;
	int r, env;

	if (!text)
		return -ENOMEM;
	sb_init(&sb, text, FACTS_FILE_MAX);
	facts_json(&job->facts, &sb);
	r = worker_write_file(job->worker->run_dir, "facts.json", sb.buf, sb.len);
	sb_init(&sb, text, FACTS_FILE_MAX);
	facts_env(&job->facts, &sb);
	env = worker_write_file(job->worker->run_dir, "facts.env", sb.buf, sb.len);
	free(text);
	return r < 0 ? r : env;
}

void identity_save(struct identity_job *job)
{
	int r = write_files(job);

	job->unsaved = r < 0;
	if (r < 0 && !job->save_failed)
		log_warning("imds: facts not written to %s: %s", job->worker->run_dir,
		            strerror(-r));
	job->save_failed = r < 0;
	if (!job->tried) {
		job->tried = true;
		identity_send_text(job, FACT_INSTANCE_ID);
	}
}
