/* wna-hook; pure: never blocks, owns nothing. */
#include "environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "envfile.h"
#include "limits.h"
#include "str.h"

enum kind { KIND_NAME, KIND_ADDRESS, KIND_NUMBER };

static const struct {
	const char *key;
	enum kind kind;
	bool optional;
} rds_keys[] = {
	{ "WNA_RDS_ENDPOINT", KIND_NAME, false },
	{ "WNA_RDS_FROM", KIND_ADDRESS, false },
	{ "WNA_RDS_TO", KIND_ADDRESS, false },
	{ "WNA_RDS_OUTAGE_MIN_MS", KIND_NUMBER, false },
	{ "WNA_RDS_OUTAGE_MAX_MS", KIND_NUMBER, true },
};

static void put(struct environment *env, const char *key, const char *value)
{
	char *line = env->line[env->count];

	snprintf(line, ENVIRONMENT_LINE, "%s=%s", key, value);
	env->list[env->count++] = line;
	env->list[env->count] = NULL;
}

static bool value_is_good(enum kind kind, const char *value)
{
	int64_t number;

	switch (kind) {
	case KIND_NAME: return str_only(value, ".-_");
	case KIND_ADDRESS: return str_is_address(value);
	case KIND_NUMBER: return str_int64(value, 0, INT64_MAX, &number);
	}
	return false;
}

/* "KEY=" at the start of a line. */
static bool has_key(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == '=')
			return true;
	}
	return false;
}

static int put_rds(const char *text, struct environment *env)
{
	int before = env->count;

	if (text == NULL)
		return -ENODATA;
	for (size_t i = 0; i < sizeof rds_keys / sizeof rds_keys[0]; i++) {
		char value[LIMIT_HOST];

		if (rds_keys[i].optional && !has_key(text, rds_keys[i].key))
			continue;
		if (!envfile_get(text, rds_keys[i].key, value, sizeof value) ||
		    !value_is_good(rds_keys[i].kind, value)) {
			env->count = before;
			env->list[before] = NULL;
			return -EBADMSG;
		}
		put(env, rds_keys[i].key, value);
	}
	return 0;
}

int environment_make(enum hook_event event, const char *text, struct environment *ret)
{
	const char *name = hook_event_name(event);

	memset(ret, 0, sizeof *ret);
	put(ret, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	put(ret, "LANG", "C");
	put(ret, "WNA_EVENT", name != NULL ? name : "");
	return event == HOOK_RDS_CHANGE ? put_rds(text, ret) : 0;
}
