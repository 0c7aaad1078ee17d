/* wna-hooks; pure: never blocks, owns nothing. */
#include "hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fact.h"
#include "net.h"
#include "str.h"

static void put(struct hooks_environment *env, const char *key, const char *value)
{
	char *line = env->line[env->count];

	snprintf(line, HOOKS_VARIABLE, "%s=%s", key, value);
	env->list[env->count++] = line;
}

static void put_number(struct hooks_environment *env, const char *key, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, value);
	put(env, key, text);
}

/* Splits "10.16.6.137 -> 10.16.5.149". Only addresses are allowed, since a shell gets them. */
static bool split(const char *text, char ret_from[NET_ADDR_TEXT], char ret_to[NET_ADDR_TEXT])
{
	const char *arrow = strstr(text, " -> ");
	size_t len = arrow ? (size_t)(arrow - text) : 0;
	struct net_addr addr;

	if (!arrow || len >= NET_ADDR_TEXT || !str_copy(ret_to, NET_ADDR_TEXT, arrow + 4))
		return false;
	memcpy(ret_from, text, len);
	ret_from[len] = '\0';
	return net_addr_parse(ret_from, &addr) && net_addr_parse(ret_to, &addr);
}

int hooks_environment(const char *event, const char *endpoint, const struct msg *fact,
                      struct hooks_environment *ret)
{
	char from[NET_ADDR_TEXT] = "", to[NET_ADDR_TEXT] = "";
	const int64_t *more = fact->more;
	struct net_addr addr;
	int64_t max_ms = -1;
	int common;
	bool ok;

	memset(ret, 0, sizeof *ret);
	put(ret, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	put(ret, "LANG", "C");
	put(ret, "WNA_EVENT", event);
	common = ret->count;
	put(ret, "WNA_RDS_ENDPOINT", endpoint);
	if (fact->id == FACT_RDS_CHANGE) {
		max_ms = more[RDS_CHANGE_MAX_MS];
		ok = split(fact->text, from, to) && more[RDS_CHANGE_MIN_MS] >= 0;
		put(ret, "WNA_RDS_FROM", from);
		put(ret, "WNA_RDS_TO", to);
		put_number(ret, "WNA_RDS_OUTAGE_MIN_MS", more[RDS_CHANGE_MIN_MS]);
	} else {
		if (fact->id == FACT_RDS_UP && more[RDS_UP_IMPACT_MS] >= 0)
			max_ms = more[RDS_UP_WRITABLE_MS] - more[RDS_UP_IMPACT_MS];
		ok = net_addr_parse(fact->text, &addr);
		put(ret, "WNA_RDS_ADDRESS", fact->text);
	}
	if (max_ms >= 0)
		put_number(ret, "WNA_RDS_OUTAGE_MAX_MS", max_ms);
	if (ok && max_ms >= -1)
		return 0;
	/* None of them reaches the script. */
	ret->count = common;
	for (int i = common; i < HOOKS_VARIABLES; i++)
		ret->list[i] = NULL;
	return -EBADMSG;
}
