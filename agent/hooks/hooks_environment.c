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

int hooks_environment(const char *endpoint, const struct msg *change, struct hooks_environment *ret)
{
	char from[NET_ADDR_TEXT], to[NET_ADDR_TEXT];
	int64_t min_ms = change->more[RDS_CHANGE_MIN_MS], max_ms = change->more[RDS_CHANGE_MAX_MS];

	memset(ret, 0, sizeof *ret);
	put(ret, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	put(ret, "LANG", "C");
	put(ret, "WNA_EVENT", HOOKS_EVENT);
	if (!split(change->text, from, to) || min_ms < 0 || max_ms < -1)
		return -EBADMSG;
	put(ret, "WNA_RDS_ENDPOINT", endpoint);
	put(ret, "WNA_RDS_FROM", from);
	put(ret, "WNA_RDS_TO", to);
	put_number(ret, "WNA_RDS_OUTAGE_MIN_MS", min_ms);
	if (max_ms >= 0)
		put_number(ret, "WNA_RDS_OUTAGE_MAX_MS", max_ms);
	return 0;
}
