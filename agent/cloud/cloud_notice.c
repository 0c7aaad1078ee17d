/* Run by wna-cloud on bytes from outside. Blocks on nothing; owns the JSON tree while it reads it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud_identity.h"

bool notice_is(int id)
{
	return id == FACT_SPOT_ACTION || id == FACT_REBALANCE || id == FACT_SCHEDULED;
}

/* A member's text; "" if there is none. */
static const char *text_of(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : "";
}

/* Without a time that is not understood. */
static void put(const char *what, const char *time, char *ret, size_t size)
{
	bool known = shape_time(time);

	snprintf(ret, size, "%s%s%s", what, known ? " at " : "", known ? time : "");
}

static const cJSON *first_active(const cJSON *list)
{
	const cJSON *event;

	cJSON_ArrayForEach(event, list)
	{
		if (strcmp(text_of(event, "State"), "active") == 0)
			return event;
	}
	return NULL;
}

int notice_read(int id, const char *json, size_t len, char *ret, size_t size)
{
	cJSON *root = cJSON_ParseWithLength(json, len);
	const char *action;
	const cJSON *event;
	int rc = 1;

	ret[0] = '\0';
	if (id == FACT_SCHEDULED) {
		event = first_active(root);
		rc = !cJSON_IsArray(root) ? -EBADMSG : event ? 1 : 0;
		snprintf(ret, size, "%s from %s", text_of(event, "Code"),
		         text_of(event, "NotBefore"));
	} else if (!cJSON_IsObject(root)) {
		rc = -EBADMSG;
	} else if (id == FACT_SPOT_ACTION) {
		action = text_of(root, "action");
		put(shape_action(action) ? action : "interruption", text_of(root, "time"), ret,
		    size);
	} else {
		put("noticed", text_of(root, "noticeTime"), ret, size);
	}
	cJSON_Delete(root);
	return rc;
}
