/* Run by wna-cloud. Blocks on nothing; holds a role's name and no secret. */
#include <stdio.h>
#include <string.h>

#include "creds_source.h"
#include "shape.h"
#include "str.h"

#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

static void fail(struct creds_role *role, const char *why, int64_t now_ms)
{
	char text[LIMIT_FACT_WHY + 16];

	snprintf(text, sizeof(text), "instance role: %s", why);
	role->done(role->arg, NULL, text, now_ms);
}

static void on_credentials(struct creds_role *role, const char *body, size_t len, int64_t now_ms)
{
	struct creds creds;
	char why[LIMIT_FACT_WHY];

	if (creds_parse_json(body, len, &creds, why, sizeof(why)) != 0) {
		fail(role, why, now_ms);
		return;
	}
	role->done(role->arg, &creds, "", now_ms);
	explicit_bzero(&creds, sizeof(creds));
}

static void on_answer(void *arg, enum imds_reply reply, const char *body, size_t len,
                      int64_t now_ms)
{
	struct creds_role *role = arg;
	char name[sizeof(role->name)];

	if (reply == IMDS_REPLY_FAILED || reply == IMDS_REPLY_BAD) {
		fail(role, body, now_ms);
	} else if (reply == IMDS_REPLY_ABSENT) {
		fail(role, "none is attached to this instance", now_ms);
	} else if (role->name[0] != '\0') {
		on_credentials(role, body, len, now_ms);
	} else if (!shape_text(body, len, name, sizeof(name)) || !shape_role(name)) {
		fail(role, "its name has not the shape of one", now_ms);
	} else {
		str_copy(role->name, sizeof(role->name), name);
		snprintf(role->ask.path, sizeof(role->ask.path), ROLE_PATH "%s", name);
		imds_ask(role->imds, &role->ask);
	}
}

void creds_role_start(struct creds_role *role)
{
	role->name[0] = '\0';
	role->ask.done = on_answer;
	role->ask.arg = role;
	str_copy(role->ask.path, sizeof(role->ask.path), ROLE_PATH);
	imds_ask(role->imds, &role->ask);
}
