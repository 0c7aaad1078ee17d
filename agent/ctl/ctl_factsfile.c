/*
 * Run by wnactl facts. Reads local files of /run only. Owns nothing beyond a
 * call.
 */
#include "ctl.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fact.h"
#include "str.h"

enum { FACTS_MAX = 1024 * 1024, LINE_MAX_BYTES = 1024 };

/* A regular file of at most FACTS_MAX bytes; wna-cloud could put anything in its place. 0 with
 * a malloc'd text, or -errno. */
static int facts_slurp(const char *path, char **ret_text, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = -EINVAL;
	char *text = NULL;
	struct stat st;
	FILE *file;

	if (fd < 0)
		return -errno;
	file = fdopen(fd, "r");
	if (file && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		text = malloc(FACTS_MAX + 1);
	if (text) {
		*ret_len = fread(text, 1, FACTS_MAX + 1, file);
		r = ferror(file) ? -EIO : *ret_len > FACTS_MAX ? -EFBIG : 0;
	}
	if (file)
		fclose(file);
	if (r < 0) {
		free(text);
		return r;
	}
	text[*ret_len] = '\0';
	*ret_text = text;
	return 0;
}

/* CTL_OK with a malloc'd text, or an exit code after having said what is wrong. */
static enum ctl_exit facts_read(const struct ctl *ctl, const char *file, char **ret_text,
                                size_t *ret_len)
{
	char path[512];
	int r;

	snprintf(path, sizeof path, "%s/%s", ctl->run_dir, file);
	r = facts_slurp(path, ret_text, ret_len);
	if (r == 0)
		return CTL_OK;
	if (r == -ENOENT) {
		fprintf(ctl->err,
		        "wnactl: %s is not there: the agent does not run, or the metadata service "
		        "has not answered it yet\n",
		        path);
		return CTL_UNREACHABLE;
	}
	fprintf(ctl->err, "wnactl: %s: %s\n", path, strerror(-r));
	return r == -EACCES ? CTL_DENIED : CTL_BAD;
}

static void facts_write(const struct ctl *ctl, const char *text, size_t len)
{
	/* A script gets the bytes as they are, a terminal only those that are safe. */
	if (ctl->out_tty)
		text_write(ctl->out, text, len, ctl->utf8);
	else
		fwrite(text, 1, len, ctl->out);
}

enum ctl_exit facts_json(const struct ctl *ctl)
{
	char *text = NULL;
	enum ctl_exit ret;
	size_t len = 0;

	ret = facts_read(ctl, "facts.json", &text, &len);
	if (ret == CTL_OK)
		facts_write(ctl, text, len);
	free(text);
	return ret;
}

/* Whether the line is like "WNA_REGION=ap-northeast-2", without a character that means more to a
 * shell. Cuts the line at its "=". */
static bool assignment(char *line)
{
	char *value = strchr(line, '=');

	if (value == NULL || strncmp(line, "WNA_", 4) != 0)
		return false;
	*value = '\0';
	return str_only(line, "_") && str_only(value + 1, "._:/-");
}

/* Whether every line is an assignment. A NUL would hide the rest of its line from the check. */
static bool assignments(const char *text, size_t len)
{
	char line[LINE_MAX_BYTES];

	for (const char *at = text, *end; at < text + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + len - at));
		if (end == NULL || (size_t)(end - at) >= sizeof line)
			return false;
		memcpy(line, at, (size_t)(end - at));
		line[end - at] = '\0';
		if (strlen(line) != (size_t)(end - at) || !assignment(line))
			return false;
	}
	return true;
}

enum ctl_exit facts_env(const struct ctl *ctl)
{
	char *text = NULL;
	enum ctl_exit ret;
	size_t len = 0;

	ret = facts_read(ctl, "facts.env", &text, &len);
	if (ret == CTL_OK && !assignments(text, len)) {
		fprintf(ctl->err,
		        "wnactl: %s/facts.env: a line is not an assignment that the agent "
		        "makes; nothing is printed\n",
		        ctl->run_dir);
		ret = CTL_BAD;
	}
	if (ret == CTL_OK)
		facts_write(ctl, text, len);
	free(text);
	return ret;
}

static enum ctl_exit facts_parse(const struct ctl *ctl, cJSON **ret_root)
{
	char *text = NULL;
	enum ctl_exit ret;
	size_t len = 0;
	cJSON *root;

	ret = facts_read(ctl, "facts.json", &text, &len);
	if (ret != CTL_OK)
		return ret;
	root = cJSON_ParseWithLength(text, len);
	free(text);
	if (!cJSON_IsObject(root)) {
		cJSON_Delete(root);
		fprintf(ctl->err, "wnactl: %s/facts.json: not a JSON object\n", ctl->run_dir);
		return CTL_BAD;
	}
	*ret_root = root;
	return CTL_OK;
}

/* Texts as they are, numbers and truth values as in JSON; NULL for the rest.
 * The caller frees it. */
static char *facts_text(const cJSON *item)
{
	if (cJSON_IsString(item))
		return strdup(item->valuestring);
	if (cJSON_IsNumber(item) || cJSON_IsBool(item))
		return cJSON_PrintUnformatted(item);
	return NULL;
}

static void facts_row(const struct ctl *ctl, const char *prefix, const cJSON *item)
{
	char *text = facts_text(item);
	char name[300];

	snprintf(name, sizeof name, "%s%s", prefix, item->string);
	facts_write(ctl, name, strlen(name));
	for (int column = text_cells(name, ctl->utf8); column < 23; column++)
		fputc(' ', ctl->out);
	fputc(' ', ctl->out);
	if (text != NULL)
		facts_write(ctl, text, strlen(text));
	else
		fputc('-', ctl->out);
	fputc('\n', ctl->out);
	free(text);
}

enum ctl_exit facts_table(const struct ctl *ctl)
{
	const cJSON *item, *tags;
	cJSON *root = NULL;
	enum ctl_exit ret;

	ret = facts_parse(ctl, &root);
	if (ret != CTL_OK)
		return ret;
	tags = cJSON_GetObjectItemCaseSensitive(root, "tags");
	cJSON_ArrayForEach(item, root)
	{
		if (item != tags && !cJSON_IsObject(item) && !cJSON_IsArray(item))
			facts_row(ctl, "", item);
	}
	cJSON_ArrayForEach(item, tags)
	{
		if (item->string != NULL)
			facts_row(ctl, "tags.", item);
	}
	cJSON_Delete(root);
	return CTL_OK;
}

/* Whether the file may have a fact of this name, though it has none now. */
static bool facts_known(const char *key)
{
	if (strncmp(key, "tags.", 5) == 0)
		return key[5] != '\0';
	for (int id = FACT_INSTANCE_ID; id <= FACT_SCHEDULED; id++)
		if (strcmp(fact_info((uint16_t)id)->name, key) == 0)
			return true;
	return false;
}

static void facts_list_names(const struct ctl *ctl)
{
	fprintf(ctl->err, "The facts are:");
	for (int id = FACT_INSTANCE_ID; id <= FACT_SCHEDULED; id++)
		fprintf(ctl->err, " %s", fact_info((uint16_t)id)->name);
	fprintf(ctl->err, " tags.NAME\n");
}

enum ctl_exit facts_value(const struct ctl *ctl, const char *key)
{
	const cJSON *item = NULL;
	cJSON *root = NULL;
	char *text = NULL;
	enum ctl_exit ret;

	ret = facts_parse(ctl, &root);
	if (ret != CTL_OK)
		return ret;
	if (strncmp(key, "tags.", 5) == 0)
		item = cJSON_GetObjectItemCaseSensitive(
		        cJSON_GetObjectItemCaseSensitive(root, "tags"), key + 5);
	else
		item = cJSON_GetObjectItemCaseSensitive(root, key);
	text = facts_text(item);
	if (text != NULL) {
		facts_write(ctl, text, strlen(text));
		fputc('\n', ctl->out);
	} else if (cJSON_IsNull(item)) {
		fprintf(ctl->err, "wnactl: %s: this instance has none\n", key);
		ret = CTL_NO;
	} else if (facts_known(key)) {
		fprintf(ctl->err, "wnactl: %s: not known\n", key);
		ret = CTL_NO;
	} else {
		fprintf(ctl->err, "wnactl: no fact is named %s\n", key);
		facts_list_names(ctl);
		ret = CTL_USAGE;
	}
	free(text);
	cJSON_Delete(root);
	return ret;
}
