/*
 * Run by wna-cloud. Blocks on the local disk alone (/run is memory). Owns the
 * two files; credentials never come here.
 */
#include "facts_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

#define ASG_SOURCE     "asg-source" /* there only if it is: */
#define ASG_CONFIGURED "agent.conf"

static const struct {
	enum fact_id id;
	const char *name;
} env_keys[] = {
	{ FACT_INSTANCE_ID, "WNA_INSTANCE_ID" },
	{ FACT_INSTANCE_TYPE, "WNA_INSTANCE_TYPE" },
	{ FACT_AMI_ID, "WNA_AMI_ID" },
	{ FACT_PRIVATE_IPV4, "WNA_PRIVATE_IPV4" },
	{ FACT_PUBLIC_IPV4, "WNA_PUBLIC_IPV4" },
	{ FACT_AZ, "WNA_AZ" },
	{ FACT_AZ_ID, "WNA_AZ_ID" },
	{ FACT_REGION, "WNA_REGION" },
	{ FACT_PARTITION, "WNA_PARTITION" },
	{ FACT_DOMAIN, "WNA_DOMAIN" },
	{ FACT_VPC_ID, "WNA_VPC_ID" },
	{ FACT_SUBNET_ID, "WNA_SUBNET_ID" },
	{ FACT_ASG, "WNA_ASG" },
	{ FACT_LIFE_CYCLE, "WNA_LIFE_CYCLE" },
	{ FACT_TARGET_STATE, "WNA_TARGET_STATE" },
};

static void json_tags(const struct facts *facts, struct sb *sb)
{
	if (facts->tags_have == FACTS_ABSENT) {
		sb_put(sb, "null");
		return;
	}
	sb_put(sb, "{");
	for (int i = 0; i < facts->tags.count; i++) {
		sb_put(sb, i > 0 ? ",\n    " : "\n    ");
		sb_json(sb, tags_key(&facts->tags, i));
		sb_put(sb, ": ");
		sb_json(sb, tags_value(&facts->tags, i));
	}
	sb_put(sb, facts->tags.count > 0 ? "\n  }" : "}");
}

void facts_json(const struct facts *facts, struct sb *sb)
{
	const char *between = "\n  ";

	sb_put(sb, "{");
	for (int id = FACTS_FIRST; id < FACTS_END; id++) {
		const struct facts_text *at = facts_get(facts, id);

		if (at->have == FACTS_UNKNOWN)
			continue;
		sb_put(sb, between);
		sb_json(sb, fact_info((uint16_t)id)->name);
		sb_put(sb, ": ");
		if (at->have == FACTS_PRESENT)
			sb_json(sb, at->text);
		else
			sb_put(sb, "null");
		between = ",\n  ";
	}
	if (facts->asg_configured) {
		sb_put(sb, between);
		sb_put(sb, "\"" ASG_SOURCE "\": \"" ASG_CONFIGURED "\"");
		between = ",\n  ";
	}
	if (facts->tags_have != FACTS_UNKNOWN) {
		sb_put(sb, between);
		sb_put(sb, "\"tags\": ");
		json_tags(facts, sb);
	}
	sb_put(sb, "\n}\n");
}

void facts_env(const struct facts *facts, struct sb *sb)
{
	for (size_t i = 0; i < sizeof(env_keys) / sizeof(env_keys[0]); i++) {
		const struct facts_text *at = facts_get(facts, env_keys[i].id);

		if (at->have == FACTS_PRESENT && str_only(at->text, "._:/-"))
			sb_printf(sb, "%s=%s\n", env_keys[i].name, at->text);
	}
}

/* A group that was configured must not outlive that. */
static bool parse_asg_source(const cJSON *item)
{
	return cJSON_IsString(item) && strcmp(item->valuestring, ASG_CONFIGURED) == 0;
}

static void parse_tags(const cJSON *object, struct facts *ret)
{
	const cJSON *item;

	if (cJSON_IsNull(object))
		ret->tags_have = FACTS_ABSENT;
	if (!cJSON_IsObject(object))
		return;
	ret->tags_have = FACTS_PRESENT;
	cJSON_ArrayForEach(item, object) if (cJSON_IsString(item) && item->string != NULL)
	        tags_add(&ret->tags, item->string, item->valuestring, strlen(item->valuestring));
}

int facts_parse(const char *json, size_t len, struct facts *ret)
{
	cJSON *root = cJSON_ParseWithLength(json, len);
	int error = -EBADMSG;

	if (!cJSON_IsObject(root))
		goto out;
	memset(ret, 0, sizeof(*ret));
	for (int id = FACTS_FIRST; id < FACTS_END; id++) {
		const cJSON *item =
		        cJSON_GetObjectItemCaseSensitive(root, fact_info((uint16_t)id)->name);
		struct facts_text *at = facts_at(ret, id);

		if (cJSON_IsNull(item)) {
			at->have = FACTS_ABSENT;
		} else if (cJSON_IsString(item) && facts_valid(id, item->valuestring)) {
			at->have = FACTS_PRESENT;
			str_copy(at->text, sizeof(at->text), item->valuestring);
		}
	}
	ret->asg_configured = parse_asg_source(cJSON_GetObjectItemCaseSensitive(root, ASG_SOURCE));
	parse_tags(cJSON_GetObjectItemCaseSensitive(root, "tags"), ret);
	error = 0;
out:
	cJSON_Delete(root);
	return error;
}

/* FNV-1a: tells "the same as before" apart, against chance and not malice. */
static uint64_t fingerprint(const char *bytes, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return hash != 0 ? hash : 1;
}

static int store(uint64_t *last, const char *dir, const char *name, const struct sb *sb)
{
	uint64_t now = fingerprint(sb->buf, sb->len);

	if (sb->cut)
		return -EFBIG;
	if (now == *last)
		return 0;
	int error = worker_write_file(dir, name, sb->buf, sb->len);

	if (error == 0)
		*last = now;
	return error;
}

int facts_store(struct facts_files *files, const char *dir, const struct facts *facts)
{
	char *buf = malloc(FACTS_FILE_MAX);
	struct sb sb;

	if (buf == NULL)
		return -ENOMEM;
	sb_init(&sb, buf, FACTS_FILE_MAX);
	facts_json(facts, &sb);
	int error = store(&files->json, dir, "facts.json", &sb);

	sb_init(&sb, buf, FACTS_FILE_MAX);
	facts_env(facts, &sb);
	int second = store(&files->env, dir, "facts.env", &sb);

	free(buf);
	return error != 0 ? error : second;
}

int facts_load(const char *dir, struct facts *ret)
{
	char *buf = NULL;
	int fd = -1, error;
	struct stat st;
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, "facts.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		error = -errno;
		goto out;
	}
	error = -EBADMSG;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FACTS_FILE_MAX)
		goto out;
	buf = malloc((size_t)st.st_size);
	if (buf == NULL) {
		error = -ENOMEM;
		goto out;
	}
	ssize_t got = read(fd, buf, (size_t)st.st_size);

	if (got == st.st_size)
		error = facts_parse(buf, (size_t)got, ret);
out:
	free(buf);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return error;
}
