/*
 * Run by wna-cloud: tells the core and the node's other programs its identity. Blocks on the
 * local disk alone (/run is memory). Owns the two files; credentials never come here.
 */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud_identity.h"
#include "log.h"

#define ASG_SOURCE "asg-source" /* there only if the group is configured */

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
	if (facts->asg_configured) {
		sb_printf(sb, "%s\"" ASG_SOURCE "\": \"agent.conf\"", between);
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

static void parse_tags(const cJSON *object, struct facts *ret)
{
	const cJSON *item;

	if (cJSON_IsNull(object))
		FACTS_AT(ret, FACTS_TAGS)->have = FACTS_ABSENT;
	if (!cJSON_IsObject(object))
		return;
	FACTS_AT(ret, FACTS_TAGS)->have = FACTS_PRESENT;
	cJSON_ArrayForEach(item, object)
	{
		if (cJSON_IsString(item) && item->string)
			tags_add(&ret->tags, item->string, item->valuestring,
			         strlen(item->valuestring));
	}
}

int facts_parse(const char *json, size_t len, struct facts *ret)
{
	cJSON *root = cJSON_ParseWithLength(json, len);

	if (!cJSON_IsObject(root)) {
		cJSON_Delete(root);
		return -EBADMSG;
	}
	memset(ret, 0, sizeof *ret);
	for (int id = FACTS_FIRST; id < FACTS_END; id++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, fact_name(id));
		bool valid = cJSON_IsString(item) && facts_valid(id, item->valuestring);

		/* A group that was configured must not outlive that: it is asked for. */
		if ((!valid && !cJSON_IsNull(item)) ||
		    (id == FACT_ASG && cJSON_HasObjectItem(root, ASG_SOURCE)))
			continue;
		facts_set(ret, id, valid ? item->valuestring : NULL);
		FACTS_AT(ret, id)->answered = false;
	}
	parse_tags(cJSON_GetObjectItemCaseSensitive(root, "tags"), ret);
	cJSON_Delete(root);
	return 0;
}

int facts_store(const char *dir, const struct facts *facts)
{
	char *text = malloc(FACTS_FILE_MAX);
	int r, second;
	struct sb sb;

	if (!text)
		return -ENOMEM;
	sb_init(&sb, text, FACTS_FILE_MAX);
	facts_json(facts, &sb);
	r = worker_write_file(dir, "facts.json", sb.buf, sb.len);
	sb_init(&sb, text, FACTS_FILE_MAX);
	facts_env(facts, &sb);
	second = worker_write_file(dir, "facts.env", sb.buf, sb.len);
	free(text);
	return r < 0 ? r : second;
}

int facts_load(const char *dir, struct facts *ret)
{
	char path[LIMIT_PATH + sizeof "/facts.json"], *text = malloc(FACTS_FILE_MAX);
	struct stat st;
	ssize_t got;
	int fd, r;

	snprintf(path, sizeof path, "%s/facts.json", dir);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r = fd < 0 ? -errno : text ? -EBADMSG : -ENOMEM;
	if (fd >= 0 && text && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		got = read(fd, text, FACTS_FILE_MAX);
		if (got > 0 && got < FACTS_FILE_MAX)
			r = facts_parse(text, (size_t)got, ret);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return r;
}

void identity_send_text(const struct identity_job *job, enum fact_id id)
{
	const struct facts_item *item = FACTS_AT(&job->facts, id);
	const char *why = item->answered ? "" : "remembered, not asked anew since start";

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

/* The session's state; a service that answers may still answer nonsense. */
static enum imds_state state_now(const struct identity_job *job, char *ret_why, size_t size)
{
	const char *why;
	enum imds_state state = imds_state(job->imds, &why);

	str_copy(ret_why, size, why);
	if (state != IMDS_OK && state != IMDS_STARTING)
		return state;
	for (int id = FACTS_FIRST; id <= FACTS_TAGS; id++) {
		const struct facts_item *item = FACTS_AT(&job->facts, id);

		if (!item->why[0])
			continue;
		snprintf(ret_why, size, "%s: %s (%u in a row)", facts_path(id), item->why,
		         item->failures);
		return IMDS_BAD;
	}
	return state;
}

void identity_send_state(struct identity_job *job, bool again)
{
	char why[LIMIT_FACT_WHY];
	enum imds_state state = state_now(job, why, sizeof why);

	if (again || (int64_t)state != job->told_state)
		worker_fact(job->worker, FACT_IMDS, state, NULL, why);
	job->told_state = state;
}

void identity_refresh(struct identity_job *job)
{
	identity_send_state(job, true);
	for (int id = FACTS_FIRST; id < FACTS_END; id++)
		identity_send_text(job, id);
	identity_send_tags(job);
}

void identity_remember(struct identity_job *job)
{
	int r = facts_load(job->run_dir, &job->facts);

	if (r == 0) {
		job->identity.known =
		        FACTS_AT(&job->facts, FACT_INSTANCE_ID)->have == FACTS_PRESENT;
		log_debug("imds: starting from the facts of %s", job->run_dir);
	} else if (r != -ENOENT) {
		log_info("imds: facts.json of %s not taken: %s", job->run_dir, strerror(-r));
	}
}

void identity_save(struct identity_job *job)
{
	int r = facts_store(job->run_dir, &job->facts);

	job->unsaved = r < 0;
	if (r < 0 && !job->save_failed)
		log_warning("imds: facts not written to %s: %s", job->run_dir, strerror(-r));
	job->save_failed = r < 0;
}
